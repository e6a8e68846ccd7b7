"""Workers beside workers, and a line that breaks in every way at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from config.sandbox import RunningSandbox
from loops_sync import services, tasks
from loops_sync.models import Contact, OutboxEntry
from tests import builders


def in_threads(count: int, work: object, *arguments: object) -> None:
    """Run the same work in real threads with connections of their own; the first error rises."""

    def once() -> None:
        try:
            work(*arguments)  # type: ignore[operator]
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        for running in [pool.submit(once) for _ in range(count)]:
            running.result()


@pytest.mark.postgres
def test_workers_side_by_side_send_each_contact_once(really_committed: None, loops: RunningSandbox) -> None:
    for _ in range(60):
        builders.submitted()
    loops.set_fault("slow", seconds=0.005)
    in_threads(4, services.drain)
    sent = Counter(seen.email for seen in loops.requests)
    assert (len(sent), set(sent.values())) == (60, {1})
    assert set(OutboxEntry.objects.values_list("status", "outcome")) == {("done", "sent")}


@pytest.mark.postgres
def test_one_contact_asked_for_by_many_is_sent_once(really_committed: None, loops: RunningSandbox) -> None:
    builders.submitted()
    contact_id: UUID = Contact.objects.get().pk
    loops.set_fault("slow", seconds=0.05)
    in_threads(6, services.sync_contact, contact_id)
    assert len(loops.requests) == 1


@pytest.mark.postgres
def test_news_written_while_a_worker_speaks_is_told_by_the_same_worker(
    really_committed: None, loops: RunningSandbox
) -> None:
    nomination = builders.submitted()
    contact_id: UUID = Contact.objects.get().pk
    loops.set_fault("slow", seconds=0.3)

    def change() -> None:
        nomination.nominator.company = "Acme"
        nomination.nominator.save()
        services.sync_contact(contact_id)

    with ThreadPoolExecutor(2) as pool:

        def closing(work: object) -> None:
            try:
                work()  # type: ignore[operator]
            finally:
                connection.close()

        first = pool.submit(closing, lambda: services.sync_contact(contact_id))
        while not loops.requests:
            pass
        second = pool.submit(closing, change)
        second.result()
        first.result()
    held = loops.contact(nomination.nominator.email)
    assert held is not None
    assert held["company"] == "Acme"
    assert not OutboxEntry.objects.open().exists()


@pytest.mark.django_db
def test_an_outage_of_every_kind_drains_by_itself(loops: RunningSandbox) -> None:
    nominations = [builders.approved() for _ in range(12)]
    loops.set_fault("rate_limited", probability=0.2, retry_after=0)
    loops.set_fault("server_error", probability=0.2)
    loops.set_fault("reset", probability=0.2)
    loops.set_fault("hang", probability=0.05)
    now = timezone.now()
    for minute in range(1, 4):
        with time_machine.travel(now + timedelta(minutes=minute)):
            tasks.sweep()
    loops.clear_faults()
    for minute in range(4, 20):
        with time_machine.travel(now + timedelta(minutes=minute)):
            tasks.sweep()
    assert not OutboxEntry.objects.exclude(status="done").exists()
    groups = {row["email"]: row["userGroup"] for row in loops.contacts}
    assert groups == {row.nominator.email: "Nominator Live" for row in nominations} | {
        row.nominee.email: "Nominess" for row in nominations
    }
