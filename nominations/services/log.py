"""The decision log's only writer."""

import hashlib

from django.utils import timezone

from crm.models import User
from nominations.models import DecisionLog, Nomination, Season


def lock_season(season_id: int) -> Season:
    """Take every season's row, in order: whatever changes a nomination begins so, and nothing can lock crosswise.

    Every season's, because a nominee may stand in several, and slugs are shared. Votes are not held up: they only
    refer to the row.
    """
    return next(season for season in lock_seasons() if season.pk == season_id)


def lock_seasons() -> list[Season]:
    """All of them, for what is about no season in particular."""
    return list(Season.objects.select_for_update(no_key=True).order_by("pk"))


def log_decision(
    nomination: Nomination, action: DecisionLog.Action, *, from_state: str, by: User | None, reason: str = ""
) -> DecisionLog:
    """Append a change to its season's chain. The season must be locked."""
    last = DecisionLog.objects.filter(season_id=nomination.season_id).order_by("-seq").first()
    row = DecisionLog(
        season_id=nomination.season_id,
        seq=last.seq + 1 if last else 1,
        nomination=nomination,
        action=action,
        from_state=from_state,
        to_state=nomination.state,
        reason=reason,
        reason_digest=hashlib.sha256(reason.encode()).hexdigest() if reason else "",
        by=by,
        at=timezone.now(),
        previous_hash=last.row_hash if last else "",
    )
    row.row_hash = row.computed_hash()
    row.save(force_insert=True)
    return row
