"""The proof of the decision log: every season's chain walked again from its first row."""

import hashlib
from dataclasses import dataclass

from django.db.models import F, OuterRef, Q, Subquery, Value, Window
from django.db.models.functions import Lag

from nominations.models import DecisionLog, Nomination, Season

Action, State = DecisionLog.Action, Nomination.State
BATCH = 2000
# The state table: from where an action may lead, and to where.
MOVES: dict[str, tuple[set[str], str]] = {
    Action.SUBMIT: ({""}, State.SUBMITTED),
    Action.APPROVE: ({State.SUBMITTED, State.REJECTED}, State.APPROVED),
    Action.REJECT: ({State.SUBMITTED, State.APPROVED}, State.REJECTED),
    Action.WITHDRAW: ({State.SUBMITTED, State.APPROVED}, State.WITHDRAWN),
    Action.MARK_DUPLICATE: ({State.SUBMITTED, State.APPROVED}, State.DUPLICATE),
    Action.REOPEN: ({State.APPROVED, State.REJECTED, State.WITHDRAWN, State.DUPLICATE}, State.SUBMITTED),
}


@dataclass(frozen=True)
class Chain:
    """A season's log: how many rows, and the hash of the last, which stands for all of them."""

    season: Season
    count: int
    head_hash: str


@dataclass(frozen=True)
class Break:
    """Where the log is first not what it must be. `seq` is 0 for a nomination without any row."""

    season: Season
    seq: int
    what: str

    def __str__(self) -> str:
        return f"{self.season}, decision {self.seq or 'missing'}: {self.what}"


@dataclass(frozen=True)
class LogProof:
    """The chains that were walked, and the first break; the season in which it is comes last."""

    chains: list[Chain]
    broken: Break | None = None

    @property
    def count(self) -> int:
        """Rows that were proven."""
        return sum(chain.count for chain in self.chains)


def verify_log() -> LogProof:
    """Walk every chain, oldest season first, then compare each nomination with its last row.

    Reads row by row, so that memory stays the same for any length. Each question is one statement: what is decided
    meanwhile is either seen whole or not at all.
    """
    chains = []
    for season in Season.objects.order_by("pk"):
        chain, broken = _walk(season)
        chains.append(chain)
        if broken is not None:
            return LogProof(chains, broken)
    return LogProof(chains, _stray())


def _walk(season: Season) -> tuple[Chain, Break | None]:
    before = Window(Lag("to_state", default=Value("")), partition_by="nomination", order_by="seq")
    rows = DecisionLog.objects.filter(season=season).annotate(state_before=before).order_by("seq")
    seq, head = 0, ""
    for row in rows.iterator(chunk_size=BATCH):
        problem = _problem_of(row, seq, head)
        if problem:
            return Chain(season, seq, head), Break(season, row.seq, problem)
        seq, head = row.seq, row.row_hash
    return Chain(season, seq, head), None


def _problem_of(row: DecisionLog, seq: int, head: str) -> str:
    """What is wrong with a row that follows this number and this hash; "" when nothing is."""
    if row.seq != seq + 1:
        return f"number {seq + 1} is missing" if row.seq > seq else f"number {row.seq} is there twice"
    if row.previous_hash != head:
        return "it does not hold the hash of the decision before it"
    if row.row_hash != row.computed_hash():
        return "its hash is not that of what it says"
    if row.reason and hashlib.sha256(row.reason.encode()).hexdigest() != row.reason_digest:
        return "its reason was changed"
    return _move_problem(row)


def _move_problem(row: DecisionLog) -> str:
    from_states, to_state = MOVES.get(row.action, (set(), ""))
    said = f"{row.action} from {row.from_state or 'nothing'} to {row.to_state}"
    if row.from_state not in from_states or row.to_state != to_state:
        return f"there is no such move: {said}"
    state_before = row.state_before  # type: ignore[attr-defined]
    if row.from_state != state_before:
        return f"{said}, but its nomination was {state_before or 'new'}"
    return ""


def _stray() -> Break | None:
    """The first nomination that is not in the state of its last row, or has none."""
    last = DecisionLog.objects.filter(nomination=OuterRef("pk")).order_by("-seq")
    rows = Nomination.objects.alias(logged=Subquery(last.values("to_state")[:1]))
    differs = Q(logged__isnull=True) | ~Q(logged=F("state"))
    stray = rows.filter(differs).select_related("season").order_by("season", "created_at", "pk").first()
    if stray is None:
        return None
    row = last_row_of(stray)
    if row is None:
        return Break(stray.season, 0, f"nomination {stray.pk} is {stray.state}, but nothing is logged of it")
    return Break(stray.season, row.seq, f"it made nomination {stray.pk} {row.to_state}, but that is {stray.state}")


def last_row_of(nomination: Nomination) -> DecisionLog | None:
    """The decision that made it what it is."""
    return nomination.decisions.order_by("-seq").first()


def chain_heads() -> list[Chain]:
    """Every season's length and head hash as they stand, without a proof; newest season first."""
    last = DecisionLog.objects.filter(season=OuterRef("pk")).order_by("-seq")
    rows = Season.objects.annotate(count=Subquery(last.values("seq")[:1]), head=Subquery(last.values("row_hash")[:1]))
    return [Chain(row, row.count or 0, row.head or "") for row in rows]
