"""Everything that writes to the awards."""

from nominations.services.decisions import (
    approve_nomination,
    mark_duplicate,
    proposed_slug,
    reject_nomination,
    reopen_nomination,
    similar_nominees,
    withdraw_nomination,
)
from nominations.services.moved_votes import merge_votes, unmerge_votes
from nominations.services.nominations import submit_nomination
from nominations.services.rulings import invalidate_votes, restore_votes, undo_ruling
from nominations.services.seasons import make_season_current
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
    "add_manual_votes",
    "approve_nomination",
    "cast_vote",
    "confirm_vote",
    "held_vote",
    "invalidate_votes",
    "lapse_votes",
    "make_season_current",
    "mark_duplicate",
    "merge_votes",
    "office_wait",
    "proposed_slug",
    "reject_nomination",
    "reopen_nomination",
    "restore_votes",
    "send_due_verifications",
    "send_verification",
    "similar_nominees",
    "submit_nomination",
    "undo_ruling",
    "unmerge_votes",
    "verification_token",
    "verify_votes",
    "voter_wait",
    "withdraw_nomination",
]
