"""Runs and what became of their contacts, in the admin: for reading only."""

import re
from html import unescape
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from config.sandbox.nango import Nango
from crm import services
from crm.models import Business, Connection, Lead, SyncOutcome, SyncRun
from tests import builders
from tests.crm.test_admin_connections import by, connected, read, text_of

pytestmark = pytest.mark.django_db
RUNS, OUTCOMES = "/admin/crm/syncrun/", "/admin/crm/syncoutcome/"


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


def run_of(connection: Connection, **outcome: object) -> SyncRun:
    """A run that is done, with one outcome."""
    run = services.start_run(connection)
    SyncRun.objects.filter(pk=run.pk).update(status="done", finished_at=run.created_at, started_at=run.created_at)
    SyncOutcome.objects.create(run=run, **{"bucket": "created", "crm_id": "1", "name": "Ada", **outcome})
    run.refresh_from_db()
    return run


def rows(client: Client, address: str) -> list[str]:
    """What the list's rows say."""
    html = client.get(address).content.decode()
    table = re.search(r'id="result_list".*?<tbody>(.*?)</tbody>', html, re.DOTALL)
    found = re.findall(r"<tr>(.*?)</tr>", table[1], re.DOTALL) if table else []
    return [" ".join(unescape(re.sub(r"<[^>]*>", " ", row)).split()) for row in found]


def tabs(client: Client, address: str) -> list[str]:
    html = client.get(address).content.decode()
    nav = re.search(r'<nav class="tabs".*?</nav>', html, re.DOTALL)
    assert nav
    return [" ".join(re.sub(r"<[^>]*>", " ", link).split()) for link in re.findall(r"<a .*?</a>", nav[0], re.DOTALL)]


def test_member_sees_runs_of_their_own_business(here: Business) -> None:
    mine, theirs = (run_of(builders.connection(of)) for of in (here, builders.business("elsewhere")))
    client = by("cashier", here)
    html = client.get(RUNS).content.decode()
    assert str(mine.pk) in html
    assert str(theirs.pk) not in html
    addresses = (f"{RUNS}{{}}/change/", f"{RUNS}{{}}/progress/", f"{OUTCOMES}?run={{}}")
    for address in addresses:
        assert client.get(address.format(mine.pk)).status_code == 200
        missing = [client.get(address.format(pk)) for pk in (theirs.pk, uuid4())]
        assert [answer.status_code for answer in missing] == [404, 404]
    assert client.get(f"{OUTCOMES}?run=nonsense").status_code == 404


def test_filters_and_searches_reach_no_foreign_contact(here: Business) -> None:
    run_of(builders.connection(here))
    theirs = run_of(builders.connection(builders.business("elsewhere")), name="Secret")
    mine = SyncRun.objects.exclude(pk=theirs.pk).get()
    client = by("owner", here)
    assert rows(client, f"{OUTCOMES}?run={mine.pk}&q=Secret") == []
    assert client.get(f"{OUTCOMES}?run={theirs.pk}&q=Secret").status_code == 404


@pytest.mark.parametrize("permission", ["crm.view_syncrun", "crm.sync_connection"])
def test_staff_with_a_permission_see_all(permission: str, here: Business) -> None:
    runs = [run_of(builders.connection(of)) for of in (here, builders.business("elsewhere"))]
    html = builders.logged_in(builders.staff(permission)).get(RUNS).content.decode()
    assert all(str(run.pk) in html for run in runs)
    assert builders.logged_in(builders.staff("crm.view_lead")).get(RUNS).status_code == 403


def test_nobody_writes(here: Business) -> None:
    run = run_of(builders.connection(here))
    client = builders.logged_in(builders.superuser())
    assert client.get(f"{RUNS}add/").status_code == 403
    assert client.post(f"{RUNS}{run.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{OUTCOMES}{SyncOutcome.objects.get().pk}/delete/", {"post": "yes"}).status_code == 403
    assert SyncOutcome.objects.count() == 1


def test_runs_are_listed_with_who_asked_and_what_came(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=3)
    read(connection)
    failed = services.start_run(connection, by=builders.member("owner", here), trigger="person")
    services.runs.fail_run(failed, "The CRM answered 500.", code="upstream_error")
    client = by("cashier", here)
    found = rows(client, RUNS)
    assert "Refresh HubSpot Corner Cafe" in found[1]
    assert "Synced 3 contacts (3 new, 0 updated)" in found[1]
    assert "Failed" in found[0]
    assert "The CRM answered 500." in found[0]
    assert tabs(client, RUNS) == ["All 2", "Queued 0", "Running 0", "Done 1", "Failed 1"]
    assert len(rows(client, f"{RUNS}?status__exact=failed")) == 1
    assert len(rows(client, f"{RUNS}?strategy__exact=preview")) == 0
    assert len(rows(client, f"{RUNS}?trigger__exact=person")) == 2


def test_run_is_watched_while_it_is_under_way(here: Business) -> None:
    run = services.start_run(builders.connection(here))
    client = by("cashier", here)
    waits = client.get(f"{RUNS}{run.pk}/change/")
    assert f"{RUNS}{run.pk}/progress/" in waits.content.decode()
    assert "Waiting for a worker…" in text_of(waits)
    services.runs.fail_run(run, "Broken.", code="upstream_error")
    ended = client.get(f"{RUNS}{run.pk}/progress/")
    assert "Broken." in text_of(ended)
    assert b"hx-trigger" not in ended.content


def test_contacts_come_in_tabs_that_add_up(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=40, dirty=True)
    run = read(connection)
    client = by("cashier", here)
    found = dict(tab.rsplit(" ", 1) for tab in tabs(client, f"{OUTCOMES}?run={run.pk}"))
    assert int(found["All"]) == run.fetched == 40
    assert (int(found["New"]), int(found["Skipped"])) == (run.created, run.skipped)
    assert len(rows(client, f"{OUTCOMES}?run={run.pk}&bucket=skipped")) == run.skipped
    for reason, count in run.skipped_reasons.items():
        assert len(rows(client, f"{OUTCOMES}?run={run.pk}&bucket=skipped&reason={reason}")) == count


def test_contact_is_found_by_name_and_id_and_leads_to_its_lead(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=5)
    run, lead = read(connection), Lead.objects.order_by("name")[0]
    client = by("cashier", here)
    for text in (lead.name, str(lead.crm_id)):
        found = rows(client, f"{OUTCOMES}?run={run.pk}&q={text}")
        assert len(found) == 1
        assert lead.name in found[0]
    assert f"/admin/crm/lead/{lead.pk}/change/" in client.get(f"{OUTCOMES}?run={run.pk}").content.decode()


def test_changes_are_told_before_and_after(nango: Nango, here: Business) -> None:
    connection = connected(nango, here)
    one = nango.upsert_contact(
        connection.nango_connection_id,
        first_name="Ada",
        last_name="L",
        phone="+447306506797",
        company="Old",
        status="NEW",
    )
    read(connection)
    nango.upsert_contact(
        connection.nango_connection_id, one["id"], phone="07306 506798", company="New & Co", status=None
    )
    run = read(connection)
    (found,) = rows(by("cashier", here), f"{OUTCOMES}?run={run.pk}&bucket=updated")
    assert "Phone +44 7306 506797 → is now +44 7306 506798" in found
    assert "Company Old → is now New & Co" in found
    assert "CRM status New → is now empty" in found
    assert "as the CRM writes it" not in found


def test_contact_that_is_back_says_so(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=1)
    read(connection)
    Lead.objects.update(crm_deleted_at=connection.created_at)
    run = services.execute_run(services.start_run(connection, strategy="overwrite"))
    (found,) = rows(by("cashier", here), f"{OUTCOMES}?run={run.pk}&bucket=updated")
    assert "In the CRM gone → is now there again" in found


def test_contacts_without_a_run_lead_to_the_runs(here: Business) -> None:
    assert by("cashier", here).get(OUTCOMES)["Location"] == RUNS


def test_dropped_contacts_are_told(nango: Nango, here: Business) -> None:
    run = read(connected(nango, here, contacts=2))
    run.outcomes.all().delete()
    said = text_of(by("cashier", here).get(f"{OUTCOMES}?run={run.pk}"))
    assert "Contacts are listed for thirty days after a run; these are gone, their counts stay." in said


@pytest.mark.parametrize("count", [1, 3])
def test_lists_need_the_same_queries_for_any_number(
    count: int, here: Business, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    connection = builders.connection(here)
    runs = [run_of(connection) for _ in range(count)]
    for number in range(count):
        SyncOutcome.objects.create(run=runs[0], bucket="updated", crm_id=f"x{number}", lead=builders.lead(here))
    client = by("owner", here)
    with django_assert_num_queries(11):
        client.get(RUNS)
    with django_assert_num_queries(11):
        client.get(f"{OUTCOMES}?run={runs[0].pk}")
    with django_assert_num_queries(8):
        client.get(f"{RUNS}{runs[0].pk}/change/")
