"""What Loops holds otherwise than it should: found, kept, shown, and mended."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import DjangoAssertNumQueries, Settings

from config.sandbox import RunningSandbox
from loops_sync import services, tasks
from loops_sync.models import AccountSetup, Contact, Drift, OutboxEntry, Relay, RemoteCheck
from nominations.models import Nomination
from tests import builders
from tests.loops_sync.test_commands import verified

LIST = "/admin/loops_sync/drift/"
KEY = {"Authorization": "Bearer x"}
Capture = Callable[..., AbstractContextManager[Any]]


def told() -> Nomination:
    """An approved nomination of which Loops knows all."""
    nomination = builders.approved()
    services.drain()
    return nomination


def changed_at(loops: RunningSandbox, email: str, **properties: Any) -> Contact:
    """Somebody changed the contact in the audience."""
    requests.put(f"{loops.loops_url}/contacts/update", json={"email": email, **properties}, headers=KEY, timeout=5)
    return Contact.objects.get(email=email)


def deleted_at(loops: RunningSandbox, email: str) -> Contact:
    """Somebody deleted it, and no webhook told us."""
    requests.post(f"{loops.loops_url}/contacts/delete", json={"email": email}, headers=KEY, timeout=5)
    return Contact.objects.get(email=email)


def checks() -> list[tuple[str, int, int, str]]:
    return list(RemoteCheck.objects.order_by("id").values_list("state", "looked", "differing", "error"))


def test_drift_is_kept_with_both_values_once(loops: RunningSandbox) -> None:
    contact = changed_at(loops, told().nominee.email, userGroup="Someone Else", company="Theirs")
    for _look in range(2):
        assert services.look_at_loops().examples == [f"{contact.email}: userGroup, company"]
    drift = Drift.objects.get()
    assert (drift.contact, drift.is_missing, drift.mended_at) == (contact, False, None)
    assert drift.differences == [
        {"property": "userGroup", "ours": "Nominess", "theirs": "Someone Else"},
        {"property": "company", "ours": None, "theirs": "Theirs"},
    ]
    assert checks() == [("drift", 2, 1, "")] * 2
    assert verified()[0] == 1


def test_sending_again_mends_also_what_loops_holds_besides(loops: RunningSandbox) -> None:
    contact = changed_at(loops, told().nominee.email, userGroup="Someone Else", company="Theirs")
    services.look_at_loops()
    assert services.resend_drifted(Drift.objects.all()) == [contact.pk]
    services.drain()
    held = loops.contact(contact.email)
    assert held is not None
    assert (held["userGroup"], held["company"]) == ("Nominess", None)
    assert Drift.objects.get().mended_at is not None
    assert services.look_at_loops().state == "ok"
    assert verified("--remote")[0] == 0
    assert services.resend_drifted(Drift.objects.all()) == []


def test_what_loops_mended_itself_is_seen(loops: RunningSandbox) -> None:
    email = told().nominee.email
    changed_at(loops, email, userGroup="Someone Else")
    services.look_at_loops()
    changed_at(loops, email, userGroup="Nominess")
    services.look_at_loops()
    assert Drift.objects.get().mended_at is not None


def test_an_ordinary_delivery_does_not_count_as_mended(loops: RunningSandbox) -> None:
    nomination = told()
    changed_at(loops, nomination.nominee.email, company="Theirs")
    services.look_at_loops()
    nomination.nominee.job_title = "Director"
    nomination.nominee.save()
    services.drain()
    assert Drift.objects.get().mended_at is None


def test_news_that_waits_is_no_drift(loops: RunningSandbox) -> None:
    nomination = told()
    nomination.nominator.company = "New"
    nomination.nominator.save()
    assert services.look_at_loops().differing == 0
    assert not Drift.objects.exists()


def test_a_contact_told_meanwhile_is_no_drift(loops: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    nomination = told()
    from loops_sync import client

    find = client.find_contact

    def overtaken(email: str = "", *, user_id: str = "") -> Any:
        held = find(email)
        if email == nomination.nominator.email and nomination.nominator.company != "New":
            nomination.nominator.company = "New"
            nomination.nominator.save()
            services.drain()
        return held

    monkeypatch.setattr(client, "find_contact", overtaken)
    assert services.look_at_loops().differing == 0


def test_who_unsubscribed_is_on_no_list_and_that_is_right(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_LISTS = {**settings.LOOPS_LISTS, "nominee": "list_nominees"}
    email = told().nominee.email
    changed_at(loops, email, subscribed=False, mailingLists={"list_nominees": False})
    assert services.look_at_loops().state == "ok"


def test_a_missing_contact_is_made_anew_only_by_hand(loops: RunningSandbox, staff_client: Client) -> None:
    contact = deleted_at(loops, told().nominee.email)
    assert services.look_at_loops().examples == [f"{contact.email}: missing"]
    drift = Drift.objects.get()
    assert drift.is_missing
    page = staff_client.get(f"{LIST}{drift.pk}/send/").content.decode()
    assert "would be made anew, and subscribed" in page
    services.drain()
    assert loops.contact(contact.email) is None
    staff_client.post(f"{LIST}{drift.pk}/send/")
    services.drain()
    assert loops.contact(contact.email) is not None


def test_a_contact_in_a_workers_hands_is_left_out(loops: RunningSandbox) -> None:
    contact = changed_at(loops, told().nominee.email, userGroup="Someone Else")
    services.look_at_loops()
    Contact.objects.filter(pk=contact.pk).update(leased_until=timezone.now() + timedelta(seconds=30))
    assert services.resend_drifted(Drift.objects.all()) == []
    assert not OutboxEntry.objects.open().exists()


@pytest.mark.parametrize(
    ("fault", "options", "state"),
    [("server_error", {}, "unknown"), ("reset", {}, "unknown"), ("unauthorized", {}, "broken")],
)
def test_a_look_that_fails_never_says_ok(
    loops: RunningSandbox, fault: str, options: dict[str, Any], state: str
) -> None:
    told()
    loops.set_fault(fault, **options)
    code, found = verified("--remote")
    assert (found["remote"]["state"], found["remote"]["count"]) == (state, None)
    assert code == {"unknown": 1, "broken": 2}[state]
    row = RemoteCheck.objects.get()
    assert (row.state, bool(row.error), row.finished_at is None) == (state, True, False)
    assert Relay.objects.filter(unauthorized_at__isnull=False).exists() == (state == "broken")


def test_a_look_gets_over_an_error_that_does_not_repeat(loops: RunningSandbox) -> None:
    told()
    loops.set_fault("rate_limited", times=1, retry_after=0)
    loops.set_fault("server_error", times=1)
    assert services.look_at_loops().state == "ok"


def test_a_look_ends_with_its_time(loops: RunningSandbox) -> None:
    told()
    assert services.look_at_loops(seconds=0).error == "Time was up"
    assert checks() == [("unknown", 0, 0, "Time was up")]


def test_by_night_account_and_sample_are_looked_at(loops: RunningSandbox, settings: Settings) -> None:
    changed_at(loops, told().nominee.email, userGroup="Someone Else")
    settings.LOOPS_SYNC_ENABLED = False
    tasks.look_at_loops()
    assert checks() == []
    settings.LOOPS_SYNC_ENABLED = True
    tasks.look_at_loops()
    assert checks() == [("drift", 2, 1, "")]
    assert AccountSetup.objects.get().missing_properties == []
    tasks.ensure_schedules()
    schedule = Schedule.objects.get(func="loops_sync.tasks.look_at_loops")
    assert (schedule.schedule_type, schedule.next_run.hour) == ("D", 3)


def test_a_sample_is_so_many(loops: RunningSandbox) -> None:
    for _ in range(5):
        builders.submitted()
    services.drain()
    assert services.look_at_loops(sample=2).looked == 2


def test_staff_see_both_values_and_send_again_by_a_click(
    loops: RunningSandbox, staff_client: Client, django_capture_on_commit_callbacks: Capture
) -> None:
    contact = changed_at(loops, told().nominee.email, userGroup="<b>Else</b>")
    services.look_at_loops()
    drift = Drift.objects.get()
    html = staff_client.get(LIST).content.decode()
    assert "userGroup: <ins>Nominess</ins> → <del>&lt;b&gt;Else&lt;/b&gt;</del>" in html
    assert "1 of 2 differ" in html
    page = staff_client.get(f"{LIST}{drift.pk}/change/").content.decode()
    assert "<ins>Nominess</ins>" in page
    assert "<del>&lt;b&gt;Else&lt;/b&gt;</del>" in page
    assert staff_client.get(f"{LIST}{drift.pk}/send/").status_code == 200
    assert not OutboxEntry.objects.open().exists()
    with django_capture_on_commit_callbacks(execute=True):
        response = staff_client.post(f"{LIST}{drift.pk}/send/")
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["1 contact is told everything anew."]
    assert [row.task["func"] for row in OrmQ.objects.all()] == ["loops_sync.tasks.sync_contact"]
    assert LogEntry.objects.get().object_id == str(drift.pk)
    services.drain()
    assert "Mended" in staff_client.get(LIST).content.decode()
    assert (loops.contact(contact.email) or {})["userGroup"] == "Nominess"


def test_many_are_sent_again_at_once(loops: RunningSandbox, staff_client: Client) -> None:
    nominations = [told() for _ in range(3)]
    for nomination in nominations:
        changed_at(loops, nomination.nominee.email, userGroup="Someone Else")
    services.look_at_loops()
    chosen = [str(pk) for pk in Drift.objects.values_list("pk", flat=True)[:2]]
    data = {"action": "send_selected", "_selected_action": chosen, "index": "0"}
    assert "Send 2 contacts again" in staff_client.post(LIST, data).content.decode()
    assert not OutboxEntry.objects.open().exists()
    staff_client.post(f"{LIST}send/", {"ids": ",".join(chosen)})
    services.drain()
    assert Drift.objects.open().count() == 1
    assert LogEntry.objects.count() == 2


def test_drift_is_for_whoever_may_see_and_change_contacts(loops: RunningSandbox) -> None:
    changed_at(loops, told().nominee.email, userGroup="Someone Else")
    services.look_at_loops()
    drift = Drift.objects.get()
    client = Client()
    client.force_login(builders.staff("loops_sync.view_outboxentry"))
    assert client.get(LIST).status_code == 403
    client.force_login(builders.staff("loops_sync.view_contact"))
    html = client.get(LIST).content.decode()
    assert "Someone Else" in html
    assert "Send again" not in html
    for url in (f"{LIST}{drift.pk}/send/", f"{LIST}send/"):
        assert client.get(url).status_code == 403
        assert client.post(url, {"ids": str(drift.pk)}).status_code == 403
    assert not OutboxEntry.objects.open().exists()


@pytest.mark.parametrize("rows", [1, 3])
def test_drift_list_needs_the_same_queries_for_any_number_of_rows(
    loops: RunningSandbox, staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(rows):
        Drift.objects.create(contact=Contact.objects.create(email=f"{number}@x.org"), is_missing=True)
    staff_client.get(LIST)
    with django_assert_num_queries(11):
        html = staff_client.get(LIST).content.decode()
    assert html.count("Loops has no such contact") == rows
