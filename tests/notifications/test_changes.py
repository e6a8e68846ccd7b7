"""The feed of changes: own ones only, each once, none lost, also where transactions end in another order."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from crm.models import User
from loyalty.selectors import scope_of
from notifications import selectors, services
from notifications.models import Change
from notifications.selectors import START, changes_after
from tests import builders
from tests.door import get, said
from tests.notifications.people import asked, customer_with_login, told

pytestmark = pytest.mark.django_db


def changes(by: User, after: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Cursor, and entity, id and action of each."""
    status, body = said(get(f"/api/changes?after={after}", by=by))
    assert (status, list(body)) == (200, ["cursor", "changes"])
    return body["cursor"], [(row["entity"], row["id"], row["action"]) for row in body["changes"]]


def start(by: User) -> str:
    """The cursor now."""
    status, body = said(get("/api/changes", by=by))
    assert (status, body["changes"]) == (200, [])
    return str(body["cursor"])


def test_feed_tells_what_changed_since_in_order_and_once() -> None:
    customer, user = customer_with_login()
    told("before", customer=customer.pk)
    cursor = start(user)
    one = told("one", customer=customer.pk)
    told("another's", customer=builders.customer().pk)
    request = asked(customer)
    services.read_notification(one)
    cursor, found = changes(user, cursor)
    assert found == [
        ("notification", str(one.pk), "created"),
        ("notification", str(request.notification_id), "created"),
        ("approval", str(request.pk), "created"),
        ("notification", str(one.pk), "updated"),
    ]
    assert changes(user, cursor) == (cursor, [])
    assert start(user) == cursor


def test_change_carries_when_it_was() -> None:
    customer, user = customer_with_login()
    told("one", customer=customer.pk)
    row = said(get("/api/changes?after=0.0", by=user))[1]["changes"][0]
    assert sorted(row) == ["action", "at", "entity", "id"]
    assert row["at"].endswith("Z")


def test_member_is_told_what_changes_for_their_businesses() -> None:
    here, there = builders.business("here"), builders.business("there")
    user = builders.member("cashier", here)
    services.note_change("card", uuid4(), action="updated", business=there.pk)
    assert start(user) == START
    card = uuid4()
    services.note_change("card", card, action="updated", business=here.pk, customer=uuid4())
    assert changes(user, START)[1] == [("card", str(card), "updated")]


def test_many_changes_come_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    customer, user = customer_with_login()
    monkeypatch.setattr(selectors, "MOST_CHANGES", 2)
    cursor, seen = start(user), []
    ids = [str(told("one", customer=customer.pk).pk) for _ in range(5)]
    while found := changes(user, cursor)[1]:
        cursor = changes(user, cursor)[0]
        seen.append([row[1] for row in found])
    assert seen == [ids[:2], ids[2:4], ids[4:]]


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1.", ".1", "1.x", "-1.2", "1.2.3", "9" * 19 + ".0", "٣.١", "1" * 40 + ".1"]
)
def test_malformed_cursor_is_refused(cursor: str) -> None:
    user = customer_with_login()[1]
    answer = said(get(f"/api/changes?after={cursor}", by=user))
    assert answer == (400, {"after": ["This is no cursor that was given out."]})


def test_answers_are_stored_nowhere() -> None:
    assert "no-store" in get("/api/changes", by=builders.plain_user())["Cache-Control"]


def test_feed_forgets_after_a_month() -> None:
    customer, user = customer_with_login()
    told("old", customer=customer.pk)
    Change.objects.update(at=timezone.now() - timedelta(days=31))
    new = told("new", customer=customer.pk)
    services.forget_old_changes()
    assert [row[1] for row in changes(user, START)[1]] == [str(new.pk)]


# --- Real transactions -----------------------------------------------------------------------------------------------


@pytest.fixture
def threads(really_committed: None) -> Iterator[ThreadPoolExecutor]:
    """A worker whose connection is closed at its end."""
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(lambda: connection.close()).result()


def settled_changes(by: User, after: str) -> tuple[str, list[tuple[str, str, str]]]:
    """As `changes`; other tests write to the same server, and their transactions hold the feed up while they last."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not changes(by, after)[1]:
        time.sleep(0.05)
    return changes(by, after)


@pytest.mark.postgres
def test_change_of_a_slow_transaction_is_not_lost(threads: ThreadPoolExecutor) -> None:
    customer, user = customer_with_login()
    Change.objects.all().delete()
    cursor = scope_of(user).version
    written, go_on = Event(), Event()

    def slow() -> str:
        with transaction.atomic():
            first = told("slow", customer=customer.pk)
            written.set()
            assert go_on.wait(10)
        return str(first.pk)

    running = threads.submit(slow)
    assert written.wait(10)
    second = str(told("quick", customer=customer.pk).pk)
    assert changes_after(scope_of(user), cursor) == ([], cursor)
    assert scope_of(user).version == cursor
    go_on.set()
    first = running.result()
    cursor, found = settled_changes(user, cursor)
    assert [row[1] for row in found] == [first, second]
    assert scope_of(user).version == cursor


@pytest.mark.postgres
def test_change_that_was_taken_back_never_comes(threads: ThreadPoolExecutor) -> None:
    customer, user = customer_with_login()
    Change.objects.all().delete()
    with transaction.atomic():
        told("undone", customer=customer.pk)
        transaction.set_rollback(True)
    assert threads.submit(lambda: scope_of(user).version).result() == START
    kept = told("kept", customer=customer.pk)
    assert [row[1] for row in settled_changes(user, START)[1]] == [str(kept.pk)]
