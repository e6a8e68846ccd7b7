"""Joining a program: at a till, or alone."""

from typing import Any
from uuid import uuid4

import pytest

from crm.models import User
from loyalty import services
from loyalty.models import Customer, Enrollment, LoyaltyCard, Program
from tests import builders
from tests.door import post, refusal, said

pytestmark = pytest.mark.django_db
ENROLL = "/api/enrollments"
PHONE = "07306 506797"


@pytest.fixture
def cashier() -> User:
    """Somebody at the till."""
    return builders.member("cashier", builders.business())


def joining(program: Program, **fields: Any) -> dict[str, Any]:
    """The body of an enrolment."""
    return {"program": str(program.pk), **fields}


def customer_login(**fields: Any) -> User:
    """Somebody who logs in as a customer."""
    user = builders.plain_user()
    builders.customer(user=user, **fields)
    return user


def test_till_takes_in_somebody_unknown(cashier: User) -> None:
    program = builders.program(welcome_points=50, is_default=True)
    answer = said(post(ENROLL, joining(program, phone=PHONE, name=" Ada  King Lovelace "), by=cashier))
    enrollment = Enrollment.objects.get()
    card = LoyaltyCard.objects.get()
    assert answer == (201, {"id": str(enrollment.pk), "status": "active", "card": str(card.pk)})
    customer = enrollment.customer
    assert (customer.phone, customer.first_name, customer.last_name) == ("+447306506797", "Ada", "King Lovelace")
    assert (enrollment.by, enrollment.source, enrollment.consented_at is not None) == (cashier, "till", True)
    assert (card.points_balance, card.enrollment) == (50, enrollment)


@pytest.mark.parametrize("phone", ["+447306506797", PHONE, "+44 (0)7306 506797", "0044 7306 506797"])
def test_somebody_known_elsewhere_keeps_the_name(cashier: User, phone: str) -> None:
    known = builders.customer(PHONE)
    answer = post(ENROLL, joining(builders.program(), phone=phone, name="Eve Evil"), by=cashier)
    assert (answer.status_code, Customer.objects.get(), Customer.objects.get().name) == (201, known, "Ada Lovelace")


def test_customer_whom_the_business_knows_is_named_by_id(cashier: User) -> None:
    card = builders.card()
    other = builders.program(name="Other")
    answer = post(ENROLL, joining(other, customer=str(card.enrollment.customer_id)), by=cashier)
    assert answer.status_code == 201
    stranger = builders.card(of=builders.program(builders.business("elsewhere"))).enrollment.customer_id
    answers = [post(ENROLL, joining(other, customer=str(pk)), by=cashier) for pk in (stranger, uuid4())]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2
    assert answers[0].content == answers[1].content
    keeper = builders.staff("loyalty.redeem_points")
    assert post(ENROLL, joining(other, customer=str(stranger)), by=keeper).status_code == 201
    assert Enrollment.objects.get(customer=stranger, program=other).source == "staff"


def test_customer_joins_alone() -> None:
    program = builders.program(welcome_points=50, is_default=True)
    user = customer_login()
    answer = said(post(ENROLL, joining(program), by=user))
    enrollment = Enrollment.objects.get()
    assert answer == (201, {"id": str(enrollment.pk), "status": "active", "card": str(enrollment.card.pk)})
    assert (enrollment.by, enrollment.source, enrollment.card.points_balance) == (None, "customer", 50)


def test_second_time_is_refused_and_whoever_left_comes_back(cashier: User) -> None:
    program = builders.program(welcome_points=50, is_default=True)
    user = customer_login()
    first = said(post(ENROLL, joining(program), by=user))[1]
    assert refusal(post(ENROLL, joining(program), by=user)) == (409, "already_enrolled")
    phone = Customer.objects.get().phone
    assert refusal(post(ENROLL, joining(program, phone=phone), by=cashier)) == (409, "already_enrolled")
    Enrollment.objects.update(status="left")
    assert said(post(ENROLL, joining(program, phone=phone), by=cashier)) == (201, {**first, "status": "pending"})
    assert said(post(ENROLL, joining(program), by=user)) == (201, first)
    assert LoyaltyCard.objects.get().points_balance == 50


def test_switched_off_program_takes_nobody_in_and_leaves_nothing_behind(cashier: User) -> None:
    program = services.change_program(builders.program(), is_active=False)
    assert refusal(post(ENROLL, joining(program, phone=PHONE), by=cashier)) == (409, "program_inactive")
    assert refusal(post(ENROLL, joining(program), by=customer_login())) == (409, "program_inactive")
    assert (Customer.objects.filter(phone="+447306506797").count(), Enrollment.objects.count()) == (0, 0)


def test_somebody_is_named_in_one_way_at_most(cashier: User) -> None:
    sent = joining(builders.program(), phone=PHONE, customer=str(uuid4()))
    message = {"non_field_errors": ["Give at most one of phone, customer and qr."]}
    assert said(post(ENROLL, sent, by=cashier)) == (400, message)
    for by in (cashier, builders.superuser()):
        nobody = said(post(ENROLL, joining(builders.program()), by=by))
        assert nobody == (400, {"non_field_errors": ["Give exactly one of phone, customer and qr."]})
    assert refusal(post(ENROLL, joining(builders.program(), qr="ABC"), by=cashier)) == (404, "not_found")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"phone": "12"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"phone": "0" * 51}, "phone"),
        ({"phone": []}, "phone"),
        ({"customer": "x"}, "customer"),
        ({"phone": PHONE, "name": "x" * 201}, "name"),
        ({"phone": PHONE, "program": "x"}, "program"),
        ({"phone": PHONE, "nonsense": 1}, "nonsense"),
    ],
)
def test_field_that_cannot_be_is_named(cashier: User, fields: dict[str, Any], name: str) -> None:
    status, body = said(post(ENROLL, {**joining(builders.program()), **fields}, by=cashier))
    assert (status, list(body)) == (400, [name])
    assert Customer.objects.count() == 0


def test_long_name_fits(cashier: User) -> None:
    name = "x" * 150 + " " + "y" * 49
    assert post(ENROLL, joining(builders.program(), phone=PHONE, name=name), by=cashier).status_code == 201
    assert len(Customer.objects.get().first_name) == 100


def test_foreign_program_is_missing(cashier: User) -> None:
    foreign = builders.program(builders.business("elsewhere"))
    for user in (cashier, builders.plain_user(), customer_login()):
        answers = [post(ENROLL, {"program": str(pk), "phone": PHONE}, by=user) for pk in (foreign.pk, uuid4())]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2
        assert {tuple(answer.items()) for answer in answers} == {tuple(answers[0].items())}
    assert refusal(post(ENROLL, {"program": str(uuid4())}, by=customer_login())) == (404, "not_found")


def test_roles(cashier: User) -> None:
    program = builders.program()
    assert refusal(post(ENROLL, joining(program))) == (401, "not_authenticated")
    assert refusal(post(ENROLL, joining(program), by=builders.plain_user())) == (403, "permission_denied")
    for user in (builders.staff(), builders.staff("loyalty.view_program")):
        assert refusal(post(ENROLL, joining(program, phone=PHONE), by=user)) == (403, "permission_denied")
    workers = [builders.member(role, builders.business()) for role in ("cashier", "manager", "owner")]
    for number, user in enumerate([*workers, builders.staff("loyalty.redeem_points"), builders.superuser()]):
        assert post(ENROLL, joining(program, phone=f"07306 50680{number}"), by=user).status_code == 201
