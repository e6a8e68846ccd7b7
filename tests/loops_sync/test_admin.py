"""Operators see how the line to Loops is, revive what was given up, and give up what is not wanted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries

from config.sandbox import RunningSandbox
from loops_sync import services
from loops_sync.models import Contact, OutboxEntry
from tests import builders

LIST = "/admin/loops_sync/outboxentry/"
CONTACTS = "/admin/loops_sync/contact/"
Capture = Callable[..., AbstractContextManager[Any]]


def told(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def viewer() -> Client:
    client = Client()
    client.force_login(builders.staff("loops_sync.view_outboxentry", "loops_sync.view_contact"))
    return client


def statuses() -> list[tuple[str, str]]:
    return list(OutboxEntry.objects.order_by("id").values_list("status", "outcome"))


def make_dead(count: int) -> list[OutboxEntry]:
    for _ in range(count):
        builders.submitted(by=builders.person())
    OutboxEntry.objects.update(status="dead", attempts=10, last_error="400 bad property")
    return list(OutboxEntry.objects.order_by("id"))


@pytest.mark.parametrize("rows", [1, 3])
def test_outbox_list_needs_the_same_queries_for_any_number_of_rows(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_dead(rows)
    staff_client.get(LIST)
    with django_assert_num_queries(15):
        html = staff_client.get(LIST).content.decode()
    assert html.count("400 bad property") == rows


@pytest.mark.parametrize("rows", [1, 3])
def test_contact_list_needs_the_same_queries_for_any_number_of_rows(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_dead(rows)
    staff_client.get(CONTACTS)
    with django_assert_num_queries(7):
        html = staff_client.get(CONTACTS).content.decode()
    assert html.count("Not delivered") == rows


def test_retry_selected_revives_logs_and_queues(
    staff_client: Client, django_capture_on_commit_callbacks: Capture
) -> None:
    first, second = make_dead(2)
    data = {"action": "retry_selected", "_selected_action": [str(first.pk)], "index": "0"}
    with django_capture_on_commit_callbacks(execute=True):
        response = staff_client.post(LIST, data)
    assert told(response) == [("success", "1 entry of 1 contact wait again.")]
    assert statuses() == [("pending", ""), ("dead", "")]
    assert LogEntry.objects.get().object_id == str(first.pk)
    assert [row.task["func"] for row in OrmQ.objects.all()] == ["loops_sync.tasks.sync_contact"]


def test_retry_all_matching_previews_the_filter_and_keeps_to_it(staff_client: Client) -> None:
    first, second = make_dead(2)
    query = f"?q={first.contact.email}"
    html = staff_client.get(f"{LIST}retry/{query}").content.decode()
    assert "Retry 1 entry" in html
    assert statuses() == [("dead", ""), ("dead", "")]
    staff_client.post(f"{LIST}retry/{query}")
    assert statuses() == [("pending", ""), ("dead", "")]


def test_retry_with_nothing_to_retry_says_so(staff_client: Client) -> None:
    builders.submitted()
    services.drain()
    response = staff_client.get(f"{LIST}retry/")
    assert told(response) == [("info", "Nothing in this list can be retried: all of it is done, or being sent.")]


def test_retry_with_a_broken_filter_leads_back(staff_client: Client) -> None:
    assert staff_client.get(f"{LIST}retry/?nonsense=1")["Location"] == LIST


def test_discard_asks_why_and_keeps_the_reason(staff_client: Client) -> None:
    first, second = make_dead(2)
    chosen = {"action": "discard_selected", "_selected_action": [str(first.pk)], "index": "0"}
    assert "Discard 1 entry" in staff_client.post(LIST, chosen).content.decode()
    assert "This field is required." in staff_client.post(f"{LIST}discard/", {"ids": first.pk}).content.decode()
    assert statuses() == [("dead", ""), ("dead", "")]
    response = staff_client.post(f"{LIST}discard/", {"ids": first.pk, "reason": "A test address."})
    assert told(response) == [("success", "1 entry discarded.")]
    assert statuses() == [("done", "discarded"), ("dead", "")]
    first.refresh_from_db()
    assert first.last_error == "Discarded: A test address."
    assert LogEntry.objects.get().change_message == "Discarded: A test address."


def test_discard_of_broken_ids_discards_nothing(staff_client: Client) -> None:
    make_dead(1)
    assert staff_client.post(f"{LIST}discard/", {"ids": "1;2", "reason": "x"}).status_code == 200
    assert statuses() == [("dead", "")]


def test_run_now_queues_a_sweep_once_posted(staff_client: Client, django_capture_on_commit_callbacks: Capture) -> None:
    assert staff_client.get(f"{LIST}run/").status_code == 200
    assert OrmQ.objects.count() == 0
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(f"{LIST}run/")
    assert [row.task["func"] for row in OrmQ.objects.all()] == ["loops_sync.tasks.sweep"]


@pytest.mark.parametrize("path", ["retry/", "discard/", "run/"])
def test_acting_on_the_outbox_needs_its_permission(path: str) -> None:
    make_dead(1)
    client = viewer()
    assert client.get(LIST).status_code == 200
    assert client.get(LIST + path).status_code == 403
    assert client.post(LIST + path, {"ids": "1", "reason": "x"}).status_code == 403
    assert "retry_selected" not in client.get(LIST).content.decode()
    assert statuses() == [("dead", "")]


def test_entries_are_read_only(staff_client: Client) -> None:
    (entry,) = make_dead(1)
    assert staff_client.get(f"{LIST}{entry.pk}/change/").status_code == 200
    assert staff_client.post(f"{LIST}{entry.pk}/change/", {"status": "done"}).status_code == 403
    assert staff_client.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff_client.get(f"{LIST}add/").status_code == 403


def test_contact_page_shows_what_differs_and_the_history(staff_client: Client, loops: RunningSandbox) -> None:
    nomination = builders.submitted(by=builders.person(email="ada@example.org"))
    services.drain()
    contact = Contact.objects.get(email="ada@example.org")
    html = staff_client.get(f"{CONTACTS}{contact.pk}/change/").content.decode()
    assert "Loops holds all this already" in html
    assert "Accepted" in html
    nomination.nominator.company = "New Company"
    nomination.nominator.save()
    html = staff_client.get(f"{CONTACTS}{contact.pk}/change/").content.decode()
    assert "<ins>New Company</ins>" in html
    assert "&quot;company&quot;: &quot;New Company&quot;" in html
    assert "nominator_updated" in html


def test_contact_is_synced_by_a_click(
    staff_client: Client, loops: RunningSandbox, django_capture_on_commit_callbacks: Capture
) -> None:
    builders.submitted()
    services.drain()
    contact = Contact.objects.get()
    url = f"{CONTACTS}{contact.pk}/sync/"
    assert staff_client.get(url).status_code == 200
    assert OutboxEntry.objects.count() == 1
    with django_capture_on_commit_callbacks(execute=True):
        staff_client.post(url)
    assert OutboxEntry.objects.latest("id").event_type == "resync"
    assert OrmQ.objects.count() == 1
    assert viewer().post(url).status_code == 403


def test_errors_and_addresses_are_escaped(staff_client: Client) -> None:
    (entry,) = make_dead(1)
    OutboxEntry.objects.update(last_error="<b>bad</b>")
    contact = f"{CONTACTS}{entry.contact_id}/change/"
    for url in (LIST, f"{LIST}{entry.pk}/change/", contact):
        assert "<b>bad</b>" not in staff_client.get(url).content.decode()
