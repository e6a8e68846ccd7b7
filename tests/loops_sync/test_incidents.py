"""Alarms: raised, mailed, over, mailed again; each once."""

import re
from datetime import timedelta
from html import unescape
from smtplib import SMTPServerDisconnected

import pytest
import time_machine
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule
from pytest_django import Settings

from config.sandbox import RunningSandbox
from loops_sync import services, tasks
from loops_sync.models import Contact, Incident, OutboxEntry, Relay, SyncAttempt, TransactionalMail
from tests import builders
from tests.door import get
from tests.loops_sync.test_races import in_threads


class Unreachable(BaseEmailBackend):
    """A mail server that hangs up."""

    def send_messages(self, messages: object) -> int:
        raise SMTPServerDisconnected("Connection unexpectedly closed")


@pytest.fixture(autouse=True)
def _staff(settings: Settings) -> None:
    settings.ALERT_EMAILS = ["ops@example.org"]
    settings.METRICS_TOKEN = "scrape-me"


def subjects() -> list[str]:
    return [message.subject.removeprefix("[Laurel] ") for message in mail.outbox]


def states() -> dict[str, bool]:
    """Each kind that ever was, and whether it is open."""
    return {row.kind: row.closed_at is None for row in Incident.objects.order_by("opened_at")}


def raised() -> set[str]:
    text = get("/metrics", Authorization="Bearer scrape-me").content.decode()
    return set(re.findall(r'laurel_incident_open\{kind="(\w+)"\} 1', text))


def test_a_broken_line_is_seen_everywhere_until_it_is_mended(loops: RunningSandbox, staff_client: Client) -> None:
    nominations = [builders.submitted() for _ in range(3)]
    loops.set_fault("server_error")
    started = timezone.now()
    for minute in range(8):
        with time_machine.travel(started + timedelta(minutes=minute)):
            tasks.sweep()
            tasks.watch_line()
    broken = {"out_of_reach", "failures_in_a_row", "failure_rate"}
    with time_machine.travel(started + timedelta(minutes=8)):
        page = unescape(staff_client.get("/admin/").content.decode())
        assert "Loops is out of reach: messages wait" in page
        assert '<a href="/admin/loops_sync/incident/">Incidents</a>' in page
        assert raised() == {kind for kind, is_open in states().items() if is_open} == broken
    assert sorted(subjects()) == [
        "Alarm: Failures in a row",
        "Alarm: Loops out of reach",
        "Alarm: Many failures in an hour",
    ]
    loops.clear_faults()
    for minute in (10, 11, 12, 90):
        with time_machine.travel(started + timedelta(minutes=minute)):
            tasks.sweep()
            tasks.watch_line()
    with time_machine.travel(started + timedelta(minutes=91)):
        assert len(loops.contacts) == len(nominations)
        assert raised() == set()
        assert 'class="banner"' not in staff_client.get("/admin/").content.decode()
    assert states() == dict.fromkeys(broken, False)
    assert sorted(subjects()[3:]) == [
        "Over: Failures in a row",
        "Over: Loops out of reach",
        "Over: Many failures in an hour",
    ]
    assert all(message.to == ["ops@example.org"] for message in mail.outbox)


def test_given_up_messages_are_an_incident_until_they_are_dealt_with(loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("reject")
    services.drain()
    SyncAttempt.objects.all().delete()
    for _ in range(3):
        services.watch_line()
    assert subjects() == ["Alarm: Messages given up"]
    assert "1 message could not be delivered to Loops." in str(mail.outbox[0].body)
    assert "https://awards.example/admin/loops_sync/incident/" in str(mail.outbox[0].body)
    services.discard_entries(OutboxEntry.objects.all(), reason="Not a person.")
    for _ in range(3):
        services.watch_line()
    assert subjects() == ["Alarm: Messages given up", "Over: Messages given up"]
    OutboxEntry.objects.update(status="dead")
    services.watch_line()
    assert subjects()[2:] == ["Alarm: Messages given up"]


def test_given_up_mails_are_part_of_the_incident_and_have_their_own_banner(staff_client: Client) -> None:
    contact = Contact.objects.create(email="jane@firm.example")
    for number in range(2):
        TransactionalMail.objects.create(
            contact=contact, kind="vote", reference_id=f"v{number}", fact_key=f"v{number}", status="dead"
        )
    services.watch_line()
    assert Incident.objects.open().get().detail == "2 mails could not be delivered to Loops."
    page = staff_client.get("/admin/").text
    assert 'href="/admin/loops_sync/transactionalmail/?status__exact=dead"' in page


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ({"consecutive_failures": 5}, []),
        ({"consecutive_failures": 6}, ["failures_in_a_row"]),
        ({"failing_since": timedelta(minutes=4)}, []),
        ({"failing_since": timedelta(minutes=6)}, ["out_of_reach"]),
        ({"unauthorized_at": timedelta(0)}, ["out_of_reach"]),
    ],
)
def test_each_limit_raises_its_alarm(line: dict[str, object], kinds: list[str]) -> None:
    now = timezone.now()
    fields = {name: now - value if isinstance(value, timedelta) else value for name, value in line.items()}
    Relay.objects.update_or_create(pk=1, defaults=fields)
    services.watch_line()
    assert sorted(states()) == kinds


def test_with_syncing_off_the_line_raises_nothing(settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = False
    Relay.objects.update_or_create(pk=1, defaults={"consecutive_failures": 9})
    services.watch_line()
    assert states() == {}


def test_a_mail_that_fails_is_tried_again(settings: Settings) -> None:
    Relay.objects.update_or_create(pk=1, defaults={"consecutive_failures": 6})
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "tests.loops_sync.test_incidents.Unreachable"
    services.watch_line()
    assert Incident.objects.to_mail().count() == 1
    settings.EMAIL_BACKEND = working
    services.watch_line()
    services.watch_line()
    assert subjects() == ["Alarm: Failures in a row"]


def test_an_incident_that_is_over_before_anybody_was_told_is_told_once(settings: Settings) -> None:
    Incident.objects.create(kind="failure_rate", detail="Many.", opened_at=timezone.now() - timedelta(hours=1))
    services.watch_line()
    services.watch_line()
    assert subjects() == ["Over: Many failures in an hour"]


def test_a_worker_that_dies_while_mailing_holds_the_mail_back_only_for_its_lease() -> None:
    Relay.objects.update_or_create(pk=1, defaults={"consecutive_failures": 6})
    now = timezone.now()
    Incident.objects.create(kind="failures_in_a_row", detail="Six.", mailing_until=now + timedelta(minutes=3))
    services.watch_line()
    assert subjects() == []
    with time_machine.travel(now + timedelta(minutes=4)):
        services.watch_line()
    assert subjects() == ["Alarm: Failures in a row"]


def test_superusers_are_told_when_nobody_is_named(settings: Settings) -> None:
    settings.ALERT_EMAILS = []
    builders.staff()
    Relay.objects.update_or_create(pk=1, defaults={"consecutive_failures": 6})
    services.watch_line()
    assert subjects() == []
    boss = builders.superuser()
    services.watch_line()
    assert [message.to for message in mail.outbox] == [[boss.email]]


def test_the_database_holds_one_open_incident_of_a_kind() -> None:
    Incident.objects.create(kind="dead", detail="One.")
    with pytest.raises(IntegrityError), transaction.atomic():
        Incident.objects.create(kind="dead", detail="Two.")


@pytest.mark.postgres
def test_workers_side_by_side_open_one_incident_and_mail_once(really_committed: None) -> None:
    Relay.objects.update_or_create(pk=1, defaults={"consecutive_failures": 6})
    in_threads(6, services.watch_line)
    assert (Incident.objects.count(), subjects()) == (1, ["Alarm: Failures in a row"])
    Relay.objects.update(consecutive_failures=0)
    in_threads(6, services.watch_line)
    assert subjects()[1:] == ["Over: Failures in a row"]


def test_the_watch_is_scheduled_each_minute() -> None:
    tasks.ensure_schedules()
    assert [row.minutes for row in Schedule.objects.filter(func="loops_sync.tasks.watch_line")] == [1]


def test_staff_see_incidents_with_their_duration_and_change_nothing(staff_client: Client) -> None:
    now = timezone.now()
    Incident.objects.create(kind="dead", detail="One.", opened_at=now - timedelta(minutes=12), closed_at=now)
    page = staff_client.get("/admin/loops_sync/incident/").content.decode()
    assert "12 min" in page
    assert "outboxentry/?status__exact=dead" in page
    assert staff_client.get("/admin/loops_sync/incident/add/").status_code == 403
    viewer = builders.logged_in(builders.staff("loops_sync.view_outboxentry"))
    assert viewer.get("/admin/loops_sync/incident/").status_code == 200
    other = builders.logged_in(builders.staff("nominations.view_nomination"))
    assert other.get("/admin/loops_sync/incident/").status_code == 403
