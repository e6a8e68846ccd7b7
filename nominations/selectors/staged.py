"""The stage: what is prepared, how far it is applied, and whom outside it would touch."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q

from crm.models import User
from nominations.models import Nomination, StagedDecision
from nominations.models.staged import StagedDecisionQuerySet

State = Nomination.State
Decision = StagedDecision.Decision
WAITS = Q(applied_at=None)
# What `StagedDecision.has_effect` says, for the database.
APPROVES = Q(decision=Decision.APPROVE, nomination__state__in=[State.SUBMITTED, State.REJECTED])
REJECTS = Q(decision=Decision.REJECT, nomination__state__in=[State.SUBMITTED, State.APPROVED])
APPLICABLE = WAITS & (APPROVES | REJECTS)
STAGE_PARTS = {
    "approve": WAITS & APPROVES,
    "reject": WAITS & REJECTS,
    "no_effect": WAITS & ~(APPROVES | REJECTS),
    "under_way": Q(applied_at__isnull=False, error=""),
    "refused": ~Q(error=""),
}
"""Each staged decision is in one of these."""


@dataclass(frozen=True)
class Stage:
    """How much is on it: waiting to be applied, decided meanwhile, in a worker's hands, refused."""

    approve: int
    reject: int
    no_effect: int
    under_way: int
    refused: int
    since: datetime | None

    @property
    def waiting(self) -> int:
        """What would be applied."""
        return self.approve + self.reject


@dataclass(frozen=True)
class Touched:
    """Contacts outside, each counted once, by the strongest reason for which it is told."""

    nominees: int
    nominators: int
    others: int

    @property
    def all(self) -> int:
        """Distinct addresses."""
        return self.nominees + self.nominators + self.others


def stage() -> Stage:
    """The stage as it is, in one query."""
    counts = {name: Count("id", filter=part) for name, part in STAGE_PARTS.items()}
    return Stage(**StagedDecision.objects.aggregate(**counts, since=Min("created_at", filter=APPLICABLE)))


def stagers() -> list[tuple[str, int]]:
    """Who has prepared how much of what waits, most first."""
    rows = StagedDecision.objects.filter(APPLICABLE).order_by().values_list("by__email").annotate(n=Count("id"))
    return [(email or "", count) for email, count in rows.order_by("-n", "by__email")]


def applied(by: User, since: datetime) -> StagedDecisionQuerySet:
    """What is left of those that somebody has applied since then: under way, or refused."""
    return StagedDecision.objects.complete().filter(applied_by=by, applied_at__gte=since)


def told_of(nomination: Nomination, to_state: str) -> set[str]:
    """The addresses for which this move is news: the nominator's, and the nominee's who is or was approved by it."""
    emails = {nomination.nominator.email or ""}
    if State.APPROVED in (nomination.state, to_state):
        emails.add(nomination.nominee.email)
    return emails - {""}


def touched(rows: Iterable[StagedDecision]) -> Touched:
    """Whom outside these decisions would touch. Nominations with their people must be at hand."""
    nominees, nominators, others = set[str](), set[str](), set[str]()
    for row in rows:
        if row.decision == Decision.APPROVE:
            emails = told_of(row.nomination, State.APPROVED)
            nominees |= emails & {row.nomination.nominee.email}
            nominators |= emails
        else:
            others |= told_of(row.nomination, State.REJECTED)
    return Touched(len(nominees), len(nominators - nominees), len(others - nominators - nominees))
