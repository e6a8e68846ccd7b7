"""The connection in the admin: begun, watched, read, looked at before it overwrites, and parted from."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from config.sandbox.nango import Nango
from crm import services
from crm.models import Business, Connection, Lead, SyncRun
from tests import builders

pytestmark = pytest.mark.django_db
LIST = "/admin/crm/connection/"
START = f"{LIST}connect/corner-cafe/"
WAITING = f"{START}waiting/"
DOORS = ("reconnect", "overwrite", "disconnect", "refresh", "preview", "progress")


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


def by(role: str, here: Business) -> Client:
    """The browser of a member."""
    return builders.logged_in(builders.member(role, here))


def page(connection: Connection, door: str = "change") -> str:
    return f"{LIST}{connection.pk}/{door}/"


def text_of(response: Any) -> str:
    """What stands on the page, in one line."""
    assert response.status_code == 200, response.status_code
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def shown(client: Client, connection: Connection, door: str = "change") -> str:
    return text_of(client.get(page(connection, door)))


def connected(nango: Nango, to: Business, **account: Any) -> Connection:
    """The business's connection with a HubSpot account."""
    connection_id = nango.connect("hubspot", tags={"organization_id": str(to.pk)}, **account)
    return services.connect(to, services.look_up(connection_id, "hubspot"), by=None)


def work(connection: Connection) -> SyncRun:
    """What a worker does with the run that waits."""
    return services.execute_run(connection.runs.get(status="queued"))


def read(connection: Connection) -> SyncRun:
    """A run from beginning to end."""
    return services.execute_run(services.start_run(connection))


def warnings(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


# --- who may do what -----------------------------------------------------------------------------------------------
def test_member_sees_their_own_business(here: Business) -> None:
    mine, theirs = builders.connection(here), builders.connection(builders.business("elsewhere"))
    html = by("cashier", here).get(LIST).content.decode()
    assert page(mine) in html
    assert page(theirs) not in html
    assert "Elsewhere" not in html


@pytest.mark.parametrize("door", ["change", "history", *DOORS])
def test_foreign_connection_answers_as_a_missing_one(door: str, here: Business) -> None:
    builders.connection(here)
    theirs = builders.connection(builders.business("elsewhere"))
    client = by("owner", here)
    paths = [page(theirs, door), f"{LIST}{uuid4()}/{door}/"]
    for answers in ([client.get(path) for path in paths], [client.post(path) for path in paths]):
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content


def test_foreign_business_cannot_be_connected(here: Business) -> None:
    builders.business("elsewhere")
    client = by("owner", here)
    for slug in ("elsewhere", "nowhere"):
        for path in (f"{LIST}connect/{slug}/", f"{LIST}connect/{slug}/waiting/"):
            assert client.post(path).status_code == 404


def test_cashier_looks_and_refreshes_and_no_more(here: Business) -> None:
    connection = builders.connection(here)
    client = by("cashier", here)
    assert "Refresh CRM" in shown(client, connection)
    for word in ("Overwrite", "Disconnect", "Change CRM", "Save"):
        assert word not in shown(client, connection)
    for door in ("reconnect", "overwrite", "disconnect"):
        assert client.get(page(connection, door)).status_code == 403
        assert client.post(page(connection, door)).status_code == 403
    assert client.get(START).status_code == 403
    assert client.post(page(connection), {}).status_code == 403
    assert client.post(page(connection, "refresh")).status_code == 302
    connection.refresh_from_db()
    assert (connection.is_active, connection.require_phone, connection.runs.count()) == (True, True, 1)


@pytest.mark.parametrize(
    ("permission", "statuses"),
    [
        ("crm.view_connection", {"change": 200, "overwrite": 403, "disconnect": 403, "reconnect": 403}),
        ("crm.sync_connection", {"change": 200, "overwrite": 200, "disconnect": 200, "reconnect": 200}),
        ("crm.view_business", {"change": 404, "overwrite": 404, "disconnect": 404, "reconnect": 404}),
    ],
)
def test_staff_do_what_their_permission_says(permission: str, statuses: dict[str, int], here: Business) -> None:
    connection = builders.connection(here)
    client = builders.logged_in(builders.staff(permission))
    assert {door: client.get(page(connection, door)).status_code for door in statuses} == statuses


def test_staff_who_only_look_may_not_refresh(here: Business) -> None:
    connection = builders.connection(here)
    client = builders.logged_in(builders.staff("crm.view_connection"))
    assert client.post(page(connection, "refresh")).status_code == 403
    assert "Refresh CRM" not in shown(client, connection)
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize("door", ["refresh", "preview"])
def test_reading_changes_nothing_by_get(door: str, here: Business) -> None:
    connection = builders.connection(here)
    assert by("owner", here).get(page(connection, door)).status_code == 405
    assert by("owner", here).get(WAITING).status_code == 405
    assert not SyncRun.objects.exists()


def test_nobody_adds_or_deletes(here: Business) -> None:
    connection = builders.connection(here)
    client = builders.logged_in(builders.superuser())
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(page(connection, "delete"), {"post": "yes"}).status_code == 403


# --- how it stands -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (None, "Last synced: Never"),
        (timedelta(seconds=20), "Last synced: Just now"),
        (timedelta(minutes=1, seconds=5), "Last synced: 1 minute ago"),
        (timedelta(minutes=5, seconds=5), "Last synced: 5 minutes ago"),
        (timedelta(hours=1, seconds=5), "Last synced: 1 hour ago"),
        (timedelta(hours=23), "Last synced: 23 hours ago"),
        (timedelta(days=1, hours=2), "Last synced: 1 day ago"),
        (timedelta(days=6, hours=23), "Last synced: 6 days ago"),
    ],
)
def test_page_says_when_it_was_synced(passed: timedelta | None, words: str, here: Business) -> None:
    at = timezone.now() - passed if passed else None
    connection = builders.connection(here, last_synced_at=at)
    said = shown(by("cashier", here), connection)
    assert words in said
    assert "Auto-syncs hourly" in said


def test_page_says_the_date_after_a_week(here: Business) -> None:
    at = timezone.now() - timedelta(days=8)
    connection = builders.connection(here, last_synced_at=at)
    assert f"Last synced: {at:%-d %B %Y}" in shown(by("cashier", here), connection)


def test_page_of_a_switched_off_connection_offers_to_connect(here: Business) -> None:
    connection = builders.connection(here, is_active=False)
    said = shown(by("owner", here), connection)
    assert "Disconnected" in said
    assert "Not synced any more" in said
    assert "Connect CRM" in said
    assert "Refresh CRM" not in said


# --- disconnect ----------------------------------------------------------------------------------------------------
def test_disconnect_says_what_happens_and_keeps_the_leads(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=2)
    read(connection)
    client = by("owner", here)
    assert "The leads stay" in shown(client, connection, "disconnect")
    connection.refresh_from_db()
    assert connection.is_active
    answer = client.post(page(connection, "disconnect"), follow=True)
    assert warnings(answer) == ["HubSpot is disconnected. The leads stay."]
    connection.refresh_from_db()
    assert not connection.is_active
    assert Lead.objects.live().count() == 2
    assert "HubSpot is disconnected." in text_of(client.get(page(connection, "history")))


@pytest.mark.parametrize("door", ["disconnect", "overwrite", "reconnect"])
def test_switched_off_connection_has_no_doors(door: str, here: Business) -> None:
    connection, other = builders.connection(here, is_active=False), builders.connection(here)
    client = by("owner", here)
    assert [ask(page(connection, door)).status_code for ask in (client.get, client.post)] == [404, 404]
    other.refresh_from_db()
    assert other.is_active


# --- home ----------------------------------------------------------------------------------------------------------
def tiles(client: Client) -> dict[str, str]:
    html = client.get("/admin/").content.decode()
    tile = r'<section class="tile tone-(\w+)">\s*<h2>([^<]*)</h2>\s*<p[^>]*>([^<]*)</p>\s*<p[^>]*>([^<]*)'
    return {label: f"{tone}: {value}, {note}" for tone, label, value, note in re.findall(tile, html)}


def test_home_tells_how_the_crm_stands(here: Business) -> None:
    client = by("cashier", here)
    assert tiles(client)["CRM"] == "todo: None, No leads come in by themselves."
    connection = builders.connection(here, last_synced_at=timezone.now() - timedelta(minutes=5, seconds=1))
    assert tiles(client)["CRM"] == "good: HubSpot, Last synced: 5 minutes ago."
    assert page(connection) in client.get("/admin/").content.decode()
    Connection.objects.update(reconnect_required=True)
    assert tiles(client)["CRM"] == "bad: HubSpot, Somebody has to sign in again: no leads come in."


def test_home_counts_the_leads_of_today_of_the_own_business(here: Business) -> None:
    builders.lead(here)
    builders.lead(here, created_at=timezone.now() - timedelta(days=1))
    builders.lead(builders.business("elsewhere"))
    assert tiles(by("cashier", here))["New leads today"].startswith("quiet: 1,")
    assert tiles(builders.logged_in(builders.superuser()))["New leads today"].startswith("quiet: 2,")


def test_home_of_several_businesses_names_what_needs_somebody(here: Business) -> None:
    there = builders.business("elsewhere")
    builders.connection(here)
    builders.connection(there, provider="zoho", provider_config_key="zoho-crm")
    client = builders.logged_in(builders.superuser())
    assert tiles(client)["CRM"] == "good: 2 connected, All of them work."
    Connection.objects.filter(business=there).update(reconnect_required=True)
    assert tiles(client)["CRM"].startswith("bad: Zoho CRM,")


@pytest.mark.parametrize("permissions", [(), ("crm.view_user",)])
def test_home_of_staff_without_the_permission_says_nothing_of_crms(permissions: tuple[str, ...]) -> None:
    builders.connection()
    assert {"CRM", "New leads today"}.isdisjoint(tiles(builders.logged_in(builders.staff(*permissions))))


# --- queries -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rows", [1, 3])
def test_list_needs_the_same_queries_for_any_number(
    rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    businesses = [builders.business(f"shop-{number}") for number in range(rows)]
    for business in businesses:
        builders.connection(business)
    client = builders.logged_in(builders.member("owner", *businesses))
    with django_assert_num_queries(11):
        assert client.get(LIST).status_code == 200


@pytest.mark.parametrize("rows", [1, 3])
def test_page_needs_the_same_queries_for_any_number_of_runs(
    rows: int, nango: Nango, here: Business, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    connection = connected(nango, here, contacts=2)
    for _ in range(rows):
        read(connection)
    client = by("owner", here)
    with django_assert_num_queries(10):
        client.get(page(connection))
    with django_assert_num_queries(7):
        client.get(page(connection, "progress"))
