"""Earning, redeeming and adjusting: what is booked, what is refused, and in which order it is checked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection

from loyalty import services
from loyalty.models import Enrollment, LoyaltyCard, PointsHold, PointsLot, PointsTransaction
from loyalty.selectors import account_of
from loyalty.services import (
    Instruction,
    adjust_points,
    earn_points,
    preview_earning,
    preview_redemption,
    redeem_points,
)
from tests import builders


@pytest.fixture(autouse=True)
def books_agree(db: None) -> Iterator[None]:
    """Whatever a test did, the ledger proves."""
    yield
    assert services.verify_ledger() is None


def tables() -> list[Any]:
    """Everything that a movement could touch, as it lies in the database."""
    found = []
    with connection.cursor() as cursor:
        for model in (LoyaltyCard, PointsTransaction, PointsLot, PointsHold):
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY id")
            found.append(cursor.fetchall())
    return found


@contextmanager
def refused(code: str) -> Iterator[None]:
    """The block is refused with this code, or for this field, and nothing has changed."""
    before = tables()
    with pytest.raises(ValidationError) as caught:
        yield
    error = caught.value
    assert (list(error.message_dict) if hasattr(error, "error_dict") else [error.code]) == [code]
    assert tables() == before


def sums(card: LoyaltyCard) -> dict[str, int]:
    """What is booked on the card, without what is zero."""
    names = ("points_balance", "points_held", "points_owed", "total_points_earned", "total_points_redeemed")
    found = LoyaltyCard.objects.values(*names).get(pk=card.pk)
    return {name: points for name, points in found.items() if points}


def lots(card: LoyaltyCard) -> list[int]:
    """What is left in each lot, oldest first."""
    return list(PointsLot.objects.filter(card=card).order_by("id").values_list("remaining", flat=True))


def rows(card: LoyaltyCard) -> list[tuple[str, int, int]]:
    """The card's ledger: operation, delta, balance after."""
    found = PointsTransaction.objects.filter(card=card).order_by("seq")
    return list(found.values_list("operation_type", "points_delta", "balance_after"))


def earn(card: LoyaltyCard, total: str | None = None, **kwargs: Any) -> services.Earning:
    """An order, or `points=`."""
    instruction = kwargs.pop("instruction", Instruction())
    return earn_points(card, instruction, order_total=None if total is None else Decimal(total), **kwargs)


def redeem(card: LoyaltyCard, points: int, total: str | None = None, **instruction: Any) -> services.Redemption:
    """So many points for an order."""
    order_total = None if total is None else Decimal(total)
    return redeem_points(card, Instruction(**instruction), points=points, order_total=order_total)


def adjust(card: LoyaltyCard, points: int, reason: str = "Goodwill.") -> PointsTransaction:
    """By hand."""
    return adjust_points(card, Instruction(), points=points, reason=reason).transaction


def switch(card: LoyaltyCard, **settings: Any) -> None:
    """Other rules for the card's program from now on."""
    services.change_program(card.enrollment.program, **settings)


def leave(card: LoyaltyCard) -> None:
    """The customer takes part no longer."""
    Enrollment.objects.filter(card=card).update(status=Enrollment.Status.LEFT)


# --- Earning -------------------------------------------------------------------------------------------------------


def test_order_earns_a_lot_and_a_row_with_the_rule_of_the_moment() -> None:
    card, boss = builders.card(), builders.superuser()
    earning = earn(card, "25.50", instruction=Instruction(by=boss, key="till-1", fingerprint="f", reference="order-1"))
    assert (earning.points, earning.points_balance, earning.tier_level) == (25, 25, "bronze")
    assert earning.explanation == "£25.50 at 1 = 25 points."
    row = PointsTransaction.objects.get(card=card)
    assert (row.seq, row.operation_type, row.points_delta, row.points_amount) == (1, "earn_points", 25, 25)
    assert (row.balance_after, row.owed_after, row.transaction_reference) == (25, 0, "order-1")
    assert (row.staff_member, row.idempotency_key, row.reverses) == (boss, "till-1", None)
    assert row.business == card.enrollment.program.business
    assert row.operation_details == {
        "rule": {
            "earn_rule": "per_amount",
            "points_per_unit": "1.0000",
            "multiplier": "1",
            "min_order": "0.00",
            "expiry_days": None,
            "redemption_minimum": 1,
            "redemption_increment": 1,
            "point_value": "0.0100",
            "max_redeem_percent": 100,
        },
        "owed_paid": 0,
        "order_total": "25.50",
        "currency": "GBP",
        "tier_level": "bronze",
        "lots": [],
    }
    assert sums(card) == {"points_balance": 25, "total_points_earned": 25}
    assert lots(card) == [25]


def test_order_below_the_minimum_earns_nothing_and_books_nothing() -> None:
    card = builders.card(of=builders.program(min_order=Decimal(5)))
    earning = earn(card, "4.99")
    assert (earning.points, earning.points_balance, earning.transaction) == (0, 0, None)
    assert earning.explanation == "£4.99 is below the minimum order of £5.00: 0 points."
    assert rows(card) == []
    assert earn(card, "5").points == 5


@pytest.mark.parametrize(
    ("terms", "total", "points"),
    [
        ({"points_per_unit": Decimal("1.5")}, "25.50", 38),
        ({"points_per_unit": Decimal(0)}, "25.50", 0),
        ({"earn_rule": "per_visit", "points_per_unit": Decimal(7)}, None, 7),
        ({"earn_rule": "per_visit", "points_per_unit": Decimal(7)}, "0.50", 7),
        ({"earn_rule": "fixed", "points_per_unit": Decimal(7)}, "900.00", 7),
        ({"earn_rule": "fixed", "points_per_unit": Decimal(7), "min_order": Decimal(5)}, "4.99", 0),
    ],
)
def test_program_earns_by_its_rule(terms: dict[str, Any], total: str | None, points: int) -> None:
    card = builders.card(of=builders.program(**terms))
    preview = preview_earning(card, order_total=None if total is None else Decimal(total))
    earning = earn(card, total)
    assert (earning.points, earning.explanation) == (points, preview.explanation)
    assert (preview.points, preview.points_balance, preview.transaction) == (points, points, None)


def test_multiplier_of_the_tier_counts_from_the_next_order_on() -> None:
    tiers = [
        {"level": "plain", "from_points": 0, "multiplier": "1"},
        {"level": "fine", "from_points": 100, "multiplier": "1.5"},
    ]
    card = builders.card(of=builders.program(tiers=tiers))
    first, second = earn(card, "100"), earn(card, "25.50")
    assert (first.points, first.tier_level, second.points) == (100, "fine", 38)
    assert second.explanation == "£25.50 at 1 × 1.5 for the tier = 38 points."


def test_order_rule_needs_an_order_or_points() -> None:
    card = builders.card()
    with pytest.raises(ValidationError) as caught:
        earn(card)
    assert list(caught.value.message_dict) == ["order_total"]
    assert earn(card, points=12).explanation == "Awarded: 12 points."


@pytest.mark.parametrize("code", ["program_inactive", "not_enrolled"])
def test_nothing_is_earned_where_nobody_takes_part(code: str) -> None:
    card = builders.card(100)
    leave(card)
    if code == "program_inactive":
        switch(card, is_active=False)
    card = LoyaltyCard.objects.complete().get(pk=card.pk)
    for call in (earn, shown):
        with refused(code):
            call(card, "25.50")


def shown(card: LoyaltyCard, total: str) -> None:
    """What an order would earn."""
    preview_earning(card, order_total=Decimal(total))


# --- Limits --------------------------------------------------------------------------------------------------------


def test_limit_of_one_booking_refuses_and_does_not_cap() -> None:
    card = builders.card(of=builders.program(max_points_per_transaction=100))
    with refused("limit_exceeded"):
        earn(card, "101")
    with refused("limit_exceeded"):
        earn(card, points=101)
    with refused("limit_exceeded"):
        adjust(card, 101)
    assert (earn(card, "100.99").points, adjust(card, 100).points_delta) == (100, 100)


def test_limit_of_a_day_counts_earnings_and_upward_adjustments_in_utc() -> None:
    with time_machine.travel(datetime(2026, 3, 1, 23, 59, tzinfo=UTC), tick=False) as clock:
        card = builders.card(of=builders.program(max_points_per_day=100, welcome_points=500))
        other = builders.card(of=card.enrollment.program)
        earn(card, points=60)
        adjust(card, 30)
        redeem(card, 90)
        adjust(card, -10)
        for call in (lambda: earn(card, points=11), lambda: adjust(card, 11), lambda: shown(card, "11")):
            with refused("limit_exceeded"):
                call()
        earn(card, points=10)
        earn(other, points=100)
        with refused("limit_exceeded"):
            earn(card, points=1)
        clock.shift(60)
        earn(card, points=100)


@pytest.mark.parametrize("limit", ["max_points_per_transaction", "max_points_per_day"])
def test_zero_limit_lets_nothing_through_and_no_limit_everything(limit: str) -> None:
    card = builders.card()
    switch(card, max_points_per_transaction=None, max_points_per_day=None)
    assert earn(card, points=1_000_000).points == 1_000_000
    switch(card, **{limit: 0})
    for call in (lambda: earn(card, points=1), lambda: adjust(card, 1)):
        with refused("limit_exceeded"):
            call()
    assert earn(card, "0.99").points == 0


# --- Redeeming -----------------------------------------------------------------------------------------------------


def test_redemption_takes_points_for_a_discount() -> None:
    card, boss = builders.card(1000), builders.superuser()
    preview = preview_redemption(card, points=200, order_total=Decimal("25.50"))
    assert (preview.discount, preview.order_total_after) == (Decimal("2.00"), Decimal("23.50"))
    assert (preview.points_balance, preview.points_balance_after, preview.transaction) == (1000, 800, None)
    assert sums(card)["points_balance"] == 1000
    done = redeem_points(card, Instruction(by=boss), points=200, order_total=Decimal("25.50"), order_id="order 7")
    assert (done.points, done.discount, done.order_total_after) == (200, Decimal("2.00"), Decimal("23.50"))
    assert (done.points_balance, done.points_balance_after, done.is_replay) == (800, 800, False)
    row = PointsTransaction.objects.get(card=card, operation_type="redeem_points")
    assert (row.pk, row.points_delta, row.staff_member) == (done.transaction and done.transaction.pk, -200, boss)
    details = row.operation_details
    assert (details["discount"], details["order_total"], details["order_id"]) == ("2.00", "25.50", "order 7")
    assert details["lots"] == [[PointsLot.objects.get(card=card).pk, 200]]
    assert sums(card) == {"points_balance": 800, "total_points_earned": 1000, "total_points_redeemed": 200}


def test_redemption_without_an_order_has_a_discount_and_no_total() -> None:
    done = redeem(builders.card(1000), 1000)
    assert (done.discount, done.order_total_after) == (Decimal("10.00"), None)


def test_example_of_minimum_increment_and_share() -> None:
    program = builders.program(redemption_minimum=100, redemption_increment=50, max_redeem_percent=50)
    card = builders.card(5000, of=program)
    for points, total, code in [
        (50, "25", "below_minimum"),
        (125, "25", "not_a_multiple"),
        (1300, "25", "over_order_limit"),
    ]:
        with refused(code):
            redeem(card, points, total)
    assert redeem(card, 1250, "25").order_total_after == Decimal("12.50")


def test_redemption_is_checked_in_order() -> None:
    """Each fault is mended in turn: what is refused next is the next in the list."""
    program = builders.program(redemption_minimum=100, redemption_increment=50, max_redeem_percent=50)
    card = builders.card(1000, of=program)
    services.hold_points(card, points=700, by=None)
    leave(card)
    switch(card, is_active=False)
    order = {"program_inactive": 10, "not_enrolled": 10, "below_minimum": 10, "not_a_multiple": 325}
    for code, points in {**order, "insufficient_points": 350, "over_order_limit": 300}.items():
        card = LoyaltyCard.objects.complete().get(pk=card.pk)
        with refused(code):
            redeem(card, points, "4.00")
        with refused(code):
            preview_redemption(LoyaltyCard.objects.complete().get(pk=card.pk), points=points, order_total=Decimal(4))
        if code == "program_inactive":
            switch(card, is_active=True)
        if code == "not_enrolled":
            services.enroll_customer(card.enrollment.customer, card.enrollment.program, by=None, source="till")
    assert redeem(card, 200, "4.00").order_total_after == Decimal("2.00")


@pytest.mark.parametrize(
    ("terms", "points", "total", "code"),
    [
        ({"redemption_minimum": 0, "redemption_increment": 0}, 0, None, "below_minimum"),
        ({"max_redeem_percent": 0}, 1, "25", "over_order_limit"),
        ({}, 2501, "25", "over_order_limit"),
        ({}, 1, "0", "over_order_limit"),
    ],
)
def test_settings_of_redemption_take_zero_as_zero(
    terms: dict[str, Any], points: int, total: str | None, code: str
) -> None:
    card = builders.card(5000, of=builders.program(**{"name": "Main", **terms}))
    with refused(code):
        redeem(card, points, total)


def test_points_without_a_value_pay_nothing_and_fit_any_order() -> None:
    program = builders.program(redemption_minimum=0, redemption_increment=0, point_value=Decimal(0))
    done = redeem(builders.card(100, of=program), 100, "0.50")
    assert (done.discount, done.order_total_after) == (Decimal("0.00"), Decimal("0.50"))


def test_discount_is_rounded_down_before_it_is_compared() -> None:
    card = builders.card(1000, of=builders.program(point_value=Decimal("0.0099")))
    assert redeem(card, 102, "1.00").discount == Decimal("1.00")
    with refused("over_order_limit"):
        redeem(card, 103, "1.00")


def test_most_redeemable_is_what_a_redemption_lets_through() -> None:
    program = builders.program(redemption_minimum=100, redemption_increment=50, max_redeem_percent=50)
    card = builders.card(5000, of=program)
    account = account_of(card)
    assert services.most_redeemable(account) == 5000
    assert services.most_redeemable(account, Decimal(25)) == 1250
    assert services.most_redeemable(account, Decimal("1.99")) == 0


def test_redeeming_never_lowers_the_tier() -> None:
    card = builders.card(600)
    redeem(card, 600)
    card.refresh_from_db()
    assert (card.tier_level, card.points_balance) == ("silver", 0)


# --- Adjusting -----------------------------------------------------------------------------------------------------


def test_upward_adjustment_counts_as_earned_and_lifts_the_tier() -> None:
    card = builders.card()
    row = adjust(card, 500, "  Lost parcel. ")
    assert (row.operation_type, row.points_delta, row.operation_details["reason"]) == (
        "adjust_points",
        500,
        "Lost parcel.",
    )
    card.refresh_from_db()
    assert card.tier_level == "silver"
    assert sums(card) == {"points_balance": 500, "total_points_earned": 500}


def test_downward_adjustment_is_no_redemption() -> None:
    card = builders.card(500)
    adjust(card, -200)
    assert sums(card) == {"points_balance": 300, "total_points_earned": 500}
    with refused("insufficient_points"):
        adjust(card, -301)


@pytest.mark.parametrize("reason", ["", "   "])
def test_adjustment_needs_a_reason(reason: str) -> None:
    card = builders.card(100)
    for points in (50, -50):
        with refused("reason_required"):
            adjust(card, points, reason)
    with refused("reason_required"):
        services.ask_to_deduct(card, points=50, reason=reason, by=builders.superuser())


def test_adjustment_needs_an_enrolled_customer() -> None:
    card = builders.card(100)
    leave(card)
    for points in (50, -50):
        with refused("not_enrolled"):
            adjust(card, points)


def test_deduction_is_held_for_seven_days() -> None:
    card, boss = builders.card(100), builders.superuser()
    hold = services.ask_to_deduct(card, points=60, reason="Mistake.", by=boss)
    assert (hold.purpose, hold.status, hold.points, hold.reason, hold.by) == (
        "deduction",
        "open",
        60,
        "Mistake.",
        boss,
    )
    assert (hold.expires_at - hold.created_at).days == 7
    assert sums(card) == {"points_balance": 100, "points_held": 60, "total_points_earned": 100}
    with refused("insufficient_points"):
        redeem(card, 41)
    with refused("insufficient_points"):
        adjust(card, -41)


def test_ledger_numbers_its_rows_without_a_gap() -> None:
    card = builders.card(100)
    redeem(card, 30)
    adjust(card, 5)
    adjust(card, -25)
    assert rows(card) == [
        ("earn_points", 100, 100),
        ("redeem_points", -30, 70),
        ("adjust_points", 5, 75),
        ("adjust_points", -25, 50),
    ]
    assert list(PointsTransaction.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4]


@pytest.mark.parametrize("points", [0, -5])
def test_nothing_and_less_than_nothing_cannot_be_moved(points: int) -> None:
    card = builders.card(100)
    hold, first = services.hold_points(card, points=10, by=None), card.transactions.get()
    calls: list[Callable[[], object]] = [
        lambda: earn(card, points=points),
        lambda: preview_earning(card, points=points),
        lambda: services.ask_to_deduct(card, points=points, reason="Why", by=builders.superuser()),
        lambda: services.capture_hold(hold, Instruction(), points=points),
        lambda: services.reverse_transaction(first, Instruction(), reason="Why", points=points),
        lambda: services.preview_reversal(first, points=points),
    ]
    for call in calls:
        with refused("points"):
            call()
    for call in (lambda: redeem(card, points), lambda: services.hold_points(card, points=points, by=None)):
        with refused("below_minimum"):
            call()
    with refused("points"):
        adjust(card, 0)
