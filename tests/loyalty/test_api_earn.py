"""Earning through the API, by the program's rule or awarded."""

from typing import Any

import pytest

from crm.models import User
from loyalty import services
from loyalty.models import LoyaltyCard, PointsTransaction
from tests import builders
from tests.door import post, refusal, said

pytestmark = pytest.mark.django_db
EARN = "/api/loyalty/earn"


@pytest.fixture
def cashier() -> User:
    """Somebody at the till."""
    return builders.member("cashier", builders.business())


def card_of(**settings: Any) -> LoyaltyCard:
    """An empty card of a program with those settings."""
    return builders.card(of=builders.program(is_default=True, **settings))


def last() -> PointsTransaction | None:
    """The newest row of the ledger."""
    return PointsTransaction.objects.order_by("card", "seq").last()


def test_order_earns_a_point_for_each_whole_pound(cashier: User) -> None:
    card = card_of()
    answer = said(post(EARN, {"card": card.card_number, "order_total": "25.50"}, by=cashier))
    row = last()
    assert row is not None
    assert answer == (
        201,
        {
            "points_earned": 25,
            "points_balance": 25,
            "tier_level": "bronze",
            "transaction": str(row.pk),
            "explanation": "£25.50 at 1 = 25 points.",
        },
    )
    assert (row.staff_member, row.points_delta, row.operation_details["order_total"]) == (cashier, 25, "25.50")


@pytest.mark.parametrize(
    ("rule", "sent", "points", "explanation"),
    [
        ({"points_per_unit": "1.5"}, {"order_total": 25.5}, 38, "£25.50 at 1.5 = 38 points."),
        ({"earn_rule": "per_visit", "points_per_unit": 7}, {}, 7, "7 for each visit = 7 points."),
        (
            {"earn_rule": "per_visit", "points_per_unit": 7},
            {"order_total": "3.00"},
            7,
            "7 for each visit = 7 points.",
        ),
        ({"earn_rule": "fixed", "points_per_unit": 7}, {"order_total": 3}, 7, "7 for each order = 7 points."),
        ({}, {"points": 40}, 40, "Awarded: 40 points."),
        ({"min_order": 5}, {"points": 40}, 40, "Awarded: 40 points."),
        ({"min_order": 5}, {"order_total": "5.00"}, 5, "£5.00 at 1 = 5 points."),
    ],
)
def test_each_rule_earns_and_explains_itself(
    cashier: User, rule: dict[str, Any], sent: dict[str, Any], points: int, explanation: str
) -> None:
    card = card_of(**rule)
    status, answer = said(post(EARN, {"card": str(card.pk), **sent}, by=cashier))
    assert (status, answer["points_earned"], answer["explanation"]) == (201, points, explanation)
    card.refresh_from_db()
    assert (card.points_balance, card.total_points_earned) == (points, points)


@pytest.mark.parametrize("total", ["4.99", 0, "0.00", "-0.00"])
def test_below_the_minimum_nothing_is_booked(cashier: User, total: Any) -> None:
    card = card_of(min_order=5)
    status, answer = said(post(EARN, {"card": str(card.pk), "order_total": total}, by=cashier))
    shown = f"£{abs(float(total)):.2f}"
    assert (status, answer) == (
        201,
        {
            "points_earned": 0,
            "points_balance": 0,
            "tier_level": "bronze",
            "transaction": None,
            "explanation": f"{shown} is below the minimum order of £5.00: 0 points.",
        },
    )
    assert last() is None


def test_tier_rises_and_multiplies_the_next_order(cashier: User) -> None:
    tiers = [
        {"level": "bronze", "from_points": 0, "multiplier": "1"},
        {"level": "gold", "from_points": 10, "multiplier": 1.5},
    ]
    sent = {"card": str(card_of(tiers=tiers).pk), "order_total": "25.50"}
    first, second = (said(post(EARN, sent, by=cashier))[1] for _ in range(2))
    assert (first["points_earned"], first["tier_level"]) == (25, "gold")
    assert (second["points_earned"], second["explanation"]) == (38, "£25.50 at 1 × 1.5 for the tier = 38 points.")


def test_order_total_and_points_are_not_both_given(cashier: User) -> None:
    card = card_of()
    both = post(EARN, {"card": str(card.pk), "order_total": "1", "points": 1}, by=cashier)
    assert said(both) == (400, {"non_field_errors": ["Give at most one of order_total and points."]})
    neither = post(EARN, {"card": str(card.pk)}, by=cashier)
    assert said(neither) == (400, {"order_total": ["Give the order total, or points."]})


def test_what_one_booking_and_one_day_may_add_is_limited(cashier: User) -> None:
    sent = {"card": str(card_of(max_points_per_transaction=100, max_points_per_day=150).pk), "points": 100}
    assert refusal(post(EARN, {**sent, "points": 101}, by=cashier)) == (400, "limit_exceeded")
    assert post(EARN, sent, by=cashier).status_code == 201
    over = {"card": sent["card"], "order_total": "51"}
    assert refusal(post(EARN, over, by=cashier)) == (400, "limit_exceeded")
    assert post(EARN, {**sent, "points": 50}, by=cashier).status_code == 201


def test_switched_off_program_and_whoever_left_earn_nothing(cashier: User) -> None:
    card = card_of()
    sent = {"card": str(card.pk), "points": 1}
    services.change_program(card.enrollment.program, is_active=False)
    assert refusal(post(EARN, sent, by=cashier)) == (409, "program_inactive")
    services.change_program(card.enrollment.program, is_active=True)
    card.enrollment.status = "left"
    card.enrollment.save()
    assert refusal(post(EARN, sent, by=cashier)) == (409, "not_enrolled")


def test_what_is_owed_is_paid_first(cashier: User) -> None:
    card = builders.card(100)
    services.redeem_points(card, services.Instruction(), points=80)
    earned = PointsTransaction.objects.get(card=card, operation_type="earn_points")
    services.reverse_transaction(earned, services.Instruction(), reason="Returned.")
    answer = said(post(EARN, {"card": str(card.pk), "points": 100}, by=cashier))[1]
    assert (answer["points_earned"], answer["points_balance"]) == (100, 20)


@pytest.mark.parametrize("phone", ["+447306506797", "07306 506797", "+44 (0)7306 506797", "0044 7306 506797"])
def test_phone_is_one_in_any_spelling(cashier: User, phone: str) -> None:
    builders.card(by=builders.customer("07306506797"))
    assert post(EARN, {"phone": phone, "points": 5}, by=cashier).status_code == 201


def test_phone_is_read_as_the_business_dials() -> None:
    tenant = builders.business("bureau-de-poste")
    tenant.default_region = "FR"
    tenant.save()
    builders.card(by=builders.customer("+33 6 12 34 56 78"), of=builders.program(tenant))
    answer = post(EARN, {"phone": "06 12 34 56 78", "points": 5}, by=builders.member("cashier", tenant))
    assert answer.status_code == 201


# --- the caller's own number of the order --------------------------------------------------------------------------
def test_same_order_is_earned_once_and_answered_alike(cashier: User) -> None:
    card = card_of()
    sent = {"card": str(card.pk), "order_total": "25.50", "transaction_reference": "order-1"}
    first = post(EARN, sent, by=cashier)
    again = [
        post(EARN, sent, by=cashier),
        post(EARN, sent, by=cashier, Idempotency_Key="k1"),
        post(EARN, {**sent, "card": card.card_number, "order_total": 25.99}, by=cashier),
        post(EARN, {"card": str(card.pk), "points": 25, "transaction_reference": "order-1"}, by=cashier),
    ]
    assert (first.status_code, first.get("Idempotent-Replay")) == (201, None)
    assert [(answer.status_code, answer["Idempotent-Replay"]) for answer in again] == [(200, "true")] * 4
    assert {answer.content for answer in again} == {first.content}
    assert PointsTransaction.objects.count() == 1


def test_reference_of_another_order_is_a_conflict(cashier: User) -> None:
    card, other = card_of(), builders.card(by=builders.customer("07306 506797"))
    sent = {"card": str(card.pk), "points": 25, "transaction_reference": "order-1"}
    post(EARN, sent, by=cashier, Idempotency_Key="k1")
    assert refusal(post(EARN, {**sent, "points": 26}, by=cashier)) == (409, "reference_conflict")
    assert refusal(post(EARN, {**sent, "card": str(other.pk)}, by=cashier)) == (409, "reference_conflict")
    assert refusal(post(EARN, {**sent, "points": 26}, by=cashier, Idempotency_Key="k2")) == (409, "reference_conflict")


def test_reference_is_of_one_business_and_one_operation(cashier: User) -> None:
    card = card_of()
    sent = {"card": str(card.pk), "points": 25, "transaction_reference": "order-1"}
    assert post(EARN, sent, by=cashier).status_code == 201
    spent = post("/api/customer/loyalty/redeem", sent, by=cashier)
    assert (spent.status_code, spent.get("Idempotent-Replay")) == (200, None)
    foreign = builders.card(of=builders.program(builders.business("elsewhere")))
    other = builders.member("cashier", builders.business("elsewhere"))
    assert post(EARN, {**sent, "card": str(foreign.pk)}, by=other).status_code == 201


def test_redemption_of_the_same_order_is_redeemed_once(cashier: User) -> None:
    card = builders.card(500)
    sent = {"card": str(card.pk), "points": 200, "order_total": "25.50", "transaction_reference": "order-1"}
    answers = [post("/api/customer/loyalty/redeem", sent, by=cashier) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert [answer.get("Idempotent-Replay") for answer in answers] == [None, "true"]
    refused = post("/api/customer/loyalty/redeem", {**sent, "points": 100}, by=cashier)
    assert refusal(refused) == (409, "reference_conflict")
