"""Redeeming through the API: by a till, by customers, and only told."""

from typing import Any
from uuid import uuid4

import pytest

from crm.models import User
from loyalty import services
from loyalty.models import LoyaltyCard, PointsTransaction
from tests import builders
from tests.door import post, refusal, said, send

pytestmark = pytest.mark.django_db
REDEEM = "/api/customer/loyalty/redeem"
SPELLINGS = ["+447306506797", "07306 506797", "+44 (0)7306 506797", "0044 7306 506797", " 07306-506 797 "]


@pytest.fixture
def cashier() -> User:
    """Somebody at the till."""
    return builders.member("cashier", builders.business())


def body(card: LoyaltyCard, points: int = 200, **fields: Any) -> dict[str, Any]:
    """A redemption with that card."""
    return {"card": str(card.pk), "points": points, **fields}


def told(**fields: Any) -> dict[str, Any]:
    """What a redemption of 200 of 500 points on £25.50 answers."""
    return {
        "success": True,
        "points_redeemed": 200,
        "discount": "2.00",
        "order_total_after": "23.50",
        "points_balance": 300,
        "points_balance_after": 300,
        **fields,
    }


def last() -> PointsTransaction:
    """The newest row of the ledger."""
    row = PointsTransaction.objects.order_by("card", "seq").last()
    assert row is not None
    return row


def sums(card: LoyaltyCard) -> tuple[int, int, int]:
    """Balance, earned and redeemed, as they are stored."""
    card.refresh_from_db()
    return card.points_balance, card.total_points_earned, card.total_points_redeemed


def test_two_hundred_points_take_two_pounds_off(cashier: User) -> None:
    card = builders.card(500)
    answer = post(REDEEM, body(card, order_total="25.50", order_id="A-17"), by=cashier)
    row = last()
    assert said(answer) == (200, told(transaction=str(row.pk)))
    assert answer.get("Idempotent-Replay") is None
    assert (row.points_delta, row.staff_member, row.operation_details["order_id"]) == (-200, cashier, "A-17")
    assert sums(card) == (300, 500, 200)


def test_without_an_order_total_there_is_nothing_to_pay_after(cashier: User) -> None:
    answer = said(post(REDEEM, body(builders.card(500)), by=cashier))
    assert answer == (200, told(order_total_after=None, transaction=str(last().pk)))


@pytest.mark.parametrize("total", [25.5, "25.50", "25.5"])
def test_money_comes_as_a_number_or_as_text(cashier: User, total: Any) -> None:
    assert (
        said(post(REDEEM, body(builders.card(500), order_total=total), by=cashier))[1]["order_total_after"] == "23.50"
    )


def test_cents_are_never_rounded_through_floats(cashier: User) -> None:
    builders.program(point_value="0.0001", max_points_per_transaction=None, is_default=True)
    card = builders.card(500)
    answer = said(post(REDEEM, body(card, 199, order_total=9_999_999_999.99), by=cashier))[1]
    assert (answer["discount"], answer["order_total_after"]) == ("0.01", "9999999999.98")


def test_dry_run_tells_and_moves_nothing(cashier: User) -> None:
    card = builders.card(500)
    answer = said(post(REDEEM, body(card, order_total="25.50", dry_run=True), by=cashier))
    assert answer == (200, told(points_balance=500, points_balance_after=300, transaction=None))
    assert (sums(card), last().operation_type) == ((500, 500, 0), "earn_points")


def test_balance_moves_with_its_row_and_by_the_book(cashier: User) -> None:
    manager = builders.member("manager", builders.business())
    card = builders.card(300)
    for points, left in ((25, 275), (75, 200), (20, 180)):
        answer = said(post(REDEEM, body(card, points), by=cashier))[1]
        assert (answer["points_redeemed"], answer["points_balance_after"]) == (points, left)
    earned = said(post("/api/loyalty/earn", body(card, 320), by=cashier))[1]
    assert (earned["points_earned"], earned["points_balance"], earned["tier_level"]) == (320, 500, "silver")
    assert said(post(REDEEM, body(card, 50), by=manager))[1]["points_balance"] == 450
    rows = PointsTransaction.objects.filter(card=card).order_by("seq")
    assert list(rows.values_list("seq", "points_delta", "balance_after")) == [
        (1, 300, 300),
        (2, -25, 275),
        (3, -75, 200),
        (4, -20, 180),
        (5, 320, 500),
        (6, -50, 450),
    ]
    assert sums(card) == (450, 620, 170)


def strict(balance: int) -> LoyaltyCard:
    """A card in a program with a minimum, an increment and a largest share."""
    rules: dict[str, Any] = {"redemption_minimum": 100, "redemption_increment": 50, "max_redeem_percent": 50}
    return builders.card(balance, of=builders.program(is_default=True, **rules))


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("points", "refused"),
    [
        (50, (400, "below_minimum")),
        (99, (400, "below_minimum")),
        (125, (400, "not_a_multiple")),
        (1300, (400, "over_order_limit")),
        (2050, (409, "insufficient_points")),
    ],
)
def test_rules_are_checked_in_order(cashier: User, points: int, refused: tuple[int, str], dry_run: bool) -> None:
    card = strict(2000)
    sent = body(card, points, order_total="25.00", dry_run=dry_run)
    assert refusal(post(REDEEM, sent, by=cashier)) == refused
    assert sums(card) == (2000, 2000, 0)


def test_half_of_the_order_may_be_paid_with_points(cashier: User) -> None:
    answer = said(post(REDEEM, body(strict(2000), 1250, order_total="25.00"), by=cashier))[1]
    assert (answer["discount"], answer["order_total_after"], answer["points_balance"]) == ("12.50", "12.50", 750)


def test_switched_off_program_comes_before_everything_else(cashier: User) -> None:
    card = strict(2000)
    services.change_program(card.enrollment.program, is_active=False)
    assert refusal(post(REDEEM, body(card, 50), by=cashier)) == (409, "program_inactive")


def test_whoever_left_redeems_nothing(cashier: User) -> None:
    card = strict(2000)
    card.enrollment.status = "left"
    card.enrollment.save()
    assert refusal(post(REDEEM, body(card, 50), by=cashier)) == (409, "not_enrolled")


def test_held_points_are_not_available(cashier: User) -> None:
    card = builders.card(500)
    services.hold_points(card, points=400, by=cashier)
    assert refusal(post(REDEEM, body(card, 200), by=cashier)) == (409, "insufficient_points")


# --- whose card ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("phone", SPELLINGS)
def test_phone_is_one_in_any_spelling(cashier: User, phone: str) -> None:
    builders.card(500, by=builders.customer("07306 506797"))
    sent = {"phone": phone, "points": 200, "order_total": "25.50"}
    assert said(post(REDEEM, sent, by=cashier)) == (200, told(transaction=str(last().pk)))


def test_card_is_found_by_id_or_by_number_in_any_case(cashier: User) -> None:
    card = builders.card(500)
    spaced = f" {card.card_number[:3].lower()} {card.card_number[3:]}"
    for text in (str(card.pk), str(card.pk).upper(), card.card_number, spaced):
        assert post(REDEEM, {"card": text, "points": 1}, by=cashier).status_code == 200
    assert sums(card)[0] == 496


def test_phone_means_the_default_program_unless_another_is_named(cashier: User) -> None:
    person = builders.customer("07306 506797")
    default, other = builders.program(), builders.program(name="Other")
    cards = [builders.card(500, of=at, by=person) for at in (default, other)]
    sent = {"phone": "07306506797", "points": 10}
    post(REDEEM, sent, by=cashier)
    post(REDEEM, {**sent, "points": 20, "program": str(other.pk)}, by=cashier)
    assert [sums(card)[0] for card in cards] == [490, 480]


@pytest.mark.parametrize(
    "named",
    [{"phone": "07306 000000"}, {"card": str(uuid4())}, {"card": "COR00000000"}, {"card": "?"}, {"qr": "ABCDEF"}],
)
def test_card_that_nobody_has_is_missing(cashier: User, named: dict[str, str]) -> None:
    builders.card(500, by=builders.customer("07306 506797"))
    assert refusal(post(REDEEM, {**named, "points": 1}, by=cashier)) == (404, "not_found")


@pytest.mark.parametrize("named", [{}, {"phone": "07306 506797", "card": "A"}, {"card": "A", "qr": "B"}])
def test_card_is_named_in_exactly_one_way(cashier: User, named: dict[str, str]) -> None:
    message = {"non_field_errors": ["Give exactly one of phone, card and qr."]}
    assert said(post(REDEEM, {**named, "points": 1}, by=cashier)) == (400, message)


@pytest.mark.parametrize("phone", ["12", "not a phone", "+44", "0" * 40])
def test_impossible_phone_is_named(cashier: User, phone: str) -> None:
    status, said_so = said(post(REDEEM, {"phone": phone, "points": 1}, by=cashier))
    assert (status, list(said_so)) == (400, ["phone"])


# --- customers -----------------------------------------------------------------------------------------------------
def owner_of(card: LoyaltyCard) -> User:
    """The login of the customer whose card it is."""
    customer = card.enrollment.customer
    customer.user = builders.plain_user()
    customer.save()
    return customer.user


def test_customer_redeems_with_the_own_card_and_no_staff_did_it() -> None:
    card = builders.card(500)
    customer = owner_of(card)
    sent = body(card, order_total="25.50")
    dry = said(post(REDEEM, {**sent, "dry_run": True}, by=customer))
    assert dry == (200, told(points_balance=500, transaction=None))
    assert said(post(REDEEM, sent, by=customer)) == (200, told(transaction=str(last().pk)))
    assert last().staff_member is None


def test_customer_may_name_the_own_phone_and_the_business() -> None:
    card = builders.card(500, by=builders.customer("07306 506797"))
    customer = owner_of(card)
    for named in ({}, {"business": "corner-cafe"}, {"business": str(builders.business().pk)}):
        sent = {"phone": "07306 506797", "points": 100, **named}
        assert post(REDEEM, sent, by=customer).status_code == 200
    assert sums(card)[0] == 200


def test_customer_of_several_businesses_names_one_for_a_phone() -> None:
    person = builders.customer("07306 506797")
    here = builders.card(500, by=person)
    there = builders.card(500, by=person, of=builders.program(builders.business("elsewhere")))
    customer = owner_of(here)
    sent = {"phone": "07306 506797", "points": 100}
    assert list(said(post(REDEEM, sent, by=customer))[1]) == ["business"]
    assert post(REDEEM, {**sent, "business": "elsewhere"}, by=customer).status_code == 200
    assert (sums(here)[0], sums(there)[0]) == (500, 400)


def test_customer_redeems_with_nobody_elses_card() -> None:
    mine = builders.card(500, by=builders.customer("07306 506797"))
    other = builders.card(500, by=builders.customer("07306 506798"))
    foreign = builders.card(500, of=builders.program(builders.business("elsewhere")))
    customer = owner_of(mine)
    answers = [
        post(REDEEM, {"points": 1, **named}, by=customer)
        for named in (
            {"card": str(uuid4())},
            {"card": str(other.pk)},
            {"card": other.card_number, "business": "corner-cafe"},
            {"card": str(foreign.pk)},
            {"card": str(mine.pk), "business": "elsewhere"},
            {"phone": "07306 506798"},
            {"phone": "07306 506798", "business": "corner-cafe"},
            {"qr": "ABC"},
        )
    ]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 8


def test_cashier_with_a_card_elsewhere_still_stands_at_the_own_till(cashier: User) -> None:
    person = builders.customer("07306 506797", user=cashier)
    here, there = (
        builders.card(500, by=person),
        builders.card(500, by=person, of=builders.program(builders.business("b"))),
    )
    assert post(REDEEM, {"phone": "07306 506797", "points": 100}, by=cashier).status_code == 200
    assert (sums(here)[0], sums(there)[0], last().staff_member) == (400, 500, cashier)
    assert post(REDEEM, {"card": str(there.pk), "points": 100}, by=cashier).status_code == 200
    row = PointsTransaction.objects.get(card=there, points_delta=-100)
    assert row.staff_member is None


# --- the client's own id -------------------------------------------------------------------------------------------
def put(sent: dict[str, Any], **kwargs: Any) -> Any:
    """A PUT."""
    return send("PUT", REDEEM, sent, **kwargs)


def test_put_redeems_once_however_often_it_is_sent(cashier: User) -> None:
    card = builders.card(500)
    sent = body(card, order_total="25.50", redemption_id="till-2 17")
    answers = [put(sent, by=cashier) for _ in range(3)]
    assert [said(answer) for answer in answers] == [(200, told(transaction=str(last().pk)))] * 3
    assert [answer.get("Idempotent-Replay") for answer in answers] == [None, "true", "true"]
    assert (sums(card), last().idempotency_key) == ((300, 500, 200), "till-2 17")


def test_put_and_post_share_their_keys(cashier: User) -> None:
    card = builders.card(500)
    put(body(card, redemption_id="k"), by=cashier)
    again = post(REDEEM, body(card), by=cashier, Idempotency_Key="k")
    assert (again.status_code, again["Idempotent-Replay"]) == (200, "true")
    assert refusal(put(body(card, 1, redemption_id="k"), by=cashier)) == (422, "idempotency_key_reused")
    assert sums(card)[0] == 300


@pytest.mark.parametrize("key", ["", "a" * 256, "caf\xe9", "a\tb", "\x7f", "\n"])
def test_id_of_a_redemption_is_a_key(cashier: User, key: str) -> None:
    card = builders.card(500)
    for dry_run in (True, False):
        answer = put(body(card, redemption_id=key, dry_run=dry_run), by=cashier)
        assert refusal(answer) == (400, "idempotency_key_invalid")
    assert sums(card)[0] == 500


def test_put_needs_its_id_and_post_has_none(cashier: User) -> None:
    card = builders.card(500)
    assert said(put(body(card), by=cashier)) == (400, {"redemption_id": ["This field is required."]})
    assert said(post(REDEEM, body(card, redemption_id="k"), by=cashier)) == (
        400,
        {"redemption_id": ["Unknown field."]},
    )


def test_dry_run_claims_no_id(cashier: User) -> None:
    card = builders.card(500)
    for dry_run in (True, False):
        answer = put(body(card, redemption_id="k", dry_run=dry_run), by=cashier)
        assert (answer.status_code, answer.get("Idempotent-Replay")) == (200, None)
    assert sums(card)[0] == 300
