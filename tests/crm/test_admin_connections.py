"""The connection in the admin: begun, watched, read, looked at before it overwrites, and parted from."""

import re
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, Settings

from config.sandbox.nango import Nango
from crm import services, tasks
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


# --- connecting ----------------------------------------------------------------------------------------------------
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


# --- refresh -------------------------------------------------------------------------------------------------------
def test_refresh_is_queued_watched_and_told(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=30, dirty=True)
    client = by("cashier", here)
    assert client.post(page(connection, "refresh"))["Location"] == page(connection)
    waits = shown(client, connection)
    assert "Waiting for a worker…" in waits
    assert b"hx-trigger" in client.get(page(connection, "progress")).content
    run = work(connection)
    done = client.get(page(connection, "progress"))
    total = run.created + run.updated
    assert f"Synced {total} contacts ({run.created} new, {run.updated} updated)" in text_of(done)
    assert b'id="run"' in done.content
    assert b"hx-trigger" not in done.content
    # What else stands on the page comes along.
    assert done.content.count(b'hx-swap-oob="true"') == 2
    assert "Last synced: Just now" in text_of(done)
    for reason, count in run.skipped_reasons.items():
        assert f"/admin/crm/syncoutcome/?run={run.pk}&amp;bucket=skipped&amp;reason={reason}" in done.content.decode()
        assert f"{count} skipped:" in text_of(done)


def test_one_contact_is_one(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=1)
    run = read(connection)
    assert f"Synced 1 contact ({run.created} new, {run.updated} updated)" in shown(by("cashier", here), connection)


def test_progress_counts_what_was_read_so_far(here: Business) -> None:
    connection = builders.connection(here)
    run = services.start_run(connection)
    SyncRun.objects.filter(pk=run.pk).update(status="running", fetched=1200, created=900, updated=20, unchanged=280)
    said = shown(by("cashier", here), connection, "progress")
    assert "Reading HubSpot: 1,200 contacts so far" in said
    assert "900 new 20 updated 280 unchanged" in said


def test_run_that_nobody_works_on_is_told(here: Business) -> None:
    connection = builders.connection(here)
    run = services.start_run(connection)
    SyncRun.objects.filter(pk=run.pk).update(heard_at=timezone.now() - timedelta(seconds=30))
    assert "No worker has taken it yet. Does one run?" in shown(by("cashier", here), connection)
    SyncRun.objects.filter(pk=run.pk).update(heard_at=timezone.now() - timedelta(minutes=3))
    said = by("cashier", here).get(page(connection))
    assert "No worker has been heard of for two minutes." in text_of(said)
    assert b"hx-trigger" not in said.content


def test_second_refresh_is_told_of_the_first(here: Business) -> None:
    connection = builders.connection(here)
    client = by("cashier", here)
    client.post(page(connection, "refresh"))
    again = client.post(page(connection, "refresh"), follow=True)
    assert warnings(again) == ["A sync of this connection is running already."]
    assert connection.runs.count() == 1


def test_switched_off_connection_is_not_read(here: Business) -> None:
    connection = builders.connection(here, is_active=False)
    client = by("cashier", here)
    assert warnings(client.post(page(connection, "refresh"), follow=True)) == ["No CRM is connected."]


@pytest.mark.parametrize(
    ("fault", "what", "todo"),
    [
        ("hang", "HubSpot did not answer in time.", "Refresh again, or leave it to the next hour."),
        ("rate_limited", "HubSpot had too many requests.", "The next hour tries again by itself."),
        ("unauthorized", "Nango answered 401.", "The next hour tries again. If it stays, connect anew."),
    ],
)
def test_failed_run_says_what_happened_and_what_to_do(
    fault: str, what: str, todo: str, nango: Nango, here: Business, settings: Settings
) -> None:
    settings.NANGO_TIMEOUT_SECONDS = 0.2
    connection = connected(nango, here, contacts=2)
    nango.set_fault(fault)
    services.execute_run(services.start_run(connection), seconds=5)
    said = shown(by("cashier", here), connection)
    assert what in said
    assert todo in said


def test_lost_access_asks_to_sign_in_again(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=2)
    nango.drop_connection(connection.nango_connection_id)
    read(connection)
    said = shown(by("owner", here), connection)
    assert "HubSpot wants somebody to sign in again." in said
    assert "Reconnect" in said
    assert "An owner or manager can do it." in shown(by("cashier", here), connection)


def test_history_is_newest_first_and_leads_to_the_runs(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=3)
    first, second = read(connection), read(connection)
    html = by("cashier", here).get(page(connection)).content.decode()
    history = html[html.index('id="history"') :]
    assert 0 < history.index(str(second.pk)) < history.index(str(first.pk))
    assert "asked for by somebody" in text_of(by("cashier", here).get(page(connection)))


# --- require phone -------------------------------------------------------------------------------------------------
def test_manager_lets_contacts_without_a_phone_in(nango: Nango, here: Business) -> None:
    connection = connected(nango, here)
    nango.upsert_contact(
        connection.nango_connection_id,
        first_name="Mia",
        last_name="Mail",
        email="mia@x.example",
        phone=None,
        mobile=None,
    )
    assert read(connection).skipped_reasons == {"no_phone": 1}
    client = by("manager", here)
    answer = client.post(page(connection), {}, follow=True)
    assert warnings(answer) == [
        "Contacts without a phone become leads too. The next sync reads all contacts again.",
    ]
    connection.refresh_from_db()
    assert not connection.require_phone
    assert read(connection).created == 1
    client.post(page(connection), {"require_phone": "on"})
    connection.refresh_from_db()
    assert connection.require_phone


def test_saving_what_is_so_changes_nothing(here: Business) -> None:
    connection = builders.connection(here, changed_since=timezone.now())
    assert warnings(by("manager", here).post(page(connection), {"require_phone": "on"}, follow=True)) == []
    connection.refresh_from_db()
    assert connection.changed_since is not None


# --- preview and overwrite -----------------------------------------------------------------------------------------
def test_preview_of_a_refresh_shows_examples_and_writes_nothing(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=3)
    read(connection)
    changed = nango.contacts(connection.nango_connection_id)[0]
    nango.upsert_contact(connection.nango_connection_id, changed["id"], company="Changed Ltd")
    client = by("cashier", here)
    answer = client.post(page(connection, "preview"), {"of": "append"})
    run = connection.runs.get(status="queued")
    assert answer["Location"] == f"/admin/crm/syncrun/{run.pk}/change/"
    before = list(Lead.objects.order_by("pk").values())
    work(connection)
    said = text_of(client.get(answer["Location"]))
    assert "Would sync 1 contact (0 new, 1 updated)" in said
    assert "Would change: 1" in said
    assert "is now Changed Ltd" in said
    assert "Nothing was written." in said
    assert list(Lead.objects.order_by("pk").values()) == before


def previewed(nango: Nango, here: Business, *, contacts: int, lost: int) -> tuple[Connection, SyncRun]:
    """A connection of which so many contacts are lost at the CRM, and the preview that says so."""
    connection = connected(nango, here, contacts=contacts)
    read(connection)
    for contact in nango.contacts(connection.nango_connection_id)[:lost]:
        nango.delete_contact(connection.nango_connection_id, contact["id"])
    by("owner", here).post(page(connection, "preview"), {"of": "overwrite"})
    return connection, work(connection)


def test_overwrite_is_looked_at_first(here: Business) -> None:
    connection = builders.connection(here)
    client = by("owner", here)
    assert "Look first" in shown(client, connection, "overwrite")
    assert "Look first" in text_of(client.post(page(connection, "overwrite"), {"preview": str(uuid4())}))
    assert not SyncRun.objects.exists()


def test_overwrite_does_what_the_preview_said(nango: Nango, here: Business) -> None:
    connection, seen = previewed(nango, here, contacts=5, lost=1)
    builders.lead(here, name="By Hand")
    client = by("manager", here)
    assert "Go on to the overwrite" in text_of(client.get(f"/admin/crm/syncrun/{seen.pk}/change/"))
    said = shown(client, connection, "overwrite")
    assert "1 of 5 leads are marked as gone" in said
    assert "more than half" not in said
    assert not connection.runs.filter(strategy="overwrite").exists()
    answer = client.post(page(connection, "overwrite"), {"preview": str(seen.pk)})
    assert answer["Location"] == page(connection)
    run = work(connection)
    assert (run.strategy, run.is_confirmed, run.removed) == ("overwrite", False, 1)
    assert Lead.objects.live().count() == 5
    assert "1 marked as gone" in shown(client, connection)
    # It was acted upon: the next one looks anew.
    assert "Look first" in shown(client, connection, "overwrite")


def test_overwrite_of_more_than_half_is_confirmed(nango: Nango, here: Business) -> None:
    connection, seen = previewed(nango, here, contacts=5, lost=3)
    client = by("owner", here)
    assert seen.removed == 3
    said = shown(client, connection, "overwrite")
    assert "3 of 5 leads are marked as gone" in said
    assert "more than half" in said
    refused = client.post(page(connection, "overwrite"), {"preview": str(seen.pk)})
    assert "This field is required." in text_of(refused)
    assert not connection.runs.filter(strategy="overwrite").exists()
    client.post(page(connection, "overwrite"), {"preview": str(seen.pk), "confirm": "on"})
    assert work(connection).removed == 3


def test_overwrite_that_lost_more_meanwhile_is_refused_in_words(nango: Nango, here: Business) -> None:
    connection, seen = previewed(nango, here, contacts=5, lost=1)
    for contact in nango.contacts(connection.nango_connection_id)[:3]:
        nango.delete_contact(connection.nango_connection_id, contact["id"])
    client = by("owner", here)
    client.post(page(connection, "overwrite"), {"preview": str(seen.pk)})
    assert work(connection).error_code == "limit_exceeded"
    said = shown(client, connection)
    assert "4 of 5 leads would be marked as gone." in said
    assert "Preview the overwrite, and confirm it there." in said
    assert Lead.objects.live().count() == 5


def test_overwrite_by_an_old_page_shows_the_newer_preview(nango: Nango, here: Business) -> None:
    connection, seen = previewed(nango, here, contacts=5, lost=1)
    client = by("owner", here)
    client.post(page(connection, "preview"), {"of": "overwrite"})
    work(connection)
    said = text_of(client.post(page(connection, "overwrite"), {"preview": str(seen.pk)}))
    assert "There is a newer preview than the one you looked at." in said
    assert not connection.runs.filter(strategy="overwrite").exists()


def test_old_preview_and_preview_of_a_refresh_are_no_ground(nango: Nango, here: Business) -> None:
    connection, seen = previewed(nango, here, contacts=2, lost=0)
    client = by("owner", here)
    assert "No lead is marked as gone" in shown(client, connection, "overwrite")
    SyncRun.objects.filter(pk=seen.pk).update(finished_at=timezone.now() - timedelta(hours=2))
    client.post(page(connection, "preview"), {"of": "append"})
    work(connection)
    assert "Look first" in shown(client, connection, "overwrite")


def test_overwrite_while_a_run_is_under_way_is_told_at_the_form(nango: Nango, here: Business) -> None:
    connection, seen = previewed(nango, here, contacts=2, lost=0)
    services.start_run(connection)
    said = text_of(by("owner", here).post(page(connection, "overwrite"), {"preview": str(seen.pk)}))
    assert "A sync of this connection is running already." in said


def test_empty_crm_is_told_and_nothing_goes(nango: Nango, here: Business) -> None:
    connection, seen = previewed(nango, here, contacts=2, lost=2)
    assert (seen.status, seen.error_code) == ("failed", "empty_fetch")
    said = text_of(by("owner", here).get(f"/admin/crm/syncrun/{seen.pk}/change/"))
    assert "HubSpot returned no contacts, so nothing was marked as gone." in said
    assert Lead.objects.live().count() == 2


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


def test_disconnecting_again_does_nothing(here: Business) -> None:
    connection = builders.connection(here, is_active=False)
    other = builders.connection(here)
    assert by("owner", here).post(page(connection, "disconnect")).status_code == 200
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
    with django_assert_num_queries(12):
        assert client.get(LIST).status_code == 200


@pytest.mark.parametrize("rows", [1, 3])
def test_page_needs_the_same_queries_for_any_number_of_runs(
    rows: int, nango: Nango, here: Business, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    connection = connected(nango, here, contacts=2)
    for _ in range(rows):
        read(connection)
    client = by("owner", here)
    with django_assert_num_queries(11):
        client.get(page(connection))
    with django_assert_num_queries(7):
        client.get(page(connection, "progress"))
