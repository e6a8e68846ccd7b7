"""Points and time: which are spent first, and when they are gone, whether or not anybody has looked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from loyalty import services
from loyalty.models import LoyaltyCard, PointsLot
from loyalty.selectors import Account, account_of
from loyalty.services import Instruction, capture_hold, hold_points, release_hold
from tests import builders
from tests.loyalty.test_ledger import adjust, earn, lots, redeem, refused, rows, shown, sums, switch

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)


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


def lasting(days: int | None, points: int = 100) -> LoyaltyCard:
    """A card with one lot that lasts so many days."""
    return builders.card(points, of=builders.program(expiry_days=days, is_active=True))


def account(card: LoyaltyCard) -> Account:
    """As it stands now."""
    return account_of(LoyaltyCard.objects.complete().get(pk=card.pk))


def test_lots_are_spent_soonest_to_expire_first_and_oldest_first_among_equals(clock: time_machine.Traveller) -> None:
    card = lasting(None, 10)
    for days in (30, 10, 10, None, 20):
        switch(card, expiry_days=days)
        earn(card, points=10)
    assert lots(card) == [10] * 6
    for points, left in [
        (15, [10, 10, 0, 5, 10, 10]),
        (10, [10, 10, 0, 0, 10, 5]),
        (10, [10, 5, 0, 0, 10, 0]),
        (10, [5, 0, 0, 0, 10, 0]),
        (10, [0, 0, 0, 0, 5, 0]),
    ]:
        redeem(card, points)
        assert lots(card) == left


def test_later_earning_that_expires_sooner_is_spent_first(clock: time_machine.Traveller) -> None:
    card = lasting(30)
    clock.shift(DAY)
    switch(card, expiry_days=10)
    earn(card, points=100)
    redeem(card, 150)
    assert lots(card) == [50, 0]


def test_lot_lasts_as_its_program_said_when_it_was_earned(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    switch(card, expiry_days=None)
    earn(card, points=50)
    adjust(card, 5)
    times = PointsLot.objects.filter(card=card).order_by("id").values_list("expires_at", flat=True)
    assert list(times) == [NOW + 10 * DAY, None, None]


def test_expired_points_cannot_be_spent_from_their_moment_on(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    clock.shift(10 * DAY - INSTANT)
    assert account(card).available == 100
    clock.shift(INSTANT)
    assert account(card).available == 0
    assert sums(card)["points_balance"] == 100
    for call in (
        lambda: redeem(card, 1),
        lambda: hold_points(card, points=1, by=None),
        lambda: adjust(card, -1),
        lambda: services.preview_redemption(LoyaltyCard.objects.complete().get(pk=card.pk), points=1),
    ):
        with refused("insufficient_points"):
            call()


def test_expiry_is_booked_before_what_comes_next(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    redeem(card, 30)
    clock.shift(10 * DAY)
    earn(card, points=5)
    assert rows(card)[2:] == [("expire_points", -70, 0), ("earn_points", 5, 5)]
    assert sums(card) == {"points_balance": 5, "total_points_earned": 105, "total_points_redeemed": 30}
    assert PointsLot.objects.filter(card=card).order_by("id").values_list("expired", flat=True)[0] == 70


def test_answer_of_an_order_that_earns_nothing_counts_expired_points_as_gone(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    clock.shift(10 * DAY)
    assert earn(card, "0.99").points_balance == 0
    assert services.preview_earning(LoyaltyCard.objects.complete().get(pk=card.pk), points=7).points_balance == 7
    assert earn(card, points=7).points_balance == 7


def test_job_books_what_has_expired_once_and_leaves_the_rest(clock: time_machine.Traveller) -> None:
    due, spent, later = lasting(10), lasting(10, 50), lasting(20)
    redeem(spent, 50)
    clock.shift(10 * DAY - INSTANT)
    assert services.settle_due() == 0
    clock.shift(INSTANT)
    assert [services.settle_due(), services.settle_due()] == [1, 0]
    assert [sums(card).get("points_balance", 0) for card in (due, spent, later)] == [0, 0, 100]
    row = due.transactions.get(operation_type="expire_points")
    assert (row.points_delta, row.balance_after, row.staff_member, row.created_at) == (-100, 0, None, NOW + 10 * DAY)


def test_job_passes_broken_cards_and_settles_the_others(clock: time_machine.Traveller) -> None:
    cards = sorted((lasting(10) for _ in range(4)), key=lambda card: card.pk)
    hold_points(cards[2], points=100, by=None)
    LoyaltyCard.objects.filter(pk=cards[0].pk).update(points_balance=50)
    PointsLot.objects.filter(card=cards[2]).update(remaining=0, held=0)
    clock.shift(10 * DAY)
    assert services.settle_due() == 2
    assert [sums(card).get("points_balance", 0) for card in cards] == [50, 0, 100, 0]
    LoyaltyCard.objects.filter(pk=cards[0].pk).update(points_balance=100)
    PointsLot.objects.filter(card=cards[2]).update(remaining=100, held=100)
    assert services.settle_due() == 2


def test_expiry_does_not_touch_tier_or_totals_or_last_activity(clock: time_machine.Traveller) -> None:
    card = lasting(10, 600)
    clock.shift(10 * DAY)
    services.settle_due()
    card.refresh_from_db()
    assert (card.tier_level, card.total_points_earned, card.last_activity_at) == ("silver", 600, NOW)


def test_hold_protects_what_it_covers_until_it_is_released(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    clock.shift(10 * DAY - timedelta(minutes=5))
    hold = hold_points(card, points=60, by=None)
    clock.shift(timedelta(minutes=5))
    now = account(card)
    assert (now.card.points_balance, now.card.points_held, now.available) == (60, 60, 0)
    services.settle_due()
    assert sums(card) == {"points_balance": 60, "points_held": 60, "total_points_earned": 100}
    release_hold(hold)
    assert rows(card)[1:] == [("expire_points", -40, 60), ("expire_points", -60, 0)]


def test_hold_protects_what_is_captured_and_the_rest_expires(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    clock.shift(10 * DAY - timedelta(minutes=5))
    hold = hold_points(card, points=60, by=None)
    clock.shift(timedelta(minutes=6))
    capture_hold(hold, Instruction(), points=25)
    assert sums(card) == {"total_points_earned": 100, "total_points_redeemed": 25}
    assert sorted(rows(card)[1:]) == [("expire_points", -75, 0), ("redeem_points", -25, 75)]


def test_lapsing_hold_lets_its_late_points_expire(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    clock.shift(10 * DAY - timedelta(minutes=5))
    hold_points(card, points=60, by=None)
    clock.shift(timedelta(minutes=15))
    assert account(card).card.points_balance == 0
    assert [services.settle_due(), services.settle_due()] == [1, 0]
    assert sums(card) == {"total_points_earned": 100}


def test_nothing_is_booked_by_looking(clock: time_machine.Traveller) -> None:
    card = lasting(10)
    hold_points(card, points=10, by=None)
    clock.shift(10 * DAY)
    before = rows(card), sums(card)
    account(card)
    shown(LoyaltyCard.objects.complete().get(pk=card.pk), "5")
    assert (rows(card), sums(card)) == before


def test_welcome_points_expire_as_others(clock: time_machine.Traveller) -> None:
    card = builders.card(of=builders.program(welcome_points=40, expiry_days=3))
    clock.shift(3 * DAY)
    assert account(card).available == 0
