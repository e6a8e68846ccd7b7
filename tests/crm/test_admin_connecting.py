"""A CRM is connected from the admin: chosen, signed in to elsewhere, noticed."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django_q.models import OrmQ
from pytest_django import Settings

from config.sandbox.nango import Nango
from crm import services, tasks
from crm.models import Business, Connection
from tests import builders
from tests.crm.test_admin_connections import (
    LIST,
    START,
    WAITING,
    by,
    connected,
    page,
    shown,
    text_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


def test_business_without_a_crm_is_offered_to_connect_one(here: Business) -> None:
    said = text_of(by("manager", here).get(LIST))
    assert "Connect Corner Cafe’s CRM" in said
    for crm in ("HubSpot", "Salesforce", "Pipedrive", "Zoho CRM", "GoHighLevel"):
        assert crm in said


def test_cashier_is_told_who_connects(here: Business) -> None:
    said = text_of(by("cashier", here).get(LIST))
    assert "an owner or manager has connected the CRM" in said
    assert "Connect CRM" not in said


def test_several_businesses_are_offered_one_by_one(here: Business) -> None:
    user = builders.member("owner", here, builders.business("elsewhere"))
    html = builders.logged_in(user).get(LIST).content.decode()
    assert START in html
    assert f"{LIST}connect/elsewhere/" in html


def test_connect_gives_the_link_and_waits(nango: Nango, here: Business) -> None:
    response = by("owner", here).post(START, {"provider": "hubspot"})
    html = response.content.decode()
    found = re.search(r'href="([^"]*)"\s+target="_blank"\s+rel="noopener noreferrer"\s+data-sign-in', html)
    assert found
    assert unescape(found[1]).startswith(f"{nango.connect_url}?session_token=")
    assert "Waiting for you to finish there" in text_of(response)
    token = unescape(found[1]).partition("session_token=")[2]
    assert nango.offered(token) == ["hubspot"]


def test_connect_asks_which(nango: Nango, here: Business) -> None:
    said = text_of(by("owner", here).post(START, {}))
    assert "This field is required." in said
    assert "Select a valid choice" in text_of(by("owner", here).post(START, {"provider": "excel"}))
    assert nango.requests == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("unauthorized", "Nango refuses our key."),
        ("rate_limited", "Nango has too many requests at the moment."),
        ("hang", "Nango did not answer in time. Nothing has changed: try again in a moment."),
        ("server_error", "Nothing has changed: try again in a moment."),
    ],
)
def test_nango_that_gives_no_link_is_told_in_words(
    fault: str, words: str, nango: Nango, here: Business, settings: Settings
) -> None:
    settings.NANGO_TIMEOUT_SECONDS = 0.3
    nango.set_fault(fault)
    said = text_of(by("owner", here).post(START, {"provider": "hubspot"}))
    assert words in said
    assert "Connect CRM" in said


def wait(client: Client, **fields: str) -> Any:
    """One look of the waiting page."""
    return client.post(WAITING, {"known": "", "polls": "0", **fields}, headers={"HX-Request": "true"})


def test_waiting_page_lets_a_worker_ask_and_notices_what_came(nango: Nango, here: Business) -> None:
    owner = builders.member("owner", here)
    client = builders.logged_in(owner)
    session = services.create_session(here, by=owner, provider="hubspot")
    asked = len(nango.requests)
    waits = wait(client, polls="1")
    assert "Waiting for you" in text_of(waits)
    assert (len(nango.requests), OrmQ.objects.count()) == (asked, 1)
    nango.complete_session(session["token"], "hubspot", contacts=3, dirty=False)
    tasks.find_connections(str(here.pk))
    arrived = wait(client)
    connection = Connection.objects.get()
    assert arrived["HX-Redirect"] == page(connection)
    assert "HubSpot is connected." in shown(client, connection)


def test_waiting_page_asks_rarer_and_ends(here: Business) -> None:
    client = by("owner", here)
    assert b"delay:3000ms" in wait(client, polls="0").content
    assert b"delay:10000ms" in wait(client, polls="100").content
    said = wait(client, polls="400")
    assert b"hx-trigger" not in said.content
    assert "The link has expired." in text_of(said)
    assert b"delay:3000ms" in wait(client, polls="nonsense").content


def test_waiting_works_without_script(here: Business) -> None:
    client = by("owner", here)
    assert "Finish in the other tab, then look again." in text_of(client.post(WAITING, {"known": "", "polls": "0"}))
    connection = builders.connection(here)
    assert client.post(WAITING, {"known": ""})["Location"] == page(connection)


def test_changing_the_crm_waits_for_another_connection(here: Business) -> None:
    connection = builders.connection(here)
    client = by("owner", here)
    assert "HubSpot stays connected until the new one is." in text_of(client.get(START))
    assert "Waiting for you" in text_of(wait(client, known=str(connection.pk)))


def test_reconnect_keeps_the_connection_and_waits_until_it_works(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=2)
    services.disconnect(here)
    owner = builders.member("owner", here)
    Connection.objects.filter(pk=connection.pk).update(is_active=True, reconnect_required=True)
    client = builders.logged_in(owner)
    assert "HubSpot wants somebody to sign in again." in shown(client, connection)
    response = client.post(page(connection, "reconnect"))
    assert "Open the sign-in to HubSpot" in text_of(response)
    again = {"known": str(connection.pk), "again": "yes"}
    assert "Waiting for you" in text_of(wait(client, **again))
    token = re.search(r"session_token=(\w+)", response.content.decode())
    assert token
    nango.complete_session(token[1], "hubspot", contacts=0, dirty=False)
    tasks.take_over(connection.nango_connection_id, "hubspot")
    assert wait(client, **again)["HX-Redirect"] == page(connection)
    assert "wants somebody to sign in again" not in shown(client, connection)


def test_reconnect_begins_anew_where_nango_has_forgotten(nango: Nango, here: Business) -> None:
    connection = connected(nango, here)
    nango.drop_connection(connection.nango_connection_id)
    client = by("owner", here)
    assert "Open the sign-in to HubSpot" in text_of(client.post(page(connection, "reconnect")))
