"""Holding, capturing and releasing through the API."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from crm.models import User
from loyalty import services
from loyalty.models import LoyaltyCard, PointsHold, PointsTransaction
from tests import builders
from tests.door import post, refusal, said

pytestmark = pytest.mark.django_db
HOLDS = "/api/loyalty/holds"


@pytest.fixture
def cashier() -> User:
    """Somebody at the till."""
    return builders.member("cashier", builders.business())


def opened(card: LoyaltyCard, points: int = 200) -> PointsHold:
    """An open hold."""
    return services.hold_points(card, points=points, by=None)


def close(hold: PointsHold, how: str, by: User, sent: Any = None) -> Any:
    """POST a capture or a release."""
    return post(f"{HOLDS}/{hold.pk}/{how}", {} if sent is None else sent, by=by)


def told(hold: PointsHold, **fields: Any) -> dict[str, Any]:
    """What is answered about a hold."""
    expires_at = hold.expires_at.isoformat().replace("+00:00", "Z")
    known = {"id": str(hold.pk), "status": "open", "points": 200, "expires_at": expires_at, "transaction": None}
    return {**known, **fields}


def sums(card: LoyaltyCard) -> tuple[int, int, int]:
    """Balance, held and redeemed, as they are stored."""
    card.refresh_from_db()
    return card.points_balance, card.points_held, card.total_points_redeemed


def test_held_points_are_set_aside_for_a_quarter_of_an_hour(cashier: User) -> None:
    card = builders.card(500)
    answer = said(post(HOLDS, {"card": card.card_number, "points": 200}, by=cashier))
    hold = PointsHold.objects.get()
    assert answer == (201, told(hold))
    assert (hold.by, hold.expires_at - hold.created_at) == (cashier, timedelta(minutes=15))
    assert sums(card) == (500, 200, 0)


def test_all_of_a_hold_is_captured(cashier: User) -> None:
    card = builders.card(500)
    hold = opened(card)
    answer = said(close(hold, "capture", cashier))
    row = PointsTransaction.objects.get(operation_type="redeem_points")
    assert answer == (200, told(hold, status="captured", transaction=str(row.pk)))
    assert (row.points_delta, row.staff_member, sums(card)) == (-200, cashier, (300, 0, 200))


def test_part_of_a_hold_is_captured_and_the_rest_is_free(cashier: User) -> None:
    card = builders.card(500)
    hold = opened(card)
    answer = said(close(hold, "capture", cashier, {"points": 150}))
    row = PointsTransaction.objects.get(operation_type="redeem_points")
    assert answer == (200, told(hold, status="captured", transaction=str(row.pk)))
    assert (row.points_delta, sums(card)) == (-150, (350, 0, 150))


def test_hold_is_released(cashier: User) -> None:
    card = builders.card(500)
    hold = opened(card)
    assert said(close(hold, "release", cashier)) == (200, told(hold, status="released"))
    assert sums(card) == (500, 0, 0)


@pytest.mark.parametrize("again", ["capture", "release"])
@pytest.mark.parametrize("first", ["capture", "release"])
def test_closed_hold_stays_closed(cashier: User, first: str, again: str) -> None:
    card = builders.card(500)
    hold = opened(card)
    close(hold, first, cashier)
    before = sums(card)
    assert refusal(close(hold, again, cashier)) == (409, "hold_closed")
    assert sums(card) == before


@pytest.mark.parametrize("how", ["capture", "release"])
@pytest.mark.parametrize("is_booked", [True, False])
def test_lapsed_hold_is_expired_whether_or_not_somebody_has_looked(cashier: User, how: str, is_booked: bool) -> None:
    card = builders.card(500)
    hold = opened(card)
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=1)):
        if is_booked:
            services.settle_due()
        assert refusal(close(hold, how, cashier)) == (409, "expired")
        assert (
            post("/api/customer/loyalty/redeem", {"card": str(card.pk), "points": 500}, by=cashier).status_code == 200
        )


def test_no_more_than_was_held_is_captured(cashier: User) -> None:
    card = builders.card(500)
    assert refusal(close(opened(card), "capture", cashier, {"points": 201})) == (400, "limit_exceeded")
    assert sums(card) == (500, 200, 0)


def test_opening_is_refused_as_a_redemption_would_be(cashier: User) -> None:
    card = builders.card(500, of=builders.program(redemption_minimum=100, redemption_increment=50))
    sent = {"card": str(card.pk)}
    assert refusal(post(HOLDS, {**sent, "points": 50}, by=cashier)) == (400, "below_minimum")
    assert refusal(post(HOLDS, {**sent, "points": 125}, by=cashier)) == (400, "not_a_multiple")
    assert refusal(post(HOLDS, {**sent, "points": 550}, by=cashier)) == (409, "insufficient_points")
    assert post(HOLDS, {**sent, "points": 300}, by=cashier).status_code == 201
    assert refusal(post(HOLDS, {**sent, "points": 300}, by=cashier)) == (409, "insufficient_points")
    services.change_program(card.enrollment.program, is_active=False)
    assert refusal(post(HOLDS, {**sent, "points": 100}, by=cashier)) == (409, "program_inactive")
    services.change_program(card.enrollment.program, is_active=True)
    card.enrollment.status = "left"
    card.enrollment.save()
    assert refusal(post(HOLDS, {**sent, "points": 100}, by=cashier)) == (409, "not_enrolled")


def test_deduction_is_not_captured_and_only_a_manager_releases_it(cashier: User) -> None:
    card = builders.card(500)
    manager = builders.member("manager", builders.business())
    hold = services.ask_to_deduct(card, points=200, reason="Why", by=manager)
    for by in (cashier, manager, builders.member("owner", builders.business()), builders.superuser()):
        assert refusal(close(hold, "capture", by)) == (403, "permission_denied")
    assert refusal(close(hold, "release", cashier)) == (403, "permission_denied")
    assert refusal(close(hold, "release", builders.staff("loyalty.redeem_points"))) == (403, "permission_denied")
    assert said(close(hold, "release", manager)) == (200, told(hold, status="released"))
    assert sums(card) == (500, 0, 0)


@pytest.mark.parametrize("points", [0, -1, "5", 5.0, True, None, 1_000_000_001, [], {}])
def test_points_are_whole_and_more_than_nothing(cashier: User, points: Any) -> None:
    card = builders.card(500)
    answers = [
        post(HOLDS, {"card": str(card.pk), "points": points}, by=cashier),
        close(opened(card), "capture", cashier, {"points": points}),
    ]
    assert [(answer.status_code, list(said(answer)[1])) for answer in answers] == [(400, ["points"])] * 2


def test_release_says_nothing(cashier: User) -> None:
    hold = opened(builders.card(500))
    assert said(close(hold, "release", cashier, {"points": 5})) == (400, {"points": ["Unknown field."]})
