"""How points are earned."""

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Sum

from loyalty.models import LoyaltyCard, PointsTransaction, Program, rules
from loyalty.selectors.accounts import Account, account_of, settle
from loyalty.selectors.words import explain_earning
from loyalty.services.ledger import (
    Instruction,
    Operation,
    add_points,
    conflict,
    find_repeat,
    lock_account,
    once,
    settle_and_book,
    snapshot,
)


@dataclass(frozen=True)
class Earning:
    """What an order earns, or has earned. Without a transaction nothing was booked."""

    points: int
    points_balance: int
    tier_level: str
    explanation: str
    transaction: PointsTransaction | None = None
    is_replay: bool = False


def earn_points(
    card: LoyaltyCard, instruction: Instruction, *, order_total: Decimal | None = None, points: int | None = None
) -> Earning:
    """Book what an order earns by the program's rule, or the points that staff award.

    Below the minimum order nothing is booked. The same key or reference again gives the first result.
    Raises ValidationError: `program_inactive`, `not_enrolled`, `limit_exceeded`, `reference_conflict`,
    `idempotency_key_reused`, or naming `order_total`.
    """

    def effect() -> Earning:
        account = lock_account(card)
        row = find_repeat(account, Operation.EARN, instruction)
        if row is not None:
            return _repeated(account, row, instruction, order_total, points)
        check_open(account)
        rule = snapshot(account.program, account.tier)
        earned = _earned(rule, order_total, points)
        if not earned:
            settle(account)
            return _preview(account, rule, order_total, 0)
        check_limits(account, earned)
        settle_and_book(account)
        row = add_points(
            account,
            Operation.EARN,
            earned,
            instruction,
            expiry_days=account.program.expiry_days,
            rule=rule,
            order_total=order_total,
            currency=account.currency,
        )
        return earning_of(row)

    return once(effect)


def preview_earning(card: LoyaltyCard, *, order_total: Decimal | None = None, points: int | None = None) -> Earning:
    """What an order would earn now; moves nothing. Raises ValidationError as `earn_points`."""
    account = account_of(card)
    check_open(account)
    rule = snapshot(account.program, account.tier)
    earned = _earned(rule, order_total, points)
    check_limits(account, earned)
    return _preview(account, rule, order_total, earned)


def earning_of(row: PointsTransaction, *, is_replay: bool = False) -> Earning:
    """The answer that a row stands for, now and in years."""
    details = row.operation_details
    total = Decimal(details["order_total"]) if details["order_total"] is not None else None
    text = explain_earning(row.points_amount, total, details["rule"], details["currency"])
    return Earning(row.points_amount, row.balance_after, details["tier_level"], text, row, is_replay)


def check_positive(points: int) -> int:
    """Raises ValidationError naming `points`."""
    if points < 1:
        raise ValidationError({"points": ["Give at least 1 point."]})
    return points


def check_open(account: Account) -> None:
    """Raises ValidationError `program_inactive` or `not_enrolled`."""
    if not account.program.is_active:
        raise ValidationError(f"{account.program} is switched off.", code="program_inactive")
    check_enrolled(account)


def check_enrolled(account: Account) -> None:
    """Raises ValidationError `not_enrolled`."""
    if not account.is_enrolled:
        raise ValidationError("This customer is not enrolled at the moment.", code="not_enrolled")


def check_limits(account: Account, points: int) -> None:
    """What one booking and one UTC day may add to a card. Raises ValidationError `limit_exceeded`."""
    program = account.program
    at_once = rules.MOST_POINTS if program.max_points_per_transaction is None else program.max_points_per_transaction
    if points > at_once:
        raise ValidationError(f"At most {at_once:,} points at once.", code="limit_exceeded")
    if program.max_points_per_day is None or not points:
        return
    left = program.max_points_per_day - _added_today(account)
    if points > left:
        message = f"At most {program.max_points_per_day:,} points a day for one card; {max(left, 0):,} are left today."
        raise ValidationError(message, code="limit_exceeded")


def _added_today(account: Account) -> int:
    midnight = account.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = PointsTransaction.objects.filter(
        card=account.card,
        created_at__gte=midnight,
        operation_type__in=[Operation.EARN, Operation.ADJUST],
        points_delta__gt=0,
    )
    return rows.aggregate(sum=Sum("points_delta"))["sum"] or 0


def _earned(rule: dict[str, Any], order_total: Decimal | None, points: int | None) -> int:
    if points is not None:
        return check_positive(points)
    if order_total is None and rule["earn_rule"] != Program.EarnRule.PER_VISIT:
        raise ValidationError({"order_total": ["Give the order total, or points."]})
    return rules.points_for_order(
        rule["earn_rule"],
        order_total,
        points_per_unit=Decimal(rule["points_per_unit"]),
        min_order=Decimal(rule["min_order"]),
        multiplier=Decimal(rule["multiplier"]),
    )


def _preview(account: Account, rule: dict[str, Any], order_total: Decimal | None, earned: int) -> Earning:
    """The answer where nothing is booked."""
    card = account.card
    paid = min(card.points_owed, earned)
    level = rules.tier_for(card.total_points_earned + earned, account.program.ladder).level
    text = explain_earning(earned, order_total, rule, account.currency)
    return Earning(earned, card.points_balance + earned - paid, level, text)


def _repeated(
    account: Account, row: PointsTransaction, instruction: Instruction, order_total: Decimal | None, points: int | None
) -> Earning:
    """The first answer again, if this is the same order: judged by the rule of its day."""
    is_same_key = instruction.key is not None and row.idempotency_key == instruction.key
    if not is_same_key:
        wanted = _earned(row.operation_details["rule"], order_total, points)
        if row.card_id != account.card.pk or row.points_amount != wanted:
            raise conflict(instruction)
    return earning_of(row, is_replay=True)
