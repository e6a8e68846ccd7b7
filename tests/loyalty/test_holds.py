"""Points set aside: taken, given back, or let go by time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine

from loyalty import services
from loyalty.models import LoyaltyCard, PointsHold
from loyalty.selectors import account_of
from loyalty.services import Instruction, capture_hold, hold_points, release_hold
from tests import builders
from tests.loyalty.test_ledger import adjust, earn, leave, lots, redeem, refused, rows, sums, switch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def books_agree(db: None) -> Iterator[None]:
    """Whatever a test did, the ledger proves."""
    yield
    assert services.verify_ledger() is None


def held(card: LoyaltyCard, points: int) -> PointsHold:
    return hold_points(card, points=points, by=None)


def status(hold: PointsHold) -> str:
    return PointsHold.objects.get(pk=hold.pk).status


def test_held_points_are_still_there_and_cannot_be_spent() -> None:
    card = builders.card(100)
    hold = held(card, 60)
    assert (hold.status, hold.points, hold.purpose) == ("open", 60, "redemption")
    assert hold.expires_at - hold.created_at == timedelta(minutes=15)
    assert sums(card) == {"points_balance": 100, "points_held": 60, "total_points_earned": 100}
    assert rows(card) == [("earn_points", 100, 100)]
    with refused("insufficient_points"):
        redeem(card, 41)
    with refused("insufficient_points"):
        held(card, 41)
    redeem(card, 40)


def test_capture_takes_all_of_it() -> None:
    card = builders.card(100)
    row = capture_hold(held(card, 60), Instruction(by=builders.superuser())).transaction
    assert (row.operation_type, row.points_delta, row.balance_after) == ("redeem_points", -60, 40)
    assert (row.operation_details["discount"], row.staff_member) == (Decimal("0.60"), builders.superuser())
    assert sums(card) == {"points_balance": 40, "total_points_earned": 100, "total_points_redeemed": 60}


def test_capture_of_a_part_releases_the_rest() -> None:
    card = builders.card(50)
    earn(card, points=50)
    hold = held(card, 80)
    capture_hold(hold, Instruction(), points=60)
    assert sums(card) == {"points_balance": 40, "total_points_earned": 100, "total_points_redeemed": 60}
    assert (lots(card), status(hold)) == ([0, 40], "captured")
    redeem(card, 40)


def test_release_gives_everything_back() -> None:
    card = builders.card(100)
    hold = held(card, 60)
    assert release_hold(hold).status == "released"
    assert sums(card) == {"points_balance": 100, "total_points_earned": 100}
    assert rows(card) == [("earn_points", 100, 100)]


def test_hold_ends_once() -> None:
    card = builders.card(100)
    captured, released = held(card, 30), held(card, 30)
    capture_hold(captured, Instruction())
    release_hold(released)
    for hold in (captured, released):
        with refused("hold_closed"):
            capture_hold(hold, Instruction())
        with refused("hold_closed"):
            release_hold(hold)


def test_no_more_is_captured_than_is_held() -> None:
    card = builders.card(100)
    hold = held(card, 60)
    with refused("limit_exceeded"):
        capture_hold(hold, Instruction(), points=61)
    capture_hold(hold, Instruction(), points=1)
    assert sums(card)["points_balance"] == 99


def test_hold_lapses_after_fifteen_minutes_without_anybody_looking() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        card = builders.card(100)
        hold = held(card, 60)
        clock.shift(timedelta(minutes=15) - timedelta(microseconds=1))
        with refused("insufficient_points"):
            redeem(card, 41)
        clock.shift(timedelta(microseconds=1))
        account = account_of(LoyaltyCard.objects.complete().get(pk=card.pk))
        assert (account.available, account.card.points_held) == (100, 0)
        for call in (lambda: capture_hold(hold, Instruction()), lambda: release_hold(hold)):
            with refused("expired"):
                call()
        redeem(card, 100)
        assert status(hold) == "expired"
        for call in (lambda: capture_hold(hold, Instruction()), lambda: release_hold(hold)):
            with refused("expired"):
                call()


def test_job_books_lapsed_holds_once() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        card, other = builders.card(100), builders.card(100)
        lapsing = held(card, 60)
        clock.shift(60)
        lasting = held(other, 60)
        clock.shift(timedelta(minutes=14))
        assert [services.settle_due(), services.settle_due()] == [1, 0]
        assert [status(lapsing), status(lasting)] == ["expired", "open"]
        assert [sums(card).get("points_held"), sums(other).get("points_held")] == [None, 60]


def test_capture_just_before_the_end_counts() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        hold = held(builders.card(100), 60)
        clock.shift(timedelta(minutes=15) - timedelta(microseconds=1))
        capture_hold(hold, Instruction())
        assert status(hold) == "captured"


def test_hold_is_checked_as_a_redemption() -> None:
    card = builders.card(500, of=builders.program(redemption_minimum=100, redemption_increment=50))
    for points, code in [(50, "below_minimum"), (125, "not_a_multiple"), (550, "insufficient_points")]:
        with refused(code):
            held(card, points)
    leave(card)
    with refused("not_enrolled"):
        held(card, 100)
    switch(card, is_active=False)
    with refused("program_inactive"):
        held(card, 100)


def test_points_that_are_promised_can_be_taken_after_the_customer_left() -> None:
    card = builders.card(100)
    hold = held(card, 60)
    leave(card)
    switch(card, is_active=False)
    assert capture_hold(hold, Instruction()).transaction.points_delta == -60


def test_deduction_that_is_agreed_is_an_adjustment() -> None:
    card, boss = builders.card(100), builders.superuser()
    hold = services.ask_to_deduct(card, points=60, reason="Mistake.", by=boss)
    row = capture_hold(hold, Instruction(by=boss)).transaction
    assert (row.operation_type, row.points_delta, row.operation_details["reason"]) == (
        "adjust_points",
        -60,
        "Mistake.",
    )
    assert sums(card) == {"points_balance": 40, "total_points_earned": 100}


def test_deduction_lapses_after_seven_days() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        card = builders.card(100)
        hold = services.ask_to_deduct(card, points=60, reason="Mistake.", by=builders.superuser())
        clock.shift(timedelta(days=7) - timedelta(seconds=1))
        assert services.settle_due() == 0
        clock.shift(1)
        assert (services.settle_due(), status(hold)) == (1, "expired")
        assert sums(card) == {"points_balance": 100, "total_points_earned": 100}


def test_deduction_is_no_redemption_and_needs_no_minimum() -> None:
    card = builders.card(100, of=builders.program(redemption_minimum=100, redemption_increment=50))
    switch(card, is_active=False)
    hold = services.ask_to_deduct(card, points=7, reason="Mistake.", by=builders.superuser())
    release_hold(hold)
    adjust(card, -7)
    assert sums(card)["points_balance"] == 93


def test_deduction_is_asked_of_an_enrolled_customer_only() -> None:
    card = builders.card(100)
    leave(card)
    with refused("not_enrolled"):
        services.ask_to_deduct(card, points=7, reason="Mistake.", by=builders.superuser())
