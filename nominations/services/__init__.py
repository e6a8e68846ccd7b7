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
from nominations.services.nominations import submit_nomination
from nominations.services.seasons import make_season_current
from nominations.services.votes import cast_vote

__all__ = [
    "approve_nomination",
    "cast_vote",
    "make_season_current",
    "mark_duplicate",
    "proposed_slug",
    "reject_nomination",
    "reopen_nomination",
    "similar_nominees",
    "submit_nomination",
    "withdraw_nomination",
]
