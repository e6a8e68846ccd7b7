"""Taking back what was earned, giving back what was spent: from where, how much, and by which rule."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError

from loyalty import services
from loyalty.models import LoyaltyCard, PointsLot, PointsTransaction
from loyalty.services import (
    Instruction,
    capture_hold,
    hold_points,
    preview_reversal,
    release_hold,
    reverse_transaction,
)
from tests import builders
from tests.loyalty.test_ledger import adjust, earn, leave, lots, redeem, refused, rows, sums, switch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def books_agree(db: None) -> Iterator[None]:
    """Whatever a test did, the ledger proves."""
    yield
    assert services.verify_ledger() is None


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """It stands still until it is moved."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def row_of(answer: services.Earning | services.Redemption) -> PointsTransaction:
    assert answer.transaction is not None
    return PointsTransaction.objects.get(pk=answer.transaction.pk)


def reverse(
    original: PointsTransaction, points: int | None = None, amount: str | None = None, **instruction: Any
) -> PointsTransaction:
    """Points, a part of the order, or the rest."""
    part = None if amount is None else Decimal(amount)
    shown = preview_reversal(PointsTransaction.objects.get(pk=original.pk), points=points, amount=part)
    asked = Instruction(**instruction)
    row = reverse_transaction(original, asked, reason="Returned.", points=points, amount=part).transaction
    assert (row.points_amount, row.reverses) == (shown.points, original)
    return row


def not_reversible(
    original: PointsTransaction, code: str, points: int | None = None, amount: str | None = None
) -> None:
    """Refused, in the preview too."""
    part = None if amount is None else Decimal(amount)
    with refused(code):
        reverse_transaction(original, Instruction(), reason="Returned.", points=points, amount=part)
    with refused(code):
        preview_reversal(PointsTransaction.objects.get(pk=original.pk), points=points, amount=part)


# --- What was earned ---------------------------------------------------------------------------------------------


def test_reversed_earning_leaves_its_own_lot_and_lowers_what_was_earned() -> None:
    card = builders.card(600)
    second = row_of(earn(card, points=100))
    row = reverse(second, 30)
    assert (row.operation_type, row.points_delta, row.balance_after) == ("reverse_points", -30, 670)
    assert row.operation_details["reason"] == "Returned."
    assert lots(card) == [600, 70]
    assert sums(card) == {"points_balance": 670, "total_points_earned": 670}


def test_tier_falls_with_what_was_earned() -> None:
    card = builders.card(400)
    second = row_of(earn(card, points=100))
    card.refresh_from_db()
    assert card.tier_level == "silver"
    reverse(second, 1)
    card.refresh_from_db()
    assert card.tier_level == "bronze"


def test_spent_earning_is_taken_from_the_others_soonest_to_expire(clock: time_machine.Traveller) -> None:
    card = builders.card(of=builders.program(expiry_days=1))
    first = row_of(earn(card, points=100))
    redeem(card, 80)
    for days in (30, None, 10):
        switch(card, expiry_days=days)
        earn(card, points=50)
    reverse(first, 95)
    assert lots(card) == [0, 25, 50, 0]
    assert sums(card)["points_balance"] == 75


def test_what_nobody_has_any_more_is_owed_and_paid_by_later_points() -> None:
    card = builders.card(100)
    redeem(card, 80)
    row = reverse(card.transactions.get(seq=1))
    assert (row.points_delta, row.balance_after, row.owed_after) == (-100, 0, 80)
    assert sums(card) == {"points_owed": 80, "total_points_redeemed": 80}
    shown = services.preview_earning(LoyaltyCard.objects.complete().get(pk=card.pk), points=50)
    assert (shown.points, shown.points_balance) == (50, 0)
    earning = earn(card, points=50)
    assert (earning.points, earning.points_balance) == (50, 0)
    assert sums(card) == {"points_owed": 30, "total_points_earned": 50, "total_points_redeemed": 80}
    adjust(card, 20)
    earn(card, points=15)
    assert sums(card) == {"points_balance": 5, "total_points_earned": 85, "total_points_redeemed": 80}
    assert lots(card) == [0, 0, 0, 5]
    with refused("insufficient_points"):
        redeem(card, 6)


def test_reversal_never_takes_held_points() -> None:
    card = builders.card(100)
    first = card.transactions.get()
    hold = hold_points(card, points=70, by=None)
    earn(card, points=50)
    reverse(first)
    assert sums(card) == {"points_balance": 70, "points_held": 70, "points_owed": 20, "total_points_earned": 50}
    assert lots(card) == [70, 0]
    release_hold(hold)
    redeem(card, 70)


def test_reversed_points_that_paid_a_debt_are_owed_again() -> None:
    card = builders.card(100)
    redeem(card, 100)
    reverse(card.transactions.get(seq=1))
    second = row_of(earn(card, points=60))
    assert lots(card) == [0, 0]
    reverse(second)
    assert sums(card) == {"points_owed": 100, "total_points_redeemed": 100}


@pytest.mark.parametrize("operation", ["welcome_bonus", "adjust_points"])
def test_welcome_and_upward_adjustment_are_reversed_as_earned(operation: str) -> None:
    card = builders.card(of=builders.program(welcome_points=40 if operation == "welcome_bonus" else 0))
    if operation == "adjust_points":
        adjust(card, 40)
    reverse(card.transactions.get(operation_type=operation))
    assert sums(card) == {}


def test_expired_points_are_gone_and_not_reversible(clock: time_machine.Traveller) -> None:
    card = builders.card(100, of=builders.program(expiry_days=10))
    first = card.transactions.get()
    assert first.lot.expired == 0
    redeem(card, 30)
    reverse(first, 10)
    clock.shift(10 * DAY)
    not_reversible(first, "limit_exceeded", 31)
    row = reverse(first)
    assert (row.points_delta, row.owed_after) == (-30, 30)
    not_reversible(first, "already_reversed")


def test_earning_that_expired_whole_has_nothing_left(clock: time_machine.Traveller) -> None:
    card = builders.card(100, of=builders.program(expiry_days=10))
    first = card.transactions.get()
    clock.shift(10 * DAY)
    not_reversible(first, "already_reversed")
    services.settle_due()
    not_reversible(first, "already_reversed")
    not_reversible(card.transactions.get(operation_type="expire_points"), "already_reversed")


# --- What was spent ------------------------------------------------------------------------------------------------


def test_reversed_redemption_refills_the_lots_last_taken_from_first(clock: time_machine.Traveller) -> None:
    card = builders.card(of=builders.program(expiry_days=10))
    for days in (10, 20, 30):
        switch(card, expiry_days=days)
        earn(card, points=50)
    spent = row_of(redeem(card, 120))
    assert lots(card) == [0, 0, 30]
    for points, left in [(15, [0, 0, 45]), (10, [0, 5, 50]), (50, [5, 50, 50]), (45, [50, 50, 50])]:
        reverse(spent, points)
        assert lots(card) == left
    assert sums(card) == {"points_balance": 150, "total_points_earned": 150}
    not_reversible(spent, "already_reversed")


def test_points_that_return_to_an_expired_lot_expire_again(clock: time_machine.Traveller) -> None:
    card = builders.card(100, of=builders.program(expiry_days=10))
    switch(card, expiry_days=None)
    earn(card, points=50)
    spent = row_of(redeem(card, 120))
    clock.shift(10 * DAY)
    reverse(spent)
    assert rows(card)[3:] == [("reverse_points", 120, 150), ("expire_points", -100, 50)]
    assert (lots(card), sums(card)) == ([0, 50], {"points_balance": 50, "total_points_earned": 150})
    not_reversible(card.transactions.get(seq=1), "already_reversed")


def test_returned_points_pay_what_is_owed_first() -> None:
    card = builders.card(100)
    spent = row_of(redeem(card, 80))
    reverse(card.transactions.get(seq=1), 60)
    assert sums(card)["points_owed"] == 40
    row = reverse(spent, 50)
    assert (row.points_delta, row.balance_after, row.owed_after) == (50, 10, 0)
    reverse(spent)
    assert sums(card) == {"points_balance": 40, "total_points_earned": 40}
    assert lots(card) == [40]


def test_what_is_left_after_the_debt_refills_the_lot_last_taken_from(clock: time_machine.Traveller) -> None:
    card = builders.card(40, of=builders.program(expiry_days=10))
    switch(card, expiry_days=20)
    earn(card, points=40)
    spent = row_of(redeem(card, 80))
    reverse(card.transactions.get(seq=1))
    for points, left in [(50, [0, 10]), (20, [0, 30]), (10, [0, 40])]:
        reverse(spent, points)
        assert lots(card) == left
    assert sums(card) == {"points_balance": 40, "total_points_earned": 40}


def test_reversed_capture_returns_to_its_lots() -> None:
    card = builders.card(50)
    earn(card, points=50)
    captured = capture_hold(hold_points(card, points=80, by=None), Instruction(), points=60).transaction
    reverse(captured, 30)
    assert (lots(card), sums(card)["total_points_redeemed"]) == ([20, 50], 30)
    reverse(captured)
    assert (lots(card), sums(card)) == ([50, 50], {"points_balance": 100, "total_points_earned": 100})


def test_reversed_deduction_is_no_redemption_and_not_earned() -> None:
    card, boss = builders.card(100), builders.superuser()
    deducted = adjust(card, -30)
    hold = services.ask_to_deduct(card, points=20, reason="Mistake.", by=boss)
    agreed = capture_hold(hold, Instruction(by=boss)).transaction
    reverse(deducted)
    reverse(agreed)
    assert sums(card) == {"points_balance": 100, "total_points_earned": 100}


# --- How much ------------------------------------------------------------------------------------------------------


def test_reversal_takes_no_more_than_is_left_and_then_nothing() -> None:
    card = builders.card(100)
    first, spent = card.transactions.get(), row_of(redeem(card, 40))
    for original, points in ((first, 100), (spent, 40)):
        not_reversible(original, "limit_exceeded", points + 1)
        reverse(original, points - 10)
        not_reversible(original, "limit_exceeded", 11)
        assert reverse(original).points_amount == 10
        for again in (None, 1, 0):
            not_reversible(original, "already_reversed", again)


def test_reversal_is_not_reversed() -> None:
    card = builders.card(100)
    row = reverse(card.transactions.get(), 30)
    not_reversible(row, "already_reversed")
    not_reversible(reverse(row_of(redeem(card, 10))), "already_reversed")


def test_three_thirds_of_an_order_give_33_33_and_34() -> None:
    card = builders.card()
    order = row_of(earn(card, "100"))
    spent = row_of(redeem(card, 100, "300"))
    assert [reverse(spent, amount="100").points_amount for _ in range(3)] == [33, 33, 34]
    assert [reverse(order, amount=part).points_amount for part in ("33.33", "33.33", "33.34")] == [33, 33, 34]
    assert sums(card) == {}
    for original in (order, spent):
        not_reversible(original, "already_reversed", amount="1")


def test_parts_of_an_order_never_exceed_it() -> None:
    card = builders.card()
    order = row_of(earn(card, "10"))
    reverse(order, amount="6.50")
    not_reversible(order, "limit_exceeded", amount="3.51")
    assert reverse(order, amount="3.50").points_amount == 4


def test_part_too_small_for_a_point_counts_towards_the_next() -> None:
    card = builders.card()
    order = row_of(earn(card, "10"))
    assert [reverse(order, amount="0.60").points_amount for _ in range(4)] == [0, 1, 0, 1]
    assert sums(card) == {"points_balance": 8, "total_points_earned": 8}


def test_points_and_parts_share_what_is_left() -> None:
    card = builders.card()
    order = row_of(earn(card, "100"))
    reverse(order, 40)
    not_reversible(order, "limit_exceeded", amount="61")
    assert reverse(order, amount="50").points_amount == 50
    assert reverse(order).points_amount == 10


@pytest.mark.parametrize("kind", ["awarded", "adjusted", "redeemed", "captured", "welcome"])
def test_part_of_an_order_needs_an_order(kind: str) -> None:
    card = builders.card(of=builders.program(welcome_points=100))
    if kind == "awarded":
        earn(card, points=5)
    elif kind == "adjusted":
        adjust(card, 5)
    elif kind == "redeemed":
        redeem(card, 5)
    elif kind == "captured":
        capture_hold(hold_points(card, points=5, by=None), Instruction())
    with pytest.raises(ValidationError) as caught:
        reverse_transaction(card.transactions.latest("seq"), Instruction(), reason="x", amount=Decimal(1))
    assert list(caught.value.message_dict) == ["amount"]


@pytest.mark.parametrize("reason", ["", "  "])
def test_reversal_needs_a_reason(reason: str) -> None:
    card = builders.card(100)
    with refused("reason_required"):
        reverse_transaction(card.transactions.get(), Instruction(), reason=reason)


# --- Later ---------------------------------------------------------------------------------------------------------


def test_reversal_a_year_later_goes_by_the_rule_of_its_day(clock: time_machine.Traveller) -> None:
    card = builders.card(of=builders.program(points_per_unit=Decimal(2)))
    order, spent = row_of(earn(card, "50")), row_of(redeem(card, 40, "20"))
    clock.shift(365 * DAY)
    switch(card, points_per_unit=Decimal(9), point_value=Decimal(1), redemption_minimum=500, min_order=Decimal(900))
    leave(card)
    switch(card, is_active=False)
    assert reverse(order, amount="25").points_amount == 50
    assert reverse(spent, amount="10").points_amount == 20
    assert (reverse(order).points_amount, reverse(spent).points_amount) == (50, 20)
    assert sums(card) == {}


def test_reversal_keeps_the_reversed_lot_as_it_was_made(clock: time_machine.Traveller) -> None:
    card = builders.card(100, of=builders.program(expiry_days=10))
    reverse(row_of(redeem(card, 100)))
    lot = PointsLot.objects.get(card=card)
    assert (lot.points, lot.remaining, lot.expires_at) == (100, 100, NOW + 10 * DAY)
