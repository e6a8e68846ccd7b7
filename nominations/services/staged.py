"""Decisions that staff prepare one by one and apply together. Nothing changes for anybody until a worker has come to
them; each is then taken in a transaction of its own, in which its row goes."""

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from crm.models import User
from nominations import contacts, selectors
from nominations.models import Nomination, Nominee, StagedDecision
from nominations.models.staged import StagedDecisionQuerySet
from nominations.services.decisions import already_decided, approve_nomination, reject_nomination
from nominations.services.log import lock_seasons

Decision = StagedDecision.Decision
# How long one task works before it leaves the rest to the next.
TURN_SECONDS = 60.0


@dataclass(frozen=True)
class StagePreview:
    """What applying would do. `addresses` are those that get a number, because another has the plain one."""

    can: list[StagedDecision]
    cannot: list[StagedDecision]
    going_live: int
    going_down: int
    touched: selectors.Touched
    addresses: list[tuple[StagedDecision, str]]

    @property
    def approvals(self) -> int:
        """How many of those that can."""
        return sum(row.decision == Decision.APPROVE for row in self.can)

    @property
    def rejections(self) -> int:
        """How many of those that can."""
        return len(self.can) - self.approvals


def stage_decisions(
    chosen: Sequence[Nomination],
    *,
    decision: str,
    by: User,
    reason: str = "",
    reasons: Mapping[UUID, str] | None = None,
) -> int:
    """Prepare the decision for those that can be decided so: how many. What was staged of them before gives way.

    `reasons` are those of single nominations, before the one for all. Raises ValidationError: `reason_required`, or
    `already_decided` when none can be staged.
    """
    can = [row for row in chosen if StagedDecision(nomination=row, decision=decision).has_effect]
    said = {row.pk: (reasons or {}).get(row.pk, "").strip() or reason.strip() for row in can}
    if decision == Decision.REJECT and not all(said.values()):
        raise ValidationError("A rejection needs a reason.", code="reason_required")
    with transaction.atomic():
        known = StagedDecision.objects.select_for_update().filter(nomination__in=can)
        busy = {row.nomination_id for row in known if row.is_under_way}
        free = [row for row in can if row.pk not in busy]
        StagedDecision.objects.filter(nomination__in=free).delete()
        rows = [
            StagedDecision(
                nomination=row, decision=decision, reason=said[row.pk] if decision == Decision.REJECT else "", by=by
            )
            # In one order, so that two who stage the same do not lock crosswise.
            for row in sorted(free, key=lambda row: row.pk)
        ]
        # A colleague's who stages the same at this moment stays.
        StagedDecision.objects.bulk_create(rows, ignore_conflicts=True)
    if chosen and not free:
        raise already_applied("A worker is deciding it already.") if busy else already_decided(chosen[0])
    return len(free)


def unstage_decisions(rows: StagedDecisionQuerySet) -> int:
    """Take those off the stage that no worker is about to take: how many."""
    with transaction.atomic():
        free = [row.pk for row in rows.select_for_update(of=("self",)) if not row.is_under_way]
        return StagedDecision.objects.filter(pk__in=free).delete()[0]


def already_applied(message: str) -> ValidationError:
    """The refusal of a second click, and of a colleague's."""
    return ValidationError(message, code="already_applied")


def fingerprint(rows: Iterable[StagedDecision]) -> str:
    """Of what a preview showed, so that nothing else is applied."""
    parts = sorted((row.pk, row.decision, row.reason, row.nomination.state) for row in rows)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def apply_staged(ids: Collection[int], *, by: User, shown: str) -> tuple[datetime, int]:
    """Hand those over to a worker that can still be decided: when, and how many. `shown` is their fingerprint.

    Raises ValidationError: `already_applied`, or because they are no longer what was shown.
    """
    with transaction.atomic():
        rows = StagedDecision.objects.staged().filter(pk__in=ids).order_by("pk")
        can = [row for row in rows.select_for_update(of=("self",)).complete() if row.has_effect]
        if not can:
            raise already_applied("Nothing is left of what you looked at: it was applied, changed or removed.")
        if fingerprint(can) != shown:
            raise ValidationError("The stage has changed since you looked. This is how it is now: look again.")
        now = timezone.now()
        # Whoever applies has a moment of their own, by which the page finds these again.
        StagedDecision.objects.filter(pk__in=[row.pk for row in can]).update(applied_at=now, applied_by=by)
    return now, len(can)


def decide_staged(*, seconds: float = TURN_SECONDS) -> bool:
    """Decide what was applied, one transaction each: whether something is left for another turn."""
    ends_at, last = time.monotonic() + seconds, 0
    while time.monotonic() < ends_at:
        done = _decide_next(last)
        if done is None:
            return False
        last = done
    return StagedDecision.objects.under_way().exists()


def _decide_next(last: int) -> int | None:
    """The key of the one that was decided, or could not be; None when there is none behind `last`."""
    with transaction.atomic():
        # The seasons first, as everywhere: staff who decide singly meanwhile lock in the same order.
        lock_seasons()
        rows = StagedDecision.objects.under_way().filter(pk__gt=last).order_by("pk")
        row = rows.select_for_update(of=("self",)).complete().select_related("applied_by").first()
        if row is None:
            return None
        try:
            with transaction.atomic():
                _decide(row)
        except ValidationError as error:
            row.error = " ".join(error.messages)[:500]
        except (IntegrityError, DataError) as error:
            # One that the database will not take must not keep the others waiting.
            row.error = f"The database refused it ({type(error).__name__})."
        if row.error:
            row.save(update_fields=["error"])
            return row.pk
        key = row.pk
        row.delete()
    return key


def _decide(row: StagedDecision) -> None:
    by = row.applied_by or row.by
    if row.decision == Decision.APPROVE:
        approve_nomination(row.nomination, by=by)
    else:
        reject_nomination(row.nomination, by=by, reason=row.reason)


def preview_stage(rows: Iterable[StagedDecision]) -> StagePreview:
    """What applying these would do, in a constant number of queries; two more for each name that is taken."""
    everything = list(rows)
    can = [row for row in everything if row.has_effect]
    approvals = [row for row in can if row.decision == Decision.APPROVE]
    raised = {row.nomination.nominee for row in approvals}
    return StagePreview(
        can=can,
        cannot=[row for row in everything if not row.has_effect],
        going_live=sum(nominee.state != Nominee.State.LIVE for nominee in raised),
        going_down=len(_left_alone(can) - {nominee.pk for nominee in raised}),
        touched=selectors.touched(can),
        addresses=_numbered(approvals),
    )


def _left_alone(can: list[StagedDecision]) -> set[UUID]:
    """The live nominees whose every approved nomination would be rejected."""
    rejected = [row.nomination for row in can if row.decision == Decision.REJECT]
    falling = {row.nominee_id for row in rejected if row.nominee.state == Nominee.State.LIVE}
    standing = Nomination.objects.approved().filter(nominee__in=falling).exclude(pk__in=[row.pk for row in rejected])
    return falling - set(standing.values_list("nominee", flat=True))


def _numbered(approvals: list[StagedDecision]) -> list[tuple[StagedDecision, str]]:
    """Those that would not get the plain form of their name, in the order in which they are decided."""
    first = {row.nomination.nominee_id: row for row in sorted(approvals, key=lambda row: row.pk, reverse=True)}
    new = sorted((row for row in first.values() if not row.nomination.nominee.slug), key=lambda row: row.pk)
    bases = {row.pk: contacts.slug_of(row.nomination.nominee.name) for row in new}
    taken = set(Nominee.objects.filter(slug__in=bases.values()).values_list("slug", flat=True))
    numbered = []
    for row in new:
        base = slug = bases[row.pk]
        if base in taken:
            taken |= set(Nominee.objects.filter(slug__startswith=f"{base}-").values_list("slug", flat=True))
            slug = next(free for number in range(2, len(taken) + 3) if (free := f"{base}-{number}") not in taken)
            numbered.append((row, slug))
        taken.add(slug)
    return numbered
