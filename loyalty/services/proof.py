"""The proof of the ledger: every card's sums computed again from its rows."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from crm.models import User
from loyalty.models import LedgerProof, LoyaltyCard, PointsHold, PointsLot, PointsTransaction, rules
from loyalty.services.ledger import Operation

# A till waits no longer than this many cards take.
BATCH = 100
GIVEN_UP_AFTER = timedelta(minutes=5)
EARNING = (Operation.EARN, Operation.ADJUST, Operation.WELCOME)


@dataclass
class Books:
    """What belongs to one card, and what its rows add up to."""

    card: LoyaltyCard
    rows: list[PointsTransaction] = field(default_factory=list)
    lots: list[PointsLot] = field(default_factory=list)
    holds: list[PointsHold] = field(default_factory=list)


@dataclass
class Replay:
    """A card played again from nothing."""

    seq: int = 0
    net: int = 0
    balance: int = 0
    earned: int = 0
    redeemed: int = 0
    lots: dict[int, int] = field(default_factory=dict)
    made: dict[int, tuple[int, datetime | None]] = field(default_factory=dict)
    expired: dict[int, int] = field(default_factory=lambda: defaultdict(int))


def verify_ledger(seen: Callable[[int], object] = lambda count: None) -> tuple[LoyaltyCard, str] | None:
    """Recompute every card: the first that differs, with what differs, or None. Tells `seen` how many are done."""
    count = 0
    for batch in _batches():
        # One snapshot a batch, so that what moves meanwhile is either seen whole or not at all.
        with transaction.atomic():
            rows = LoyaltyCard.objects.select_for_update(no_key=True).filter(pk__in=batch)
            # Read after the lock: joined to it, the tiers would be as old as the wait for it.
            cards = list(rows.prefetch_related("enrollment__program").order_by("pk"))
            for books in _books(cards):
                problem = problem_of(books)
                if problem:
                    return books.card, problem
        count += len(cards)
        seen(count)
    return None


def _batches() -> Iterator[list[UUID]]:
    last = None
    while True:
        rows = LoyaltyCard.objects.filter(Q(pk__gt=last) if last else Q()).order_by("pk").values_list("pk", flat=True)
        batch = list(rows[:BATCH])
        if not batch:
            return
        yield batch
        last = batch[-1]


def _books(cards: list[LoyaltyCard]) -> list[Books]:
    books = {card.pk: Books(card) for card in cards}
    for row in PointsTransaction.objects.filter(card__in=books).select_related("reverses").order_by("card", "seq"):
        books[row.card_id].rows.append(row)
    for lot in PointsLot.objects.filter(card__in=books).order_by("id"):
        books[lot.card_id].lots.append(lot)
    for hold in PointsHold.objects.open().filter(card__in=books):
        books[hold.card_id].holds.append(hold)
    return list(books.values())


def problem_of(books: Books) -> str:
    """What differs between a card and its rows, or nothing."""
    replay = Replay()
    lot_of = {lot.transaction_id: lot.pk for lot in books.lots}
    for row in books.rows:
        problem = _play(replay, row, lot_of.get(row.pk), books.card)
        if problem:
            return f"Row {row.seq}: {problem}."
    return _compare(books, replay)


def _play(replay: Replay, row: PointsTransaction, lot: int | None, card: LoyaltyCard) -> str:
    replay.seq += 1
    replay.net += row.points_delta
    if row.seq != replay.seq:
        return f"expected number {replay.seq}"
    if row.business_id != card.enrollment.program.business_id:
        return "it belongs to another business"
    _count(replay, row)
    problem = _move(replay, row, lot)
    if problem:
        return problem
    owed = replay.balance - replay.net
    if (row.balance_after, row.owed_after) != (replay.balance, owed):
        is_, should = f"{row.balance_after} less {row.owed_after} owed", f"{replay.balance} less {owed}"
        return f"balance {is_}, but the rows add up to {should}"
    return ""


def _move(replay: Replay, row: PointsTransaction, lot: int | None) -> str:
    details = row.operation_details
    if lot is not None:
        days = details["rule"]["expiry_days"]
        replay.made[lot] = row.points_delta, None if days is None else row.created_at + timedelta(days=days)
        replay.lots[lot] = row.points_delta - details["owed_paid"]
        replay.balance += replay.lots[lot]
    sign = 1 if row.points_delta > 0 else -1
    for taken, points in details["lots"]:
        if taken not in replay.lots:
            return f"lot {taken} is not of this card"
        replay.lots[taken] += sign * points
        replay.balance += sign * points
        if row.operation_type == Operation.EXPIRE:
            replay.expired[taken] += points
    return ""


def _count(replay: Replay, row: PointsTransaction) -> None:
    """Lifetime sums: reversals count against what they reverse."""
    if row.operation_type in EARNING:
        replay.earned += max(row.points_delta, 0)
    elif row.operation_type == Operation.REDEEM:
        replay.redeemed += row.points_amount
    elif row.reverses is not None:
        if row.reverses.points_delta > 0:
            replay.earned -= row.points_amount
        elif row.reverses.operation_type == Operation.REDEEM:
            replay.redeemed -= row.points_amount


def _compare(books: Books, replay: Replay) -> str:
    card = books.card
    held: Counter[int] = Counter()
    for hold in books.holds:
        held.update(dict(hold.takings))
    wanted = {
        "last row": (card.last_seq, replay.seq),
        "balance less owed": (card.points_balance - card.points_owed, replay.net),
        "balance in its lots": (card.points_balance, replay.balance),
        "held points": (card.points_held, sum(hold.points for hold in books.holds)),
        "earned points": (card.total_points_earned, replay.earned),
        "redeemed points": (card.total_points_redeemed, replay.redeemed),
        "lots": (sorted(lot.pk for lot in books.lots), sorted(replay.lots)),
        **{f"lot {lot.pk}": (lot.remaining, replay.lots.get(lot.pk)) for lot in books.lots},
        **{f"held of lot {lot.pk}": (lot.held, held[lot.pk]) for lot in books.lots},
        **{f"expired of lot {lot.pk}": (lot.expired, replay.expired[lot.pk]) for lot in books.lots},
        **{f"making of lot {lot.pk}": ((lot.points, lot.expires_at), replay.made.get(lot.pk)) for lot in books.lots},
        "tier": (card.tier_level, rules.tier_for(card.total_points_earned, card.enrollment.program.ladder).level),
    }
    for what, (is_, should) in wanted.items():
        if is_ != should:
            return f"{what.capitalize()}: {is_}, but the rows say {should}."
    return ""


def start_proof(*, by: User | None) -> LedgerProof:
    """A proof that waits for a worker; one that is under way already is returned instead."""
    with transaction.atomic():
        stale = timezone.now() - GIVEN_UP_AFTER
        running = LedgerProof.objects.filter(state__in=["waiting", "running"], heard_at__gte=stale).first()
        return running or LedgerProof.objects.create(by=by, cards_total=LoyaltyCard.objects.count())


def run_proof(proof: LedgerProof) -> LedgerProof:
    """Recompute every card and note the result. A proof that has ended is left alone."""
    if proof.finished_at is not None:
        return proof
    LedgerProof.objects.filter(pk=proof.pk).update(state=LedgerProof.State.RUNNING, heard_at=timezone.now())

    def seen(count: int) -> None:
        LedgerProof.objects.filter(pk=proof.pk).update(cards_checked=count, heard_at=timezone.now())

    found = verify_ledger(seen)
    proof.refresh_from_db()
    proof.state = LedgerProof.State.BROKEN if found else LedgerProof.State.PROVEN
    if found:
        proof.card, proof.problem = found[0], found[1][:500]
    proof.heard_at = proof.finished_at = timezone.now()
    proof.save()
    return proof
