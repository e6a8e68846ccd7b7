"""Clients in the admin: found, added, edited, deleted, and what Loops was told."""

import re
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client as Browser
from pytest_django import DjangoAssertNumQueries

from crm.models import Business, Client
from loops_sync import services as line
from loops_sync.models import Contact
from tests import builders
from tests.crm.test_admin_connections import by, text_of

pytestmark = pytest.mark.django_db
LIST = "/admin/crm/client/"
ANN = {"first_name": "Ann", "last_name": "Other", "email": "ann@x.example"}


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


def page(client: Client, door: str = "change") -> str:
    return f"{LIST}{client.pk}/{door}/"


def edit(browser: Browser, client: Client, **fields: str) -> Any:
    """As a browser sends the form, with what was seen."""
    sent: dict[str, str] = {}
    for field in browser.get(page(client)).context["form"]:
        value = field.value()
        shown = "on" if value is True else str(value or "")
        sent |= {field.html_name: shown} if value is not False else {}
        sent[field.html_initial_name] = "True" if value is True else "" if value is False else shown
    return browser.post(page(client), {**sent, **fields}, follow=True)


def names(browser: Browser, **query: str) -> set[str]:
    html = browser.get(f"{LIST}?{urlencode(query)}").content.decode()
    return set(re.findall(rf'href="{LIST}[^"]*/change/[^"]*">([^<]*)<', html))


def test_member_sees_finds_and_filters_their_own_clients(here: Business, loops: Any) -> None:
    builders.client(here, **ANN, phone="07306 506797")
    line.drain()
    builders.client(here, first_name="Bob", last_name="Young", is_active=False)
    builders.client(builders.business("elsewhere"), first_name="Secret", last_name="One")
    browser = by("cashier", here)
    assert names(browser) == {"Ann Other", "Bob Young"}
    assert names(browser, q="07306506797") == {"Ann Other"}
    assert names(browser, loops_status="synced") == {"Ann Other"}
    assert names(browser, loops_status="pending") == {"Bob Young"}
    assert names(browser, is_active__exact="0") == {"Bob Young"}
    assert "In Loops" in text_of(browser.get(LIST))


@pytest.mark.parametrize("door", ["change", "history", "delete"])
def test_foreign_client_answers_as_a_missing_one(door: str, here: Business) -> None:
    theirs = builders.client(builders.business("elsewhere"))
    browser = by("owner", here)
    for ask in (browser.get, browser.post):
        answers = [ask(path) for path in (page(theirs, door), f"{LIST}{uuid4()}/{door}/")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content


def test_client_is_added_and_a_taken_address_is_the_email_s_error(here: Business) -> None:
    browser = by("cashier", here)
    sent = {**ANN, "business": str(here.pk), "is_active": "on", "phone": "07306 506797"}
    answer = browser.post(f"{LIST}add/", sent, follow=True)
    client = Client.objects.get()
    assert "Added Ann Other" in text_of(answer)
    assert (client.phone, client.is_active, client.business) == ("+447306506797", True, here)
    again = browser.post(f"{LIST}add/", sent)
    assert list(again.context["form"].errors) == ["email"]
    assert list(browser.post(f"{LIST}add/", {**sent, "phone": "123"}).context["form"].errors) == ["phone"]
    theirs = {**sent, "business": str(builders.business("elsewhere").pk), "email": "b@x.example"}
    assert list(browser.post(f"{LIST}add/", theirs).context["form"].errors) == ["business"]


def test_only_what_was_edited_is_changed(here: Business) -> None:
    client = builders.client(here, **ANN, phone="07306 506797", company="Acme")
    browser = by("cashier", here)
    seen = browser.get(page(client)).context["form"]
    Client.objects.update(city="York")
    assert "Saved Ann Other" in text_of(edit(browser, client, company="Else"))
    client.refresh_from_db()
    assert (client.company, client.city, client.phone_raw, client.is_active) == ("Else", "York", "07306 506797", True)
    assert seen["city"].value() == ""
    assert "Nothing was edited" in text_of(edit(browser, client))
    builders.client(here, email="b@x.example")
    assert list(edit(browser, client, email="B@x.example").context["form"].errors) == ["email"]


@pytest.mark.parametrize(("role", "may_delete"), [("cashier", False), ("manager", True)])
def test_managers_delete(role: str, may_delete: bool, here: Business) -> None:
    client = builders.client(here)
    browser = by(role, here)
    assert (b"Delete" in browser.get(page(client)).content) == may_delete
    assert browser.post(page(client, "delete")).status_code == (302 if may_delete else 403)
    assert Client.objects.exists() != may_delete


def test_staff_who_only_look_change_nothing(here: Business) -> None:
    client = builders.client(here)
    browser = builders.logged_in(builders.staff("crm.view_client"))
    assert browser.get(page(client)).status_code == 200
    assert browser.post(page(client), ANN).status_code == 403
    assert browser.get(f"{LIST}add/").status_code == 403
    assert browser.post(page(client, "delete")).status_code == 403


def test_page_leads_to_the_contact_for_those_who_may_see_it(here: Business, loops: Any) -> None:
    client = builders.client(here, **ANN)
    builders.vote(builders.approved(), email=client.email)
    line.drain()
    contact = f"/admin/loops_sync/contact/{Contact.objects.get(email=client.email).pk}/change/"
    told = builders.logged_in(builders.superuser()).get(page(client)).content.decode()
    seen = by("owner", here).get(page(client)).content.decode()
    assert [(contact in html, "Client created" in html, "Vote cast" in html) for html in (told, seen)] == [
        (True, True, True),
        (False, True, False),
    ]


def test_deletion_says_what_happens_at_loops(here: Business) -> None:
    client, staff = builders.client(here, **ANN), builders.logged_in(builders.superuser())

    def preview(browser: Browser) -> str:
        return text_of(browser.get(page(client, "delete")))

    assert "is unsubscribed and emptied. Nothing subscribes it again" in preview(staff)
    twin = builders.client(builders.business("elsewhere"), **ANN)
    assert "stays subscribed: the address is another business’s client" in preview(staff)
    twin.delete()
    builders.vote(builders.approved(), email=client.email)
    assert "stays subscribed: the address has a part in the awards" in preview(staff)
    assert "unsubscribed and emptied, unless the address has another part here" in preview(by("owner", here))


def test_list_needs_the_same_queries_for_any_number_of_rows(
    here: Business, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    browser = by("manager", here)
    browser.get(LIST)
    for count in (1, 3):
        while Client.objects.count() < count:
            builders.client(here)
        with django_assert_num_queries(12):
            browser.get(LIST)
