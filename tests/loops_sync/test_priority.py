"""What goes first when the ten requests a second are short, and that the rest moves all the same."""

import pytest
from django.db import connection

from config.sandbox import RunningSandbox
from loops_sync import services, tasks
from loops_sync.models import Contact, OutboxEntry
from loops_sync.services import batches, delivery
from tests import builders


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "BATCH_UNLIMITED", 10)


def write(event: str, count: int, name: str = "") -> list[str]:
    """An entry for each of so many people, each with a role, so that there is something to tell."""
    emails = [f"{name or event}-{number:03}@x.example" for number in range(count)]
    for email in emails:
        builders.submitted(by=builders.person(email=email))
    OutboxEntry.objects.filter(contact__email__in=emails).delete()
    services.record_change(event, emails)
    return emails


def kinds(loops: RunningSandbox) -> list[str]:
    """The kinds of what was told, in order."""
    return [seen.email.split("-")[0] for seen in loops.requests]


def test_priorities_go_by_event() -> None:
    nomination = builders.approved()
    builders.vote(nomination)
    services.record_change("backfill", ["b@x.example"])
    rows = OutboxEntry.objects.order_by("priority", "id").values_list("event_type", "priority")
    assert list(dict.fromkeys(rows)) == [
        ("nomination_approved", 0),
        ("nomination_submitted", 1),
        ("vote_cast", 1),
        ("backfill", 2),
    ]


def test_approvals_go_before_votes_before_backfill(loops: RunningSandbox) -> None:
    write("backfill", 10)
    write("vote_cast", 10)
    write("nomination_approved", 10)
    services.drain()
    assert kinds(loops) == ["nomination_approved"] * 10 + ["vote_cast"] * 10 + ["backfill"] * 10


def test_what_is_old_moves_although_more_urgent_news_never_end(loops: RunningSandbox) -> None:
    write("backfill", 10)
    write("nomination_approved", 60)
    services.drain(limit=50)
    assert kinds(loops) == ["nomination_approved"] * 40 + ["backfill"] * 10


def test_an_approval_that_failed_once_still_goes_before_a_backfill(loops: RunningSandbox) -> None:
    write("backfill", 20)
    failed, fresh = write("nomination_approved", 2)
    Contact.objects.filter(email=failed).update(failures=1)
    services.drain(limit=3)
    assert [seen.email for seen in loops.requests] == [fresh, failed, "backfill-000@x.example"]


def test_the_most_urgent_entry_of_a_contact_counts(loops: RunningSandbox) -> None:
    write("vote_cast", 5)
    (email,) = write("backfill", 1)
    services.record_change("nomination_approved", [email])
    services.drain(limit=1)
    assert kinds(loops) == ["backfill"]
    assert list(OutboxEntry.objects.filter(contact__email=email).values_list("status", flat=True)) == ["done"] * 2


def test_when_many_wait_a_task_gives_its_turn_to_the_most_urgent(loops: RunningSandbox) -> None:
    votes = write("vote_cast", tasks.SINGLE_TASKS + 1)
    (approved,) = write("nomination_approved", 1)
    tasks.sync_contact(str(Contact.objects.get(email=votes[-1]).pk))
    assert [seen.email for seen in loops.requests] == [approved]


@pytest.mark.postgres
def test_an_index_finds_the_most_urgent_of_a_flood() -> None:
    contacts = Contact.objects.bulk_create(Contact(email=f"{number}@x.example") for number in range(5000))
    OutboxEntry.objects.bulk_create(OutboxEntry(event_type="backfill", priority=2, contact=row) for row in contacts)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE loops_outbox")
    plan = OutboxEntry.objects.open().order_by("priority", "id")[:40].explain()
    assert "outbox_open_by_priority" in plan
    assert batches.next_due(10).count() == 40
