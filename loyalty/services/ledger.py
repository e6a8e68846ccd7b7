"""The one door through which points move: the card's lock, the repeat, the row, the sums."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from crm.models import User
from loyalty.models import LoyaltyCard, PointsHold, PointsLot, PointsTransaction, Program, rules
from loyalty.selectors.accounts import Account, read_account, read_lots, settle
from loyalty.services import statements, telling

Operation = PointsTransaction.Operation
T = TypeVar("T")


@dataclass(frozen=True)
class Instruction:
    """Who asks for a movement, and by what it is known again.

    `key` is unique in the business for ever, and `fingerprint` tells whether it comes with the same wish;
    `reference` is the caller's own number of the order, unique in the business for each operation.
    """

    by: User | None = None
    key: str | None = None
    fingerprint: str = ""
    reference: str | None = None


@dataclass(frozen=True)
class Booking:
    """A movement of points, and whether it had been made before."""

    transaction: PointsTransaction
    is_replay: bool = False


def once(effect: Callable[[], T]) -> T:
    """Do the effect in one transaction; if a twin on another card was faster, look again and find it."""
    try:
        with transaction.atomic():
            return effect()
    except IntegrityError:
        with transaction.atomic():
            return effect()


def lock_account(card: LoyaltyCard) -> Account:
    """The card and what belongs to it, under the card's lock. Call it first in a transaction."""
    locked = statements.lock_card(card.pk)
    # Read after the lock: joined to it, the rules would be as old as the wait for it.
    return read_account(locked, *statements.read_program(locked.enrollment_id))


def find_repeat(account: Account, operation: str, instruction: Instruction) -> PointsTransaction | None:
    """The row that this request has made before, by its key or by its reference.

    Raises ValidationError `idempotency_key_reused` for a key that came with another wish.
    """
    business = account.program.business_id
    if instruction.key is not None:
        row = statements.find_key(business, instruction.key)
        if row is not None:
            if row.fingerprint != instruction.fingerprint:
                message = "This key was used for something else before."
                raise ValidationError(message, code="idempotency_key_reused")
            return row
    if instruction.reference is None:
        return None
    rows = PointsTransaction.objects.filter(operation_type=operation, transaction_reference=instruction.reference)
    return rows.filter(business=business).first()


def conflict(instruction: Instruction) -> ValidationError:
    """The refusal of a reference that stands for another movement."""
    message = f"The reference {instruction.reference} was used for another card or other points."
    return ValidationError(message, code="reference_conflict")


def settle_and_book(account: Account) -> None:
    """Book what time has done: lapsed holds, expired points. No query where it has done nothing."""
    settlement = settle(account)
    for hold in settlement.lapsed:
        close_hold(account, hold, PointsHold.Status.EXPIRED)
    if settlement.expired:
        write(account, Operation.EXPIRE, -rules.total(settlement.expired), Instruction(), takings=settlement.expired)
        return
    if settlement.lapsed:
        save_card(account)


def close_hold(account: Account, hold: PointsHold, status: str, row: PointsTransaction | None = None) -> None:
    """Note how the hold ended; its points are let go already."""
    hold.status, hold.closed_at, hold.transaction = status, account.now, row
    hold.save(update_fields=["status", "closed_at", "transaction"])
    save_lots(account, hold.takings)


def add_points(
    account: Account, operation: str, points: int, instruction: Instruction, *, expiry_days: int | None, **details: Any
) -> PointsTransaction:
    """Points that are new: they pay what is owed first, the rest is a lot. They count as earned."""
    card = account.card
    paid = _pay_owed(card, points)
    card.points_balance += points - paid
    card.total_points_earned += points
    row = write(account, operation, points, instruction, owed_paid=paid, **details)
    lot = PointsLot.objects.create(
        card=card,
        transaction=row,
        points=points,
        remaining=points - paid,
        expires_at=account.now + timedelta(days=expiry_days) if expiry_days is not None else None,
    )
    account.lots[lot.pk] = rules.Lot(lot.pk, lot.remaining, 0, 0, lot.expires_at)
    return row


def take_points(
    account: Account, operation: str, points: int, instruction: Instruction, **details: Any
) -> PointsTransaction:
    """Points that are spent, from the lots in spending order. The caller has checked that so many are available."""
    takings = rules.pick(points, account.lots.values())
    take_from_lots(account, takings)
    return write(account, operation, -points, instruction, takings=takings, **details)


def give_back(
    account: Account, original: PointsTransaction, points: int, instruction: Instruction, **details: Any
) -> PointsTransaction:
    """Spent points return: what is owed is paid first, the rest refills the lots, last taken from first."""
    card = account.card
    paid = _pay_owed(card, points)
    takings = [(lot, taken) for lot, taken in original.operation_details["lots"]]
    refilled = sum(rules.total(row.operation_details["lots"]) for row in original.reversals.all())
    refills = rules.given_back(takings, refilled, points - paid)
    missing = [lot for lot, _points in refills if lot not in account.lots]
    account.lots |= read_lots(PointsLot.objects.filter(pk__in=missing)) if missing else {}
    for lot, refill in refills:
        account.lots[lot].remaining += refill
    card.points_balance += points - paid
    if original.operation_type == Operation.REDEEM:
        card.total_points_redeemed -= points
    row = write(
        account, Operation.REVERSE, points, instruction, takings=refills, reverses=original, owed_paid=paid, **details
    )
    # What returned to a lot whose time is over is gone again at once.
    settle_and_book(account)
    return row


def take_back(
    account: Account, original: PointsTransaction, points: int, instruction: Instruction, **details: Any
) -> PointsTransaction:
    """Earned points are taken back: from their own lot, then the others, never held ones; what is spent is owed."""
    card = account.card
    own = original.lot.pk
    lots = sorted(account.lots.values(), key=lambda lot: lot.id != own)
    takings = rules.pick(points, lots)
    take_from_lots(account, takings)
    card.points_owed += points - rules.total(takings)
    card.total_points_earned -= points
    return write(account, Operation.REVERSE, -points, instruction, takings=takings, reverses=original, **details)


def take_from_lots(account: Account, takings: rules.Takings) -> None:
    """The points leave their lots and the balance, in memory."""
    for lot, points in takings:
        account.lots[lot].remaining -= points
    account.card.points_balance -= rules.total(takings)


def _pay_owed(card: LoyaltyCard, points: int) -> int:
    paid = min(card.points_owed, points)
    card.points_owed -= paid
    return paid


def write(
    account: Account,
    operation: str,
    delta: int,
    instruction: Instruction,
    *,
    takings: rules.Takings | None = None,
    reverses: PointsTransaction | None = None,
    **details: Any,
) -> PointsTransaction:
    """Append the row, and save the sums and lots that the caller has moved in memory, all in this transaction."""
    card = account.card
    card.last_seq += 1
    if operation != Operation.EXPIRE:
        card.last_activity_at = account.now
    card.tier_level = account.tier.level
    row = PointsTransaction(
        business_id=account.program.business_id,
        card=card,
        seq=card.last_seq,
        operation_type=operation,
        points_delta=delta,
        points_amount=abs(delta),
        balance_after=card.points_balance,
        owed_after=card.points_owed,
        transaction_reference=instruction.reference,
        operation_details={
            "rule": snapshot(account.program, account.tier),
            **details,
            "tier_level": card.tier_level,
            "lots": takings or [],
        },
        staff_member=instruction.by,
        reverses=reverses,
        idempotency_key=instruction.key,
        fingerprint=instruction.fingerprint,
        created_at=account.now,
    )
    statements.insert_row(row)
    save_lots(account, takings or [])
    save_card(account)
    telling.tell_moved(account, row)
    return row


def save_card(account: Account) -> None:
    """The card's sums as they are in memory; whoever looks at them learns of it."""
    statements.update_card(account.card)
    telling.note_card(account)


def snapshot(program: Program, tier: rules.Tier) -> dict[str, Any]:
    """The program's rules of this moment, with the multiplier of the card's tier."""
    return {
        "earn_rule": program.earn_rule,
        "points_per_unit": str(program.points_per_unit),
        "multiplier": str(tier.multiplier),
        "min_order": str(program.min_order),
        "expiry_days": program.expiry_days,
        "redemption_minimum": program.redemption_minimum,
        "redemption_increment": program.redemption_increment,
        "point_value": str(program.point_value),
        "max_redeem_percent": program.max_redeem_percent,
    }


def save_lots(account: Account, takings: rules.Takings) -> None:
    """The lots that the takings name, as they are in memory."""
    for lot, _points in takings:
        statements.update_lot(account.lots[lot])
