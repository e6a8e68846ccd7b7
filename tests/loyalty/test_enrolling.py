"""Customers, their enrolments and cards, and the welcome."""

import re
from collections.abc import Iterator

import pytest
from django.core.exceptions import ValidationError

from loyalty import services
from loyalty.models import Customer, Enrollment, LoyaltyCard, PointsTransaction, Program
from loyalty.services import enroll_customer, find_or_add_customer
from tests import builders
from tests.loyalty.test_ledger import earn, leave, redeem, rows, sums, switch


@pytest.fixture(autouse=True)
def books_agree(db: None) -> Iterator[None]:
    """Whatever a test did, the ledger proves."""
    yield
    assert services.verify_ledger() is None


def join(customer: Customer, program: Program) -> Enrollment:
    return enroll_customer(customer, program, by=None, source="till")


@pytest.mark.parametrize("spelling", ["+447306506797", "07306 506797", "+44 (0)7306 506797", "0044 7306 506797"])
def test_every_spelling_of_a_phone_is_one_customer(spelling: str) -> None:
    first = find_or_add_customer("+447306506797", business=builders.business(), name="Ada Lovelace")
    again = find_or_add_customer(spelling, business=builders.business("other"), name="Somebody Else")
    assert (again, again.name, Customer.objects.count()) == (first, "Ada Lovelace", 1)


def test_phone_is_read_in_the_region_of_the_business_and_kept_as_typed() -> None:
    business = builders.business()
    business.default_region = "DE"
    customer = find_or_add_customer(" 0151 23456789 ", business=business, name=" Konrad Ernst Otto Zuse ")
    assert (customer.phone, customer.phone_raw) == ("+4915123456789", "0151 23456789")
    assert (customer.first_name, customer.last_name) == ("Konrad", "Ernst Otto Zuse")


@pytest.mark.parametrize("typed", ["", "  ", "12", "not a phone", "+44 7306 506797 506797"])
def test_what_cannot_be_a_phone_is_refused_by_name(typed: str) -> None:
    with pytest.raises(ValidationError) as caught:
        find_or_add_customer(typed, business=builders.business())
    assert list(caught.value.message_dict) == ["phone"]
    assert Customer.objects.count() == 0


def test_enrolment_is_active_with_a_card_and_the_consent_on_record() -> None:
    program, boss = builders.program(builders.business("42-corner-cafe")), builders.superuser()
    enrollment = enroll_customer(builders.customer(), program, by=boss, source="till")
    assert (enrollment.status, enrollment.source, enrollment.by) == ("active", "till", boss)
    assert enrollment.consented_at == enrollment.activated_at is not None
    card = enrollment.card
    assert re.fullmatch(r"COR\d{8}", card.card_number)
    assert (card.tier_level, card.last_seq, sums(card)) == ("bronze", 0, {})


def test_welcome_points_are_earned_points() -> None:
    card = builders.card(of=builders.program(welcome_points=600))
    assert rows(card) == [("welcome_bonus", 600, 600)]
    assert sums(card) == {"points_balance": 600, "total_points_earned": 600}
    card.refresh_from_db()
    assert card.tier_level == "silver"


def test_whoever_takes_part_cannot_join_again() -> None:
    card = builders.card()
    with pytest.raises(ValidationError) as caught:
        join(card.enrollment.customer, card.enrollment.program)
    assert caught.value.code == "already_enrolled"


def test_whoever_returns_has_the_same_card_and_no_second_welcome() -> None:
    card = builders.card(of=builders.program(welcome_points=50))
    earn(card, points=25)
    first = Enrollment.objects.get()
    leave(card)
    switch(card, welcome_points=500)
    again = join(first.customer, first.program)
    assert (again.pk, again.status, again.card.pk) == (first.pk, "active", card.pk)
    assert again.activated_at == first.activated_at
    assert again.consented_at is not None
    assert first.consented_at is not None
    assert again.consented_at > first.consented_at
    assert rows(card) == [("welcome_bonus", 50, 50), ("earn_points", 25, 75)]
    redeem(card, 75)


@pytest.mark.parametrize("status", ["declined", "expired"])
def test_welcome_comes_with_the_first_activation(status: str) -> None:
    program, customer = builders.program(welcome_points=50), builders.customer()
    Enrollment.objects.create(customer=customer, program=program, status=status, source="scan")
    enrollment = join(customer, program)
    assert rows(enrollment.card) == [("welcome_bonus", 50, 50)]
    assert Enrollment.objects.count() == LoyaltyCard.objects.count() == 1


def test_nobody_joins_a_program_that_is_switched_off() -> None:
    program, customer = builders.program(), builders.customer()
    services.change_program(program, is_active=False)
    with pytest.raises(ValidationError) as caught:
        join(customer, program)
    assert caught.value.code == "program_inactive"
    assert Enrollment.objects.count() == 0


def test_one_customer_has_a_card_and_a_welcome_in_each_program() -> None:
    customer = builders.customer()
    programs = [
        builders.program(name="First", welcome_points=10),
        builders.program(name="Second", welcome_points=20),
        builders.program(builders.business("other"), welcome_points=30),
    ]
    cards = [join(customer, program).card for program in programs]
    assert [sums(card)["points_balance"] for card in cards] == [10, 20, 30]
    assert len({card.card_number for card in cards}) == 3


def test_rules_of_the_moment_stand_on_every_row() -> None:
    card = builders.card(of=builders.program(welcome_points=10, expiry_days=5))
    switch(card, expiry_days=7, redemption_increment=5)
    redeem(card, 5)
    rules = PointsTransaction.objects.order_by("seq").values_list("operation_details__rule", flat=True)
    assert [(rule["expiry_days"], rule["redemption_increment"]) for rule in rules] == [(5, 1), (7, 5)]
