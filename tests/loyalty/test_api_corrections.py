"""Adjusting and reversing through the API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from crm.models import IdempotencyKey, User
from loyalty import services
from loyalty.models import LoyaltyCard, PointsHold, PointsTransaction
from loyalty.services import Instruction
from notifications.models import ApprovalRequest
from tests import builders
from tests.door import post, refusal, said

pytestmark = pytest.mark.django_db
ADJUST = "/api/loyalty/adjust"


@pytest.fixture
def manager() -> User:
    """May correct points."""
    return builders.member("manager", builders.business())


def last(card: LoyaltyCard) -> PointsTransaction:
    """The newest row of a card."""
    return PointsTransaction.objects.filter(card=card).order_by("seq")[card.transactions.count() - 1]


def sums(card: LoyaltyCard) -> tuple[int, int, int]:
    """Balance, held and owed, as they are stored."""
    card.refresh_from_db()
    return card.points_balance, card.points_held, card.points_owed


def adjustment(card: LoyaltyCard, points: int, **fields: Any) -> dict[str, Any]:
    """The body of an adjustment."""
    return {"card": str(card.pk), "points": points, "reason": "Cold soup", **fields}


# --- adjusting -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("named", ["id", "number"])
def test_points_are_added_with_a_reason(manager: User, named: str) -> None:
    card = builders.card(100)
    text = str(card.pk) if named == "id" else card.card_number
    answer = said(post(ADJUST, {**adjustment(card, 50), "card": text}, by=manager))
    row = last(card)
    assert answer == (201, {"transaction": str(row.pk), "points_balance": 150})
    assert (row.points_delta, row.staff_member, row.operation_details["reason"]) == (50, manager, "Cold soup")


def test_business_that_takes_points_away_asks_first(manager: User) -> None:
    card = builders.card(100)
    status, answer = said(post(ADJUST, adjustment(card, -30), by=manager))
    hold = PointsHold.objects.get()
    asked = ApprovalRequest.objects.get()
    assert (status, answer) == (202, {"hold": str(hold.pk), "approval": str(asked.pk)})
    assert (asked.kind, asked.reference_id, asked.expires_at) == ("points_deduction", hold.pk, hold.expires_at)
    assert (hold.purpose, hold.points, hold.reason, hold.by) == ("deduction", 30, "Cold soup", manager)
    assert hold.expires_at - hold.created_at == timedelta(days=7)
    assert (sums(card), last(card).operation_type) == ((100, 30, 0), "earn_points")


def test_business_that_need_not_ask_takes_at_once(manager: User) -> None:
    card = builders.card(100, of=builders.program(deduction_needs_approval=False))
    answer = said(post(ADJUST, adjustment(card, -30), by=manager))
    assert answer == (201, {"transaction": str(last(card).pk), "points_balance": 70})


def test_staff_take_at_once_also_where_the_business_would_ask() -> None:
    card = builders.card(100)
    for by, left in ((builders.staff("loyalty.adjust_points"), 70), (builders.superuser(), 40)):
        answer = said(post(ADJUST, adjustment(card, -30), by=by))
        assert answer == (201, {"transaction": str(last(card).pk), "points_balance": left})
    assert PointsHold.objects.count() == 0


@pytest.mark.parametrize("points", [50, -50])
@pytest.mark.parametrize("reason", [{}, {"reason": ""}, {"reason": "  "}])
def test_adjustment_needs_a_reason(manager: User, points: int, reason: dict[str, str]) -> None:
    card = builders.card(100)
    sent = {"card": str(card.pk), "points": points, **reason}
    assert refusal(post(ADJUST, sent, by=manager)) == (400, "reason_required")
    assert sums(card) == (100, 0, 0)


def test_no_more_is_taken_than_is_there(manager: User) -> None:
    card = builders.card(100)
    for by in (manager, builders.superuser()):
        assert refusal(post(ADJUST, adjustment(card, -101), by=by)) == (409, "insufficient_points")


def test_adding_is_limited_as_earning_is(manager: User) -> None:
    card = builders.card(100, of=builders.program(max_points_per_transaction=100, max_points_per_day=150))
    assert refusal(post(ADJUST, adjustment(card, 101), by=manager)) == (400, "limit_exceeded")
    assert refusal(post(ADJUST, adjustment(card, 51), by=manager)) == (400, "limit_exceeded")
    assert post(ADJUST, adjustment(card, 50), by=manager).status_code == 201


@pytest.mark.parametrize("points", [5, -5])
def test_whoever_left_is_not_adjusted(manager: User, points: int) -> None:
    card = builders.card(100)
    card.enrollment.status = "left"
    card.enrollment.save()
    assert refusal(post(ADJUST, adjustment(card, points), by=manager)) == (409, "not_enrolled")


@pytest.mark.parametrize("points", [0, "5", 5.0, True, None, 1_000_000_001, -1_000_000_001, [], {}])
def test_points_are_whole_signed_and_not_nothing(manager: User, points: Any) -> None:
    status, answer = said(post(ADJUST, adjustment(builders.card(100), points), by=manager))
    assert (status, list(answer)) == (400, ["points"])


def test_adjustment_may_name_the_business_too(manager: User) -> None:
    card = builders.card(100)
    foreign = builders.card(100, of=builders.program(builders.business("elsewhere")))
    assert post(ADJUST, adjustment(card, 5, business="corner-cafe"), by=manager).status_code == 201
    assert refusal(post(ADJUST, adjustment(card, 5, business="elsewhere"), by=manager)) == (404, "not_found")
    assert refusal(post(ADJUST, adjustment(foreign, 5, business="corner-cafe"), by=builders.superuser())) == (
        404,
        "not_found",
    )


# --- reversing -----------------------------------------------------------------------------------------------------
def reverse(row: PointsTransaction, by: User, **fields: Any) -> Any:
    """POST a reversal."""
    return post(f"/api/loyalty/transactions/{row.pk}/reverse", {"reason": "Returned", **fields}, by=by)


def test_earning_is_taken_back_whole(manager: User) -> None:
    card = builders.card(100)
    earned = last(card)
    answer = said(reverse(earned, manager))
    row = last(card)
    assert answer == (
        201,
        {"transaction": str(row.pk), "points_reversed": 100, "points_balance": 0, "points_owed": 0},
    )
    assert (row.reverses, row.staff_member, row.points_delta) == (earned, manager, -100)
    assert refusal(reverse(earned, manager)) == (409, "already_reversed")


def test_redemption_is_given_back_in_parts(manager: User) -> None:
    card = builders.card(500)
    spent = services.redeem_points(card, Instruction(), points=200).transaction
    assert spent is not None
    first, rest = said(reverse(spent, manager, points=50))[1], said(reverse(spent, manager))[1]
    assert (first["points_reversed"], first["points_balance"]) == (50, 350)
    assert (rest["points_reversed"], rest["points_balance"]) == (150, 500)
    assert refusal(reverse(spent, manager, points=1)) == (409, "already_reversed")


def test_three_thirds_of_an_order_add_up_to_the_whole(manager: User) -> None:
    card = builders.card(of=builders.program(points_per_unit=10))
    earned = services.earn_points(card, Instruction(), order_total=Decimal("9.99")).transaction
    assert earned is not None
    parts = [said(reverse(earned, manager, amount=amount))[1]["points_reversed"] for amount in ("3.33", 3.33, "3.33")]
    assert (parts, sums(card)) == ([33, 33, 33], (0, 0, 0))


def test_hundred_points_in_three_thirds(manager: User) -> None:
    card = builders.card(of=builders.program(points_per_unit=1))
    earned = services.earn_points(card, Instruction(), order_total=Decimal("100.50")).transaction
    assert earned is not None
    answers = [said(reverse(earned, manager, amount="33.50"))[1] for _ in range(3)]
    assert [(answer["points_reversed"], answer["points_balance"]) for answer in answers] == [
        (33, 67),
        (33, 34),
        (34, 0),
    ]


def test_spent_points_are_owed(manager: User) -> None:
    card = builders.card(100)
    earned = last(card)
    services.redeem_points(card, Instruction(), points=80)
    answer = said(reverse(earned, manager))[1]
    assert (answer["points_reversed"], answer["points_balance"], answer["points_owed"]) == (100, 0, 80)


def test_points_that_return_to_an_expired_lot_are_gone_again(manager: User) -> None:
    card = builders.card(100, of=builders.program(expiry_days=30))
    spent = services.redeem_points(card, Instruction(), points=80).transaction
    assert spent is not None
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        sent = {"reason": "Returned"}
        path = f"/api/loyalty/transactions/{spent.pk}/reverse"
        first = post(path, sent, by=manager, Idempotency_Key="k")
        IdempotencyKey.objects.all().delete()
        again = post(path, sent, by=manager, Idempotency_Key="k")
    assert (again.status_code, again.content) == (201, first.content)
    row = PointsTransaction.objects.get(reverses=spent)
    assert said(first)[1] == {
        "transaction": str(row.pk),
        "points_reversed": 80,
        "points_balance": 0,
        "points_owed": 0,
    }
    assert sums(card) == (0, 0, 0)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"points": 101}, (400, "limit_exceeded")),
        ({"reason": ""}, (400, "reason_required")),
        ({"reason": " ", "points": 5}, (400, "reason_required")),
    ],
)
def test_reversal_is_refused(manager: User, fields: dict[str, Any], refused: tuple[int, str]) -> None:
    card = builders.card(100)
    assert refusal(reverse(last(card), manager, **fields)) == refused
    assert sums(card) == (100, 0, 0)


def test_more_of_an_order_than_is_left_is_refused(manager: User) -> None:
    card = builders.card(of=builders.program(points_per_unit=1))
    earned = services.earn_points(card, Instruction(), order_total=Decimal("20.00")).transaction
    assert earned is not None
    assert refusal(reverse(earned, manager, amount="20.01")) == (400, "limit_exceeded")
    assert reverse(earned, manager, amount="15").status_code == 201
    assert refusal(reverse(earned, manager, amount="5.01")) == (400, "limit_exceeded")


def test_award_has_no_order_to_take_a_part_of(manager: User) -> None:
    answer = said(reverse(last(builders.card(100)), manager, amount="1.00"))
    assert answer == (400, {"amount": ["The original has no order total: give points."]})


def test_points_and_amount_are_not_both_given(manager: User) -> None:
    answer = said(reverse(last(builders.card(100)), manager, amount="1.00", points=1))
    assert answer == (400, {"non_field_errors": ["Give at most one of points and amount."]})


def test_reversal_is_not_reversed(manager: User) -> None:
    card = builders.card(100)
    reverse(last(card), manager, points=10)
    assert refusal(reverse(last(card), manager)) == (409, "already_reversed")
