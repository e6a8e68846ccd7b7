"""How points are spent, at once or by way of a hold."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.core.exceptions import ValidationError

from crm.models import User
from loyalty.models import LoyaltyCard, PointsHold, PointsTransaction, rules
from loyalty.selectors.accounts import Account, account_of, let_go
from loyalty.selectors.words import money, points_in_words
from loyalty.services.earning import check_enrolled, check_open, check_positive
from loyalty.services.ledger import (
    Booking,
    Instruction,
    Operation,
    close_hold,
    conflict,
    find_repeat,
    lock_account,
    once,
    save_card,
    save_lots,
    settle_and_book,
    take_from_lots,
    take_points,
    write,
)
from notifications.services import withdraw_request

HOLD_FOR = timedelta(minutes=15)
# What a customer is asked about a hold is known by this.
DEDUCTION_REQUEST = "points_deduction"


@dataclass(frozen=True)
class Redemption:
    """What a redemption does, or would do. Money is None where no order total was given."""

    points: int
    discount: Decimal
    order_total_after: Decimal | None
    points_balance: int
    points_balance_after: int
    transaction: PointsTransaction | None = None
    is_replay: bool = False


def redeem_points(
    card: LoyaltyCard, instruction: Instruction, *, points: int, order_total: Decimal | None = None, order_id: str = ""
) -> Redemption:
    """Take points off a card for a discount on an order, once for each key and each reference.

    Checked under the card's lock, in order. Raises ValidationError: `program_inactive`, `not_enrolled`,
    `below_minimum`, `not_a_multiple`, `insufficient_points`, `over_order_limit`; and `reference_conflict`,
    `idempotency_key_reused`.
    """

    def effect() -> Redemption:
        account = lock_account(card)
        row = find_repeat(account, Operation.REDEEM, instruction)
        if row is not None:
            is_same_key = instruction.key is not None and row.idempotency_key == instruction.key
            if not is_same_key and (row.card_id != card.pk or row.points_amount != points):
                raise conflict(instruction)
            return redemption_of(row, is_replay=True)
        settle_and_book(account)
        discount = check_redemption(account, points, order_total)
        account.card.total_points_redeemed += points
        row = take_points(
            account,
            Operation.REDEEM,
            points,
            instruction,
            discount=discount,
            order_total=order_total,
            order_id=order_id,
        )
        return redemption_of(row)

    return once(effect)


def preview_redemption(card: LoyaltyCard, *, points: int, order_total: Decimal | None = None) -> Redemption:
    """The same without moving anything. Raises ValidationError as `redeem_points`."""
    account = account_of(card)
    discount = check_redemption(account, points, order_total)
    after = None if order_total is None else order_total - discount
    balance = account.card.points_balance
    return Redemption(points, discount, after, balance, balance - points)


def redemption_of(row: PointsTransaction, *, is_replay: bool = False) -> Redemption:
    """The answer that a row stands for, now and in years."""
    details = row.operation_details
    discount, total = Decimal(details["discount"]), details["order_total"]
    after = None if total is None else Decimal(total) - discount
    return Redemption(row.points_amount, discount, after, row.balance_after, row.balance_after, row, is_replay)


def check_redemption(account: Account, points: int, order_total: Decimal | None = None) -> Decimal:
    """The discount for the points. Raises ValidationError at the first rule that is broken, with what is possible."""
    program = account.program
    check_open(account)
    minimum, step = max(program.redemption_minimum, 1), max(program.redemption_increment, 1)
    if points < minimum:
        raise ValidationError(f"At least {points_in_words(minimum)} at once.", code="below_minimum")
    if points % step:
        raise ValidationError(_neighbours(account, points, step), code="not_a_multiple")
    if points > account.available:
        message = (
            f"{points_in_words(account.available).capitalize()} available; {most_in_words(account, order_total)}."
        )
        raise ValidationError(message, code="insufficient_points")
    discount = rules.discount_for(points, program.point_value)
    if order_total is not None and discount > rules.discount_limit(order_total, program.max_redeem_percent):
        order = money(order_total, account.currency)
        raise ValidationError(
            f"{most_in_words(account, order_total).capitalize()} on a {order} order.", code="over_order_limit"
        )
    return discount


def most_redeemable(account: Account, order_total: Decimal | None = None) -> int:
    """The most that could be redeemed now, or 0."""
    program = account.program
    limit = None if order_total is None else rules.discount_limit(order_total, program.max_redeem_percent)
    return rules.most_redeemable(
        account.available,
        minimum=program.redemption_minimum,
        increment=program.redemption_increment,
        point_value=program.point_value,
        limit=limit,
    )


def most_in_words(account: Account, order_total: Decimal | None = None) -> str:
    """`at most 1,250`, or that nothing is possible."""
    most = most_redeemable(account, order_total)
    return f"at most {most:,}" if most else "nothing can be redeemed"


def _neighbours(account: Account, points: int, step: int) -> str:
    below = points // step * step
    candidates = [near for near in (below, below + step) if near >= max(account.program.redemption_minimum, 1)]
    return f"Points are redeemed in steps of {step:,}: {' or '.join(f'{near:,}' for near in candidates)}."


def hold_points(
    card: LoyaltyCard,
    *,
    points: int,
    by: User | None,
    purpose: str = PointsHold.Purpose.REDEMPTION,
    lasts: timedelta = HOLD_FOR,
    reason: str = "",
) -> PointsHold:
    """Set points aside: nobody else can spend them until the hold is captured, released or lapses.

    Raises ValidationError: `not_enrolled`, `insufficient_points`; for a redemption also `program_inactive`,
    `below_minimum` and `not_a_multiple`.
    """

    def effect() -> PointsHold:
        account = lock_account(card)
        settle_and_book(account)
        if purpose == PointsHold.Purpose.REDEMPTION:
            check_redemption(account, points)
        else:
            check_enrolled(account)
            check_available(account, check_positive(points))
        takings = _set_aside(account, points)
        save_lots(account, takings)
        save_card(account)
        return PointsHold.objects.create(
            card=account.card,
            purpose=purpose,
            points=points,
            takings=takings,
            reason=reason,
            by=by,
            created_at=account.now,
            expires_at=account.now + lasts,
        )

    return once(effect)


def check_available(account: Account, points: int) -> None:
    """Raises ValidationError `insufficient_points`."""
    if points > account.available:
        message = f"{points_in_words(account.available).capitalize()} available."
        raise ValidationError(message, code="insufficient_points")


def _set_aside(account: Account, points: int) -> rules.Takings:
    takings = rules.pick(points, account.lots.values())
    for lot, held in takings:
        account.lots[lot].held += held
    account.card.points_held += points
    return takings


def capture_hold(hold: PointsHold, instruction: Instruction, *, points: int | None = None) -> Booking:
    """Take what is held, or a part of it and release the rest.

    Raises ValidationError: `hold_closed`, `expired`, `limit_exceeded` for more than is held; `idempotency_key_reused`.
    """

    def effect() -> Booking:
        account = lock_account(hold.card)
        row = find_repeat(account, Operation.REDEEM, instruction)
        if row is not None:
            return Booking(row, is_replay=True)
        found = _open_hold(account, hold)
        wanted = found.points if points is None else check_positive(points)
        if wanted > found.points:
            raise ValidationError(f"{points_in_words(found.points).capitalize()} are held.", code="limit_exceeded")
        row = _capture(account, found, wanted, instruction)
        # What was not taken may have expired meanwhile.
        settle_and_book(account)
        return Booking(row)

    return once(effect)


def _capture(account: Account, hold: PointsHold, points: int, instruction: Instruction) -> PointsTransaction:
    takings = rules.part_of(hold.takings, 0, points)
    let_go(account, hold.takings)
    account.holds.remove(hold)
    take_from_lots(account, takings)
    is_redemption = hold.purpose == PointsHold.Purpose.REDEMPTION
    if is_redemption:
        account.card.total_points_redeemed += points
    row = write(
        account,
        Operation.REDEEM if is_redemption else Operation.ADJUST,
        -points,
        instruction,
        takings=takings,
        reason=hold.reason,
        discount=rules.discount_for(points, account.program.point_value),
        order_total=None,
        hold=str(hold.pk),
    )
    close_hold(account, hold, PointsHold.Status.CAPTURED, row)
    return row


def release_hold(hold: PointsHold) -> PointsHold:
    """Give back what is held; a question about it is withdrawn. Raises ValidationError: `hold_closed`, `expired`."""

    def effect() -> PointsHold:
        if hold.purpose == PointsHold.Purpose.DEDUCTION:
            withdraw_request(DEDUCTION_REQUEST, hold.pk)
        account = lock_account(hold.card)
        found = _open_hold(account, hold)
        let_go(account, found.takings)
        account.holds.remove(found)
        close_hold(account, found, PointsHold.Status.RELEASED)
        save_card(account)
        settle_and_book(account)
        return found

    return once(effect)


def _open_hold(account: Account, hold: PointsHold) -> PointsHold:
    """The hold as it is under the card's lock. Raises ValidationError."""
    found = next((held for held in account.holds if held.pk == hold.pk), None)
    status = PointsHold.objects.values_list("status", flat=True).get(pk=hold.pk) if found is None else found.status
    lapsed = status == PointsHold.Status.EXPIRED or (found is not None and found.expires_at <= account.now)
    if lapsed:
        raise ValidationError("The hold has lapsed: the points are free again.", code="expired")
    if found is None:
        raise ValidationError(f"The hold is {status} already.", code="hold_closed")
    return found
