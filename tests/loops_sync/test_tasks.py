"""What the queue runs."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import DjangoCaptureOnCommitCallbacks

from config.sandbox import RunningSandbox
from loops_sync import selectors, services, tasks
from loops_sync.models import Contact, Relay, SweepSeat
from loops_sync.services import relay
from tests import builders


def queued() -> list[str]:
    """The functions of the queued tasks, in order."""
    return [row.task["func"] for row in OrmQ.objects.order_by("id")]


def test_an_approval_queues_one_task_per_contact(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, loops: RunningSandbox
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        builders.approved()
    assert queued() == ["loops_sync.tasks.sync_contact"] * 3


def test_many_contacts_at_once_queue_one_sweep(loops: RunningSandbox) -> None:
    tasks.queue_sync([contact.pk for contact in [Contact(email=f"{n}@x.org") for n in range(30)]])
    assert queued() == ["loops_sync.tasks.sweep"]


def test_a_task_delivers_its_contact(loops: RunningSandbox) -> None:
    builders.approved()
    contact = Contact.objects.first()
    assert contact is not None
    tasks.sync_contact(str(contact.pk))
    assert [row["email"] for row in loops.contacts] == [contact.email]


def test_a_task_for_a_contact_that_is_leased_leaves_it_alone(loops: RunningSandbox) -> None:
    builders.submitted()
    Contact.objects.update(leased_until=timezone.now() + timedelta(seconds=30))
    tasks.sync_contact(str(Contact.objects.get().pk))
    assert loops.requests == []


def test_a_sweep_delivers_and_shows_that_the_worker_lives(loops: RunningSandbox) -> None:
    builders.submitted()
    assert not selectors.worker_is_alive()
    tasks.sweep()
    assert selectors.worker_is_alive()
    assert len(loops.contacts) == 1
    assert queued() == []


def test_two_sweep_and_a_third_goes_home(loops: RunningSandbox) -> None:
    assert [services.take_sweep(), services.take_sweep(), services.take_sweep()] == [1, 2, None]
    builders.submitted()
    tasks.sweep()
    assert loops.requests == []
    services.yield_sweep(2)
    tasks.sweep()
    assert len(loops.requests) == 1


def test_the_seat_of_a_dead_worker_is_free_after_its_lease() -> None:
    assert services.take_sweep() == 1
    SweepSeat.objects.filter(pk=1).update(taken_until=timezone.now() - timedelta(seconds=1))
    assert services.take_sweep() == 1


def test_much_work_calls_for_help(loops: RunningSandbox) -> None:
    for _ in range(tasks.SINGLE_TASKS + 1):
        builders.submitted()
    tasks.sweep()
    assert queued() == ["loops_sync.tasks.sweep"]
    assert len(loops.contacts) == tasks.SINGLE_TASKS + 1


def test_a_sweep_probes_a_stopped_line(loops: RunningSandbox) -> None:
    builders.submitted()
    Relay.objects.create(pk=1, unauthorized_at=timezone.now(), next_probe_at=timezone.now())
    tasks.sweep()
    assert len(loops.contacts) == 1


def test_in_an_outage_one_stays_and_asks_until_loops_is_back(
    loops: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "GLANCE_SECONDS", 0.01)
    monkeypatch.setattr(relay, "PROBE_OUTAGE_EVERY", timedelta(0))
    for _ in range(Relay.OUT_AFTER):
        builders.submitted()
    loops.set_fault("server_error", times=Relay.OUT_AFTER + 2)
    tasks.sweep()
    assert queued() == ["loops_sync.tasks.look_out"]
    tasks.look_out()
    assert [seen.path.rpartition("/")[2] for seen in loops.requests[Relay.OUT_AFTER :]] == ["api-key"] * 3
    assert queued()[1:] == ["loops_sync.tasks.sweep"]
    tasks.sweep()
    assert len(loops.contacts) == Relay.OUT_AFTER
    assert len(queued()) == 2


def test_a_second_one_has_nothing_to_look_out_for(loops: RunningSandbox) -> None:
    Relay.objects.create(pk=1, outage_signs=Relay.OUT_AFTER)
    SweepSeat.objects.create(number=relay.LOOKOUT, taken_until=timezone.now() + timedelta(minutes=1))
    tasks.look_out()
    assert loops.requests == []
    assert queued() == []


def test_a_refused_key_is_no_outage(loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("unauthorized")
    tasks.sweep()
    assert queued() == []


@pytest.mark.parametrize(("name", "kind"), [("Deliver to Loops", "I"), ("Tidy up", "D")])
def test_the_schedules_exist_once(name: str, kind: str) -> None:
    tasks.ensure_schedules()
    assert [row.schedule_type for row in Schedule.objects.filter(name=name)] == [kind]


def test_tidying_forgets_what_was_done_long_ago_and_keeps_the_dead(loops: RunningSandbox) -> None:
    from loops_sync.models import OutboxEntry, SyncAttempt

    builders.submitted()
    services.drain()
    builders.submitted()
    loops.set_fault("reject")
    services.drain()
    long_ago = timezone.now() - timedelta(days=31)
    OutboxEntry.objects.update(finished_at=long_ago)
    SyncAttempt.objects.update(at=long_ago)
    tasks.tidy()
    assert list(OutboxEntry.objects.values_list("status", flat=True)) == ["dead"]
    assert SyncAttempt.objects.count() == 0
