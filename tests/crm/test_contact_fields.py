"""Addresses and phones: one choke point each, and the database behind it."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.models import User, normal_email, normal_phone
from nominations.models import Nominator, Nominee, Voter
from tests import builders
from tests.door import post, said

ONE = "+447306506797"
dialled = st.from_regex(r"(\+|00|0)?[0-9 ()-]{4,20}", fullmatch=True)


@pytest.mark.parametrize(
    "text",
    [
        "+447306506797",
        "07306 506797",
        "+44 (0)7306 506797",
        "0044 7306 506797",
        "  07306-506-797 ",
        "(07306) 506797",
        "+44\u00a07306\u00a0506797",
        "tel:+44-7306-506797",
        "٠٧٣٠٦٥٠٦٧٩٧",
    ],
)
def test_every_spelling_is_one_phone(text: str) -> None:
    assert normal_phone(text) == ONE
    assert normal_phone(text, must_be_valid=True) == ONE


@pytest.mark.parametrize("text", ["", "   ", "\t\n"])
def test_blank_is_no_phone(text: str) -> None:
    assert normal_phone(text) == ""


@pytest.mark.parametrize("text", ["12", "hello", "+", "0", "+999123456789", "+49" + "1" * 15, "7" * 40])
def test_what_cannot_be_a_phone_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        normal_phone(text)


def test_possible_number_is_enough_for_a_person_but_not_for_an_import() -> None:
    assert normal_phone("+44 1111 111111") == "+441111111111"
    with pytest.raises(ValidationError, match="too short, too long or not in use"):
        normal_phone("+44 1111 111111", must_be_valid=True)


def test_region_decides_how_a_local_number_is_read() -> None:
    assert normal_phone("(650) 253-0000", "US") == "+16502530000"
    assert normal_phone("030 901820", "DE") == "+4930901820"
    assert normal_phone("+44 7306 506797", "US") == ONE


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=dialled, region=st.sampled_from(["GB", "US", "DE", "IT", "BR", "AR", "RU"]))
def test_normal_phone_stays_as_it_is_and_fits(text: str, region: str) -> None:
    try:
        phone = normal_phone(text, region)
    except ValidationError:
        return
    assert normal_phone(phone, region) == phone
    assert phone == "" or (phone[0] == "+" and phone[1:].isdigit() and len(phone) <= 16)


@pytest.mark.parametrize("text", ["+49 00 5277 472734", "+886 00 595949879", "0057 00 4201143407"])
def test_second_trunk_zero_is_dropped_at_once(text: str) -> None:
    phone = normal_phone(text)
    assert normal_phone(phone) == phone


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(max_size=40))
def test_normal_email_stays_as_it_is(text: str) -> None:
    assert normal_email(normal_email(text)) == normal_email(text)


@pytest.mark.django_db
def test_one_person_in_any_spelling_of_the_address() -> None:
    person = builders.person(email=" Ann@X.Example ")
    assert post("/api/nominations", builders.submission(nominator=person)).status_code == 201
    again = builders.submission(nominator={**person, "email": "ann@x.example"})
    assert post("/api/nominations", again).status_code == 201
    assert list(Nominator.objects.values_list("email", flat=True)) == ["ann@x.example"]


@pytest.mark.django_db
def test_address_is_normal_in_memory_in_queries_and_in_bulk() -> None:
    user = User(email=" Ann@X.Example ")
    user.save()
    assert user.email == "ann@x.example"
    assert User.objects.get(email="ANN@x.example") == user
    assert User.objects.get_by_natural_key(" ANN@X.EXAMPLE") == user
    Voter.objects.bulk_create([Voter(email="BOB@X.Example", first_name="B", last_name="B")])
    assert list(Voter.objects.values_list("email", flat=True)) == ["bob@x.example"]


@pytest.mark.django_db
def test_phone_is_kept_as_typed_beside_its_normal_form() -> None:
    body = builders.submission(nominator=builders.person(phone="07306 506797"))
    status, answer = said(post("/api/nominations", body))
    assert (status, answer["nominator"]["phone"]) == (201, "07306 506797")
    nominator = Nominator.objects.get()
    assert (nominator.phone, nominator.phone_raw) == (ONE, "07306 506797")


def insert(model: Any, **values: str) -> None:
    """A row as another program would write it, past all of our code."""
    row = model(first_name="A", last_name="B", **({"kind": "person"} if model is Nominee else {}))
    row.email = "ann@x.example"
    row.save()
    with transaction.atomic(), connection.cursor() as cursor:
        for name, value in values.items():
            cursor.execute(f"UPDATE {model._meta.db_table} SET {name} = %s", [value])


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Nominator, Voter, Nominee])
@pytest.mark.parametrize("email", ["Ann@x.example", " ann@x.example", "ann@x.example "])
def test_database_refuses_an_address_that_is_not_normal(model: Any, email: str) -> None:
    with pytest.raises(IntegrityError):
        insert(model, email=email)


@pytest.mark.django_db
def test_database_refuses_a_login_that_is_not_normal() -> None:
    builders.superuser()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE crm_user SET email = 'Boss@example.org'")


@pytest.mark.django_db
@pytest.mark.parametrize("model", [Nominator, Voter, Nominee])
@pytest.mark.parametrize("phone", ["07306506797", "+44 7306", "+", "+abc", "+0123456", "+44730650679\n", "x+44"])
def test_database_refuses_a_phone_that_is_not_normal(model: Any, phone: str) -> None:
    with pytest.raises(IntegrityError):
        insert(model, phone=phone)


@pytest.mark.django_db
def test_phone_is_normal_in_bulk_or_refused() -> None:
    Voter.objects.bulk_create([Voter(email="a@x.example", first_name="A", last_name="B", phone="07306 506797")])
    assert Voter.objects.values_list("phone", flat=True).get() == ONE
    with pytest.raises(ValidationError):
        Voter.objects.bulk_create([Voter(email="b@x.example", first_name="A", last_name="B", phone="12")])


@pytest.mark.django_db
@pytest.mark.parametrize("phone", ["", ONE, "+1234567", "+123456789012345"])
def test_database_takes_every_normal_phone(phone: str) -> None:
    insert(Voter, phone=phone)
    assert Voter.objects.get().phone == phone
