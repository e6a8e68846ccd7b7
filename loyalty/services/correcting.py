"""How staff correct points: adjustments and reversals."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Sum

from crm.models import User
from loyalty.models import LoyaltyCard, PointsLot, PointsTransaction, rules
from loyalty.selectors.accounts import Account, account_of
from loyalty.selectors.words import money, points_in_words
from loyalty.services.earning import check_enrolled, check_limits, check_positive
from loyalty.services.ledger import (
    Booking,
    Instruction,
    Operation,
    add_points,
    find_repeat,
    give_back,
    lock_account,
    once,
    settle_and_book,
    take_back,
    take_points,
)
from loyalty.services.redeeming import check_available

# What staff need, who then adjust in any business.
ADJUST = "loyalty.adjust_points"


@dataclass(frozen=True)
class Reversal:
    """What a reversal takes back or gives back: `points_left` is what could be reversed after it."""

    points: int
    points_left: int
    gives: bool
    amount: Decimal | None = None


def adjust_points(card: LoyaltyCard, instruction: Instruction, *, points: int, reason: str) -> Booking:
    """Add or take points by hand. Added ones count as earned and may expire.

    Raises ValidationError: `reason_required`, `not_enrolled`, `limit_exceeded`, `insufficient_points`,
    `idempotency_key_reused`, or naming `points` for 0.
    """
    reason = check_reason(reason)
    if not points:
        raise ValidationError({"points": ["Give points to add or to take away."]})

    def effect() -> Booking:
        account = lock_account(card)
        row = find_repeat(account, Operation.ADJUST, instruction)
        if row is not None:
            return Booking(row, is_replay=True)
        check_enrolled(account)
        settle_and_book(account)
        if points < 0:
            check_available(account, -points)
            return Booking(take_points(account, Operation.ADJUST, -points, instruction, reason=reason))
        check_limits(account, points)
        days = account.program.expiry_days
        return Booking(add_points(account, Operation.ADJUST, points, instruction, expiry_days=days, reason=reason))

    return once(effect)


def asks_first(card: LoyaltyCard, *, points: int, by: User) -> bool:
    """Whether the customer decides: a business takes points away, and its program wants that. Staff do not ask."""
    return points < 0 and card.enrollment.program.deduction_needs_approval and not by.acts_for_all(ADJUST)


def reverse_transaction(
    original: PointsTransaction,
    instruction: Instruction,
    *,
    reason: str,
    points: int | None = None,
    amount: Decimal | None = None,
) -> Booking:
    """Take back what was earned, or give back what was spent: `points`, or the part of the order that `amount` is,
    or the rest.

    Parts of an order round so that they add up to the whole. Earned points that were spent since are owed. Raises
    ValidationError: `reason_required`, `already_reversed` when nothing is left, `limit_exceeded` for more than is
    left, `idempotency_key_reused`, or naming `amount`.
    """
    reason = check_reason(reason)

    def effect() -> Booking:
        account = lock_account(original.card)
        row = find_repeat(account, Operation.REVERSE, instruction)
        if row is not None:
            return Booking(row, is_replay=True)
        settle_and_book(account)
        reversal = _reversal(account, original, points, amount)
        details: dict[str, Any] = {"reason": reason, "amount": amount}
        if reversal.gives:
            return Booking(give_back(account, original, reversal.points, instruction, **details))
        return Booking(take_back(account, original, reversal.points, instruction, **details))

    return once(effect)


def preview_reversal(
    original: PointsTransaction, *, points: int | None = None, amount: Decimal | None = None
) -> Reversal:
    """What a reversal would move; moves nothing. Raises ValidationError as `reverse_transaction`."""
    return _reversal(account_of(original.card), original, points, amount)


def check_reason(reason: str) -> str:
    """Raises ValidationError `reason_required`."""
    if not reason.strip():
        raise ValidationError("Say why.", code="reason_required")
    return reason.strip()


def _reversal(account: Account, original: PointsTransaction, points: int | None, amount: Decimal | None) -> Reversal:
    gives = original.points_delta < 0
    left = _left(account, original)
    if not left:
        raise ValidationError("Nothing of it is left to reverse.", code="already_reversed")
    wanted = left if points is None else check_positive(points)
    if amount is not None:
        wanted = _points_for(original, amount)
    if wanted > left:
        raise ValidationError(f"Only {points_in_words(left)} can still be reversed.", code="limit_exceeded")
    return Reversal(wanted, left - wanted, gives, amount)


def _left(account: Account, original: PointsTransaction) -> int:
    """What has not been reversed yet. What expired is gone, and a reversal is not reversed."""
    if original.operation_type in (Operation.EXPIRE, Operation.REVERSE):
        return 0
    # A lot that other points refilled may lose more by expiry than was left of the original.
    return max(original.points_amount - _reversed_points(original) - _expired_points(account, original), 0)


def _expired_points(account: Account, original: PointsTransaction) -> int:
    """Of the lot that the row made, if it made one."""
    if original.points_delta < 0:
        return 0
    lot, expired = PointsLot.objects.values_list("id", "expired").get(transaction=original)
    return account.lots[lot].expired if lot in account.lots else expired


def _reversed_points(original: PointsTransaction) -> int:
    return original.reversals.aggregate(sum=Sum("points_amount"))["sum"] or 0


def _points_for(original: PointsTransaction, amount: Decimal) -> int:
    """The points for a part of the original order, rounded over all parts so far."""
    total = original.operation_details.get("order_total")
    if total is None:
        raise ValidationError({"amount": ["The original has no order total: give points."]})
    parts = [
        (row.points_amount, Decimal(row.operation_details["amount"]))
        for row in original.reversals.all()
        if row.operation_details["amount"] is not None
    ]
    before, order = sum((part for _points, part in parts), Decimal(0)), Decimal(total)
    if before + amount > order:
        currency = original.card.enrollment.program.business.currency
        message = f"Only {money(order - before, currency)} of {money(order, currency)} can still be reversed."
        raise ValidationError(message, code="limit_exceeded")
    upto = rules.points_for_part(original.points_amount, order, before + amount)
    return max(upto - sum(points for points, _part in parts), 0)
