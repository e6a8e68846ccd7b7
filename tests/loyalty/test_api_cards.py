"""Cards and statements, for customers and businesses."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.http import StreamingHttpResponse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import User
from loyalty import services
from loyalty.models import Customer, LoyaltyCard, PointsTransaction
from loyalty.services import Instruction
from tests import builders
from tests.door import bearer, get, refusal, said

pytestmark = pytest.mark.django_db
CARDS = "/api/loyalty/cards"
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def cashier() -> User:
    """Somebody at the till."""
    return builders.member("cashier", builders.business())


def login_of(card: LoyaltyCard) -> User:
    """The login of the customer whose card it is."""
    customer = Customer.objects.get(pk=card.enrollment.customer_id)
    customer.user = customer.user or builders.plain_user()
    customer.save()
    return customer.user


def shown(card: LoyaltyCard, **fields: Any) -> dict[str, Any]:
    """What is answered about a card of 500 points of which 50 are held."""
    card = LoyaltyCard.objects.complete().get(pk=card.pk)
    program, customer = card.enrollment.program, card.enrollment.customer
    assert card.last_activity_at is not None
    return {
        "id": str(card.pk),
        "card_number": card.card_number,
        "business": str(program.business_id),
        "program": {"id": str(program.pk), "name": program.name},
        "customer": {"id": str(customer.pk), "name": "Ada Lovelace", "phone": customer.phone},
        "status": "active",
        "points_balance": 500,
        "points_held": 50,
        "points_owed": 0,
        "points_available": 450,
        "total_points_earned": 820,
        "total_points_redeemed": 320,
        "tier_level": "silver",
        "money_value": "4.50",
        "last_activity_at": card.last_activity_at.isoformat().replace("+00:00", "Z"),
        **fields,
    }


def used(of: Any = None) -> LoyaltyCard:
    """A card with something on it."""
    card = builders.card(820, of=of)
    services.redeem_points(card, Instruction(), points=320)
    services.hold_points(card, points=50, by=None)
    return card


def numbers(path: str, by: User) -> list[str]:
    """The card numbers of a list, in its order."""
    status, body = said(get(path, by=by))
    assert status == 200, body
    return [row["card_number"] for row in body["results"]]


# --- the list ------------------------------------------------------------------------------------------------------
def test_list_shows_each_card_and_its_sums(cashier: User) -> None:
    card = used()
    assert said(get(CARDS, by=cashier)) == (
        200,
        {"count": 1, "next": None, "previous": None, "results": [shown(card)]},
    )


def test_everybody_sees_what_is_theirs(cashier: User) -> None:
    elsewhere = builders.business("elsewhere")
    mine = builders.card()
    other = builders.card()
    abroad = builders.card(by=mine.enrollment.customer, of=builders.program(elsewhere))
    both = builders.member("manager", builders.business(), elsewhere)
    customer, keeper = login_of(mine), builders.staff("loyalty.view_loyaltycard")
    everything = [abroad.card_number, other.card_number, mine.card_number]
    here, there = f"{CARDS}?business=corner-cafe", f"{CARDS}?business={elsewhere.pk}"
    assert numbers(CARDS, cashier) == numbers(here, cashier) == everything[1:]
    assert (numbers(here, both), numbers(there, both)) == (everything[1:], everything[:1])
    assert numbers(CARDS, keeper) == numbers(CARDS, builders.superuser()) == everything
    assert numbers(there, keeper) == everything[:1]
    assert numbers(CARDS, customer) == [abroad.card_number, mine.card_number]
    assert (numbers(here, customer), numbers(there, customer)) == ([mine.card_number], [abroad.card_number])


def test_member_who_collects_elsewhere_sees_both(cashier: User) -> None:
    elsewhere = builders.business("elsewhere")
    here = builders.card()
    own = builders.card(by=builders.customer(user=cashier), of=builders.program(elsewhere))
    builders.card(of=builders.program(elsewhere))
    assert numbers(CARDS, cashier) == [own.card_number, here.card_number]
    assert numbers(f"{CARDS}?business=elsewhere", cashier) == [own.card_number]
    assert numbers(f"{CARDS}?business=corner-cafe", cashier) == [here.card_number]


def test_customer_without_a_card_yet_sees_an_empty_list() -> None:
    customer = builders.customer(user=builders.plain_user())
    assert customer.user is not None
    assert numbers(CARDS, customer.user) == []


def test_business_that_is_not_ones_own_is_missing(cashier: User) -> None:
    builders.card(of=builders.program(builders.business("elsewhere")))
    for user in (cashier, login_of(builders.card()), builders.plain_user()):
        answers = [get(f"{CARDS}?business={named}", by=user) for named in ("elsewhere", "nowhere", uuid4())]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 3
        assert {answer.content for answer in answers} == {answers[0].content}


def test_whoever_has_no_business_and_no_card_sees_none() -> None:
    assert refusal(get(CARDS)) == (401, "not_authenticated")
    assert refusal(get(CARDS, by=builders.plain_user())) == (403, "permission_denied")
    assert refusal(get(CARDS, by=builders.staff())) == (403, "permission_denied")
    both = builders.member("owner", builders.business(), builders.business("elsewhere"))
    assert list(said(get(CARDS, by=both))[1]) == ["business"]


def test_list_is_narrowed_to_a_program(cashier: User) -> None:
    first = builders.card()
    other = builders.card(of=builders.program(name="Other"))
    foreign = builders.program(builders.business("elsewhere"))
    for user in (cashier, builders.superuser()):
        assert numbers(f"{CARDS}?program={other.enrollment.program_id}", user) == [other.card_number]
    assert numbers(f"{CARDS}?program={first.enrollment.program_id}", login_of(first)) == [first.card_number]
    for user in (cashier, login_of(first)):
        answers = [get(f"{CARDS}?program={pk}", by=user) for pk in (foreign.pk, uuid4())]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2
    assert said(get(f"{CARDS}?program=x", by=cashier)) == (400, {"program": ["Must be a valid UUID."]})


@pytest.mark.parametrize("q", ["07306%20506797", "%2B447306506797", "506797", "zoe", "muller%20zoe", "{number}"])
def test_list_is_searched(cashier: User, q: str) -> None:
    builders.card()
    card = builders.card(by=builders.customer("07306 506797", first_name="Zoe", last_name="Muller"))
    assert numbers(f"{CARDS}?q={q.format(number=card.card_number.lower())}", cashier) == [card.card_number]


@pytest.mark.parametrize("q", ["zoe+ada", "%25", "_", "'", "a+" * 5000, "9" * 5000, "%F0%9F%8F%86"])
def test_search_takes_every_character_as_it_is(cashier: User, q: str) -> None:
    builders.card(by=builders.customer(first_name="Zoe", last_name="Muller"))
    assert numbers(f"{CARDS}?q={q}", cashier) == []


def test_list_is_newest_first_and_sorts_by_known_names(cashier: User) -> None:
    cards = [builders.card(holding) for holding in (20, 0, 10)]
    a, b, c = (card.card_number for card in cards)
    assert numbers(CARDS, cashier) == numbers(f"{CARDS}?ordering=customer__user", cashier) == [c, b, a]
    assert numbers(f"{CARDS}?ordering=created_at", cashier) == [a, b, c]
    assert numbers(f"{CARDS}?ordering=points_balance", cashier) == [b, c, a]
    assert numbers(f"{CARDS}?ordering=-total_points_earned", cashier) == [a, c, b]
    assert numbers(f"{CARDS}?ordering=-last_activity_at", cashier) == [c, a, b]
    assert numbers(f"{CARDS}?ordering=last_activity_at", cashier) == [a, c, b]
    assert numbers(f"{CARDS}?ordering=card_number", cashier) == sorted([a, b, c])


def test_list_is_paged(cashier: User) -> None:
    for _ in range(3):
        builders.card()
    status, body = said(get(f"{CARDS}?page_size=2", by=cashier))
    assert (status, body["count"], len(body["results"]), body["previous"]) == (200, 3, 2, None)
    assert body["next"] == f"http://testserver{CARDS}?page=2&page_size=2"
    assert refusal(get(f"{CARDS}?page_size=2&page=3", by=cashier)) == (404, "not_found")


@pytest.mark.parametrize(
    ("who", "queries"),
    # The token, its user, the rights or the business, the count, the page; what is one's own is a subquery.
    [("cashier", 5), ("staff", 6), ("customer", 6)],
)
def test_list_costs_the_same_however_long(
    who: str, queries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    first = builders.card(100)
    callers = {
        "cashier": builders.member("cashier", builders.business()),
        "staff": builders.staff("loyalty.view_loyaltycard"),
        "customer": login_of(first),
    }
    header = bearer(callers[who])
    for rows in (1, 3):
        for name in range(rows - 1):
            builders.card(100, by=first.enrollment.customer, of=builders.program(builders.business(f"b{name}")))
            used()
        with django_assert_num_queries(queries):
            assert get(CARDS, **header).status_code == 200


# --- one card ------------------------------------------------------------------------------------------------------
def test_card_is_read_by_id_and_by_number(cashier: User) -> None:
    card = used()
    for user in (cashier, login_of(card), builders.superuser(), builders.staff("loyalty.view_loyaltycard")):
        for text in (str(card.pk), card.card_number, card.card_number.lower()):
            assert said(get(f"{CARDS}/{text}", by=user)) == (200, shown(card))


def test_card_is_shown_as_it_stands_now(cashier: User) -> None:
    card = used(of=builders.program(expiry_days=1))
    with time_machine.travel(timezone.now() + timedelta(days=1, hours=1)):
        body = said(get(f"{CARDS}/{card.pk}", by=cashier))[1]
    gone = {"points_balance": 0, "points_held": 0, "points_available": 0, "money_value": "0.00"}
    assert body == shown(card, **gone)


def test_card_of_somebody_else_is_missing(cashier: User) -> None:
    card = builders.card()
    foreign = builders.card(of=builders.program(builders.business("elsewhere")))
    stranger = login_of(builders.card(by=builders.customer(), of=builders.program(builders.business("third"))))
    cases = [(cashier, foreign), (stranger, card), (builders.plain_user(), card)]
    for user, hidden in cases:
        for rest in ("", "/statement", "/statement.csv"):
            answers = [
                get(f"{CARDS}/{text}{rest}", by=user)
                for text in (hidden.pk, hidden.card_number, uuid4(), "COR00000000")
            ]
            assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 4
            assert {answer.content for answer in answers} == {answers[0].content}
            assert {tuple(answer.items()) for answer in answers} == {tuple(answers[0].items())}
    assert refusal(get(f"{CARDS}/{card.pk}", by=builders.staff())) == (403, "permission_denied")


# --- statements ----------------------------------------------------------------------------------------------------
def month() -> tuple[LoyaltyCard, User]:
    """A card with a row on each of four days in May, and who booked them."""
    manager = builders.member(
        "manager",
        builders.business(),
    )
    manager.first_name, manager.last_name = "Mia", "Manager"
    manager.save()
    by = Instruction(by=manager)
    with time_machine.travel(NOON - timedelta(days=19), tick=False):
        card = builders.card()
        services.earn_points(card, Instruction(by=manager, reference="o-1"), order_total=Decimal("100.00"))
    with time_machine.travel(NOON - timedelta(days=10), tick=False):
        services.redeem_points(card, by, points=40, order_total=Decimal("25.50"))
    with time_machine.travel(NOON.replace(hour=23, minute=59, second=59), tick=False):
        services.reverse_transaction(rows(card)[0], by, reason="Returned")
    with time_machine.travel(NOON + timedelta(days=1), tick=False):
        services.adjust_points(card, by, points=15, reason="Sorry")
    return card, manager


def rows(card: LoyaltyCard) -> list[PointsTransaction]:
    """A card's ledger."""
    return list(PointsTransaction.objects.filter(card=card).order_by("seq"))


def line(row: PointsTransaction, **fields: Any) -> dict[str, Any]:
    """What a statement says of a row; what the fields do not name is nothing."""
    return {
        "id": str(row.pk),
        "seq": row.seq,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
        "operation_type": row.operation_type,
        "points_delta": row.points_delta,
        "points_amount": abs(row.points_delta),
        "balance_after": row.balance_after,
        "transaction_reference": None,
        "order_total": None,
        "discount": None,
        "reason": "",
        "explanation": None,
        "staff_member": "Mia Manager",
        "reverses": None,
        **fields,
    }


def lines(card: LoyaltyCard) -> list[dict[str, Any]]:
    """Those of the month, as the business sees them."""
    earned, spent, reversed_, adjusted = rows(card)
    text = "£100.00 at 1 = 100 points."
    return [
        line(earned, transaction_reference="o-1", order_total="100.00", explanation=text),
        line(spent, order_total="25.50", discount="0.40"),
        line(reversed_, reason="Returned", reverses=str(earned.pk)),
        line(adjusted, reason="Sorry"),
    ]


def test_statement_leads_from_what_was_to_what_is(cashier: User) -> None:
    card, _ = month()
    path = f"{CARDS}/{card.card_number}/statement?from=2026-05-01&to=2026-05-31"
    whole = {"card": str(card.pk), "from": "2026-05-01", "to": "2026-05-31", "opening": 0, "closing": -25}
    assert said(get(path, by=cashier)) == (200, {**whole, "lines": lines(card)})
    assert [row["points_delta"] for row in lines(card)] == [100, -40, -100, 15]
    nobody = [{**row, "staff_member": None} for row in lines(card)]
    assert said(get(path, by=login_of(card))) == (200, {**whole, "lines": nobody})


@pytest.mark.parametrize(
    ("first", "last", "opening", "seqs", "closing"),
    [
        ("2026-05-01", "2026-05-01", 0, [1], 100),
        ("2026-05-02", "2026-05-09", 100, [], 100),
        ("2026-05-10", "2026-05-20", 100, [2, 3], -40),
        ("2026-05-20", "2026-05-20", 60, [3], -40),
        ("2026-05-21", "2026-05-21", -40, [4], -25),
        ("1900-01-01", "2999-12-31", 0, [1, 2, 3, 4], -25),
        ("2026-06-01", "2026-06-01", -25, [], -25),
    ],
)
def test_both_days_are_included(
    cashier: User, first: str, last: str, opening: int, seqs: list[int], closing: int
) -> None:
    card, _ = month()
    body = said(get(f"{CARDS}/{card.pk}/statement?from={first}&to={last}", by=cashier))[1]
    assert (body["opening"], [row["seq"] for row in body["lines"]], body["closing"]) == (opening, seqs, closing)


def test_statement_is_of_the_last_ninety_days_unless_asked(cashier: User) -> None:
    card, _ = month()
    path = f"{CARDS}/{card.pk}/statement"
    header = bearer(cashier)
    with time_machine.travel(datetime(2026, 8, 8, 1, tzinfo=UTC), tick=False):
        header = bearer(cashier)
        bodies = [
            said(get(f"{path}{query}", **header))[1] for query in ("", "?from=2026-05-21", "?to=2026-05-10", "?to=")
        ]
    spans = [(body["from"], body["to"], [row["seq"] for row in body["lines"]]) for body in bodies]
    assert spans == [
        ("2026-05-10", "2026-08-08", [2, 3, 4]),
        ("2026-05-21", "2026-08-08", [4]),
        ("2026-02-09", "2026-05-10", [1, 2]),
        ("2026-05-10", "2026-08-08", [2, 3, 4]),
    ]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("from=2026-05-02&to=2026-05-01", "from"),
        ("from=x", "from"),
        ("to=2026-02-30", "to"),
        ("from=0001-01-01", "from"),
        ("to=9999-12-31", "to"),
        ("to=0001-01-01", "to"),
        ("from=" + "9" * 500, "from"),
        ("from=2026-05-01T10:00", "from"),
    ],
)
@pytest.mark.parametrize("rest", ["statement", "statement.csv"])
def test_days_that_cannot_be_are_named(cashier: User, query: str, name: str, rest: str) -> None:
    status, body = said(get(f"{CARDS}/{builders.card().pk}/{rest}?{query}", by=cashier))
    assert (status, list(body)) == (400, [name])


def test_statement_costs_the_same_however_long(
    cashier: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    card = builders.card(100)
    header = bearer(cashier)
    for _ in range(2):
        # The token, its user, the card, twice the membership, what was before, the lines.
        with django_assert_num_queries(7):
            get(f"{CARDS}/{card.pk}/statement", **header)
        for points in (1, 2):
            services.earn_points(card, Instruction(by=cashier), points=points)


@pytest.mark.parametrize("accept", ["*/*", "text/csv", "application/json", "text/html"])
def test_statement_is_a_sheet_too(cashier: User, accept: str) -> None:
    card, manager = month()
    manager.first_name = "=cmd|' /C calc'!A0"
    manager.save()
    answer: Any = get(f"{CARDS}/{card.pk}/statement.csv?from=2026-05-01&to=2026-05-31", by=cashier, Accept=accept)
    assert isinstance(answer, StreamingHttpResponse)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer["Content-Disposition"] == 'attachment; filename="statement-2026-05-01-2026-05-31.csv"'
    assert answer["Cache-Control"] == "no-store, no-cache, must-revalidate, private"
    found = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    expected = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        | {"staff_member": "'=cmd|' /C calc'!A0 Manager"}
        for row in lines(card)
    ]
    assert found == expected


def test_sheet_of_a_customer_names_no_staff() -> None:
    card, _ = month()
    answer: Any = get(f"{CARDS}/{card.pk}/statement.csv?from=2026-05-01&to=2026-05-31", by=login_of(card))
    assert {row["staff_member"] for row in csv.DictReader(io.StringIO(b"".join(answer).decode()))} == {""}
