"""Everything that writes to the awards."""

from nominations.services.adding import add_nomination
from nominations.services.decisions import (
    approve_nomination,
    mark_duplicate,
    proposed_slug,
    reject_nomination,
    reopen_nomination,
    similar_nominees,
    withdraw_nomination,
)
from nominations.services.editing import save_nominee
from nominations.services.imports import Report, check_import, retry_import, run_import, start_import
from nominations.services.log_proof import chain_heads, verify_log
from nominations.services.meant import nominees_meant
from nominations.services.merge_previews import MovePreview, preview_merge, preview_unmerge
from nominations.services.merging import merge_nominees, unmerge_nominees
from nominations.services.moved_votes import merge_votes, unmerge_votes
from nominations.services.nominations import submit_nomination
from nominations.services.own_link import (
    ask_for_link_mail,
    own_token,
    own_url,
    owner_of,
    send_due_link_mails,
    send_link_mail,
)
from nominations.services.replies import (
    accept_reply,
    ask_for_correction,
    ask_to_take_down,
    confirm_page,
    dismiss_reply,
)
from nominations.services.results import publish_due_results, publish_results, withdraw_results
from nominations.services.rulings import invalidate_votes, restore_votes, undo_ruling
from nominations.services.seasons import clone_season, make_season_current
from nominations.services.staged import (
    apply_staged,
    decide_staged,
    preview_stage,
    stage_decisions,
    unstage_decisions,
)
from nominations.services.tallies import add_manual_votes, verify_votes
from nominations.services.verification import (
    confirm_vote,
    held_vote,
    lapse_votes,
    send_due_verifications,
    send_verification,
    verification_token,
)
from nominations.services.votes import cast_vote, office_wait, voter_wait

__all__ = [
    "Report",
    "MovePreview",
    "accept_reply",
    "add_manual_votes",
    "add_nomination",
    "apply_staged",
    "approve_nomination",
    "ask_for_correction",
    "ask_for_link_mail",
    "ask_to_take_down",
    "cast_vote",
    "check_import",
    "chain_heads",
    "confirm_page",
    "clone_season",
    "confirm_vote",
    "decide_staged",
    "dismiss_reply",
    "held_vote",
    "invalidate_votes",
    "lapse_votes",
    "make_season_current",
    "mark_duplicate",
    "merge_nominees",
    "merge_votes",
    "nominees_meant",
    "office_wait",
    "own_token",
    "own_url",
    "owner_of",
    "preview_stage",
    "preview_merge",
    "preview_unmerge",
    "proposed_slug",
    "reject_nomination",
    "reopen_nomination",
    "publish_due_results",
    "publish_results",
    "restore_votes",
    "retry_import",
    "run_import",
    "save_nominee",
    "send_due_link_mails",
    "send_due_verifications",
    "send_link_mail",
    "send_verification",
    "similar_nominees",
    "start_import",
    "stage_decisions",
    "submit_nomination",
    "undo_ruling",
    "unmerge_nominees",
    "unmerge_votes",
    "unstage_decisions",
    "verification_token",
    "verify_log",
    "verify_votes",
    "voter_wait",
    "withdraw_nomination",
    "withdraw_results",
]
