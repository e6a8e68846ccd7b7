"""What is sent again moves points once, for ever: keys, their scope, and the ledger's memory."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse

from crm.models import IdempotencyKey, User
from loyalty import services
from loyalty.models import LoyaltyCard, PointsHold, PointsTransaction
from tests import builders
from tests.door import post, refusal, said, send

pytestmark = pytest.mark.django_db
REDEEM, EARN, ADJUST, HOLDS = (
    "/api/customer/loyalty/redeem",
    "/api/loyalty/earn",
    "/api/loyalty/adjust",
    "/api/loyalty/holds",
)


@pytest.fixture
def manager() -> User:
    """May do everything in the business."""
    return builders.member("manager", builders.business())


def earned(card: LoyaltyCard) -> PointsTransaction:
    """The first row of a card."""
    return PointsTransaction.objects.get(card=card, seq=1)


def held(card: LoyaltyCard) -> PointsHold:
    """An open hold of 100."""
    return services.hold_points(card, points=100, by=None)


# Every operation with a row in the ledger: its address and body, and the status of the first answer.
Wish = Callable[[LoyaltyCard], tuple[str, dict[str, Any], int]]
BOOKED: dict[str, Wish] = {
    "redeem": lambda card: (REDEEM, {"card": str(card.pk), "points": 200, "order_total": "25.50"}, 200),
    "earn": lambda card: (EARN, {"card": str(card.pk), "order_total": "25.50"}, 201),
    "award": lambda card: (EARN, {"phone": card.enrollment.customer.phone, "points": 10}, 201),
    "adjust": lambda card: (ADJUST, {"card": str(card.pk), "points": 10, "reason": "Why"}, 201),
    "reverse": lambda card: (
        f"/api/loyalty/transactions/{earned(card).pk}/reverse",
        {"points": 10, "reason": "Why"},
        201,
    ),
    "capture": lambda card: (f"{HOLDS}/{held(card).pk}/capture", {"points": 60}, 200),
}
REMEMBERED: dict[str, Wish] = {
    "nothing": lambda card: (EARN, {"card": str(card.pk), "order_total": "0.99"}, 201),
    "ask": lambda card: (ADJUST, {"card": str(card.pk), "points": -10, "reason": "Why"}, 202),
    "hold": lambda card: (HOLDS, {"card": str(card.pk), "points": 10}, 201),
    "release": lambda card: (f"{HOLDS}/{held(card).pk}/release", {}, 200),
}


def state(card: LoyaltyCard) -> tuple[Any, ...]:
    """The card and everything that hangs on it."""
    rows = PointsTransaction.objects.filter(card=card).order_by("seq")
    lots, holds = card.lots.order_by("pk"), card.holds.order_by("pk")
    card.refresh_from_db()
    sums = (card.points_balance, card.points_held, card.points_owed, card.last_seq)
    return sums, list(rows.values_list()), list(lots.values_list()), list(holds.values_list())


@pytest.mark.parametrize("name", [*BOOKED, *REMEMBERED])
def test_same_key_and_body_give_the_first_answer_again(manager: User, name: str) -> None:
    card = builders.card(500)
    path, body, status = (BOOKED | REMEMBERED)[name](card)
    first = post(path, body, by=manager, Idempotency_Key="k")
    after = state(card)
    again = [post(path, body, by=manager, Idempotency_Key="k") for _ in range(2)]
    assert (first.status_code, first.get("Idempotent-Replay")) == (status, None)
    assert [(answer.status_code, answer["Idempotent-Replay"]) for answer in again] == [(status, "true")] * 2
    assert {answer.content for answer in again} == {first.content}
    assert state(card) == after


@pytest.mark.parametrize("name", BOOKED)
def test_ledger_gives_the_first_answer_when_the_remembered_one_is_gone(manager: User, name: str) -> None:
    card = builders.card(500)
    path, body, status = BOOKED[name](card)
    first = post(path, body, by=manager, Idempotency_Key="k")
    services.redeem_points(card, services.Instruction(), points=5)
    after = state(card)
    for _ in range(2):
        IdempotencyKey.objects.all().delete()
        again = post(path, body, by=manager, Idempotency_Key="k")
        assert (again.status_code, again["Idempotent-Replay"], again.content) == (status, "true", first.content)
    assert state(card) == after


@pytest.mark.parametrize("name", BOOKED)
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_same_key_for_another_wish_is_422(manager: User, name: str, is_forgotten: bool) -> None:
    card = builders.card(500)
    path, body, _ = BOOKED[name](card)
    assert post(path, body, by=manager, Idempotency_Key="k").status_code < 300
    after = state(card)
    if is_forgotten:
        IdempotencyKey.objects.all().delete()
    again = [
        post(
            path,
            {**body, "points": 11} if "points" in body else {**body, "order_total": "9"},
            by=manager,
            Idempotency_Key="k",
        ),
        post(EARN, {"card": str(card.pk), "points": 12}, by=manager, Idempotency_Key="k"),
        post(REDEEM, {"card": str(card.pk), "points": 12}, by=manager, Idempotency_Key="k"),
        send("PUT", REDEEM, {"card": str(card.pk), "points": 12, "redemption_id": "k"}, by=manager),
        post(ADJUST, {"card": str(card.pk), "points": 12, "reason": "Why"}, by=manager, Idempotency_Key="k"),
        post(ADJUST, {"card": str(card.pk), "points": -12, "reason": "Why"}, by=manager, Idempotency_Key="k"),
    ]
    assert [refusal(answer) for answer in again] == [(422, "idempotency_key_reused")] * 6
    assert state(card) == after


def test_same_body_for_another_row_is_another_wish(manager: User) -> None:
    card = builders.card(500)
    body = {"points": 1, "reason": "Why"}
    services.earn_points(card, services.Instruction(), points=7)
    first, second = PointsTransaction.objects.order_by("seq")
    path = "/api/loyalty/transactions/{}/reverse"
    assert post(path.format(first.pk), body, by=manager, Idempotency_Key="k").status_code == 201
    other = post(path.format(second.pk), body, by=manager, Idempotency_Key="k")
    assert refusal(other) == (422, "idempotency_key_reused")


def test_order_of_the_fields_does_not_make_another_body(manager: User) -> None:
    body = {"card": str(builders.card(500).pk), "points": 200, "order_total": 25.5}
    post(REDEEM, body, by=manager, Idempotency_Key="k")
    again = post(REDEEM, dict(reversed(body.items())), by=manager, Idempotency_Key="k")
    assert (again.status_code, again["Idempotent-Replay"]) == (200, "true")


def test_key_is_of_the_business_whoever_sends_it(manager: User) -> None:
    card = builders.card(500)
    body = {"card": str(card.pk), "points": 200}
    first = post(REDEEM, body, by=manager, Idempotency_Key="k")
    cashier = builders.member("cashier", builders.business())
    assert post(REDEEM, body, by=cashier, Idempotency_Key="k").content == first.content
    elsewhere = builders.business("elsewhere")
    foreign = builders.card(500, of=builders.program(elsewhere))
    there = post(
        REDEEM, {"card": str(foreign.pk), "points": 1}, by=builders.member("owner", elsewhere), Idempotency_Key="k"
    )
    assert (there.status_code, there.get("Idempotent-Replay")) == (200, None)
    assert list(IdempotencyKey.objects.order_by("pk").values_list("scope", flat=True)) == [
        f"points:{builders.business().pk}",
        f"points:{elsewhere.pk}",
    ]


def test_replay_is_for_those_only_who_may_do_it(manager: User) -> None:
    body = {"card": str(builders.card(500).pk), "points": 200}
    post(REDEEM, body, by=manager, Idempotency_Key="k")
    assert refusal(post(REDEEM, body, by=builders.plain_user(), Idempotency_Key="k")) == (403, "permission_denied")
    stranger = builders.member("owner", builders.business("elsewhere"))
    assert refusal(post(REDEEM, body, by=stranger, Idempotency_Key="k")) == (404, "not_found")


@pytest.mark.parametrize("key", ["", "a" * 256, "caf\xe9", "a\tb"])
@pytest.mark.parametrize("name", [*BOOKED, *REMEMBERED])
def test_malformed_key_is_400_and_moves_nothing(manager: User, name: str, key: str) -> None:
    card = builders.card(500)
    path, body, _ = (BOOKED | REMEMBERED)[name](card)
    before = state(card)
    assert refusal(post(path, body, by=manager, Idempotency_Key=key)) == (400, "idempotency_key_invalid")
    assert (state(card), IdempotencyKey.objects.count()) == (before, 0)


def test_refusal_is_not_remembered(manager: User) -> None:
    card = builders.card(100)
    body = {"card": str(card.pk), "points": 200}
    assert refusal(post(REDEEM, body, by=manager, Idempotency_Key="k")) == (409, "insufficient_points")
    assert IdempotencyKey.objects.count() == 0
    services.earn_points(card, services.Instruction(), points=100)
    answer = post(REDEEM, body, by=manager, Idempotency_Key="k")
    assert (answer.status_code, answer.get("Idempotent-Replay")) == (200, None)


def test_dry_run_claims_no_key_and_replays_none(manager: User) -> None:
    body = {"card": str(builders.card(500).pk), "points": 200, "dry_run": True}
    for _ in range(2):
        answer = post(REDEEM, body, by=manager, Idempotency_Key="k")
        assert (answer.status_code, answer.get("Idempotent-Replay"), said(answer)[1]["points_balance"]) == (
            200,
            None,
            500,
        )
    assert IdempotencyKey.objects.count() == 0


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_replay_comes_whatever_has_changed_since(manager: User, is_forgotten: bool) -> None:
    card = builders.card(200)
    body = {"card": str(card.pk), "points": 200, "order_total": "25.50"}
    first = post(REDEEM, body, by=manager, Idempotency_Key="k")
    services.change_program(card.enrollment.program, is_active=False, point_value="0.5", redemption_minimum=1000)
    if is_forgotten:
        IdempotencyKey.objects.all().delete()
    again = post(REDEEM, body, by=manager, Idempotency_Key="k")
    assert (again.status_code, again["Idempotent-Replay"], again.content) == (200, "true", first.content)


def test_replay_comes_although_the_phone_now_means_another_card(manager: User) -> None:
    customer = builders.customer("07306 506797")
    builders.card(200, by=customer)
    body = {"phone": "07306 506797", "points": 200}
    first = post(REDEEM, body, by=manager, Idempotency_Key="k")
    builders.program(name="Another", is_default=True)
    assert post(REDEEM, body, by=manager, Idempotency_Key="k").content == first.content
    assert refusal(post(REDEEM, body, by=manager)) == (404, "not_found")


def test_deduction_that_was_booked_is_not_asked_about_again(manager: User) -> None:
    card = builders.card(500, of=builders.program(deduction_needs_approval=False, is_default=True))
    body = {"card": str(card.pk), "points": -10, "reason": "Why"}
    first = post(ADJUST, body, by=manager, Idempotency_Key="k")
    services.change_program(card.enrollment.program, deduction_needs_approval=True)
    IdempotencyKey.objects.all().delete()
    again = post(ADJUST, body, by=manager, Idempotency_Key="k")
    assert (again.status_code, again["Idempotent-Replay"], again.content) == (201, "true", first.content)
    assert PointsHold.objects.count() == 0


def test_without_a_key_the_same_is_done_again(manager: User) -> None:
    card = builders.card(500)
    for left in (300, 100):
        assert said(post(REDEEM, {"card": str(card.pk), "points": 200}, by=manager))[1]["points_balance"] == left
    assert IdempotencyKey.objects.count() == 0


def in_parallel(send_one: Callable[[int], HttpResponse], count: int = 6) -> list[HttpResponse]:
    """The answers to requests that were sent at once."""
    gate, answers = Barrier(count), []

    def knock(number: int) -> None:
        gate.wait()
        answers.append(send_one(number))
        connection.close()

    threads = [Thread(target=knock, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_twins_in_flight_have_one_effect_and_one_answer(manager: User) -> None:
    card = builders.card(500)
    body = {"card": str(card.pk), "points": 200, "redemption_id": "k"}
    answers = in_parallel(lambda _number: send("PUT", REDEEM, body, by=manager))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert sorted(answer.get("Idempotent-Replay", "") for answer in answers) == [""] + ["true"] * 5
    card.refresh_from_db()
    assert (card.points_balance, card.last_seq) == (300, 2)


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_twins_of_one_order_under_other_keys_earn_once(manager: User) -> None:
    card = builders.card(500)
    body = {"card": str(card.pk), "points": 20, "transaction_reference": "order-1"}
    answers = in_parallel(lambda number: post(EARN, body, by=manager, Idempotency_Key=f"k{number}"))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert {answer.content for answer in answers} == {answers[0].content}
    card.refresh_from_db()
    assert (card.points_balance, card.last_seq) == (520, 2)
