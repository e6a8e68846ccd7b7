"""The CRM is read from its page: refreshed, previewed, and overwritten after a look."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings

from config.sandbox.nango import Nango
from crm import services
from crm.models import Business, Connection, Lead, SyncRun
from tests import builders
from tests.crm.test_admin_connections import by, connected, page, read, shown, text_of, warnings, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


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
        ("unauthorized", "Nango refuses our key.", "has to set NANGO_SECRET_KEY right. Nango answered 401."),
        ("server_error", "HubSpot could not be read.", "The next hour tries again. If it stays, connect anew."),
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
    assert "HubSpot no longer lets us in. Reconnect, and the next sync reads what was missed." in said
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
