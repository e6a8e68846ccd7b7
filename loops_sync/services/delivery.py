"""Telling Loops, one contact at a time, without a transaction open while it listens."""

import itertools
import random
import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from loops_sync import client
from loops_sync.contacts import Properties, body_of, without_lists
from loops_sync.models import Contact, ContactQuerySet, OutboxEntry
from loops_sync.services import relay
from loops_sync.services.batches import (
    Batch,
    Tally,
    doubt,
    finish,
    flush,
    lease,
    longest_turn,
    next_due,
    relaxed,
    release,
    settle,
    settle_sent,
)
from loops_sync.services.erasing import delete_at_loops
from loops_sync.services.identities import Busy, gather_holders, give_up_borrowed, make_way, untangle
from loops_sync.services.pace import LONGEST_WAIT_SECONDS, Stop, pause_all
from loops_sync.services.telling import tell

# With the limit on, a batch is about a second's work, so that fresh news never waits long for a leased contact.
BATCH, BATCH_UNLIMITED = 10, 200
# Every fifth batch goes by age, so that what is never urgent moves, too.
BY_AGE_EVERY = 5
FLUSH_SECONDS = 1.0
MOST_PAUSES, SHORTEST_PAUSE = 10, 0.1
PUT_OFF = timedelta(seconds=1)
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 30, 3600
DEAD_AFTER_ATTEMPTS, DEAD_AFTER = 10, timedelta(hours=24)
WELL: dict[str, object] = {"next_attempt_at": None, "failures": 0, "last_error": ""}
Status, Outcome = OutboxEntry.Status, OutboxEntry.Outcome


def sync_contact(contact_id: UUID) -> Tally:
    """Tell Loops about one contact now, if nobody else does. Never raises for a foreign error.

    Looks again after letting go: an entry written while it was speaking found the lease taken.
    """
    tally = Tally()
    chosen = Contact.objects.filter(pk=contact_id).with_open_entries()
    for _turn in range(5):
        if not relay.is_open() or not _run_batch(chosen, tally, 1):
            break
    return tally


def drain(*, limit: int | None = None, seconds: float | None = None) -> Tally:
    """Tell Loops about everyone who is due, decisions first, until nothing is left or the bounds are met.

    `limit` counts contacts. Entries wait while syncing is off or the line is stopped. At times the oldest go first,
    so that nothing waits for ever.
    """
    with relaxed():
        return _drain(limit, seconds)


def _drain(limit: int | None, seconds: float | None) -> Tally:
    tally = Tally()
    ends_at = None if seconds is None else time.monotonic() + seconds
    for number in itertools.count(1):
        if not relay.is_open():
            break
        if ends_at is not None and time.monotonic() >= ends_at:
            tally.stopped_by_clock = True
            break
        most = BATCH if settings.LOOPS_REQUESTS_PER_SECOND else BATCH_UNLIMITED
        room = most if limit is None else min(most, limit - tally.contacts)
        if room <= 0 or not _run_batch(next_due(room, by_age=number % BY_AGE_EVERY == 0), tally, room):
            break
    return tally


def _run_batch(chosen: ContactQuerySet, tally: Tally, count: int) -> bool:
    """Deliver one batch: whether to look for another."""
    batch = lease(chosen, tally, count)
    if not batch.contacts:
        return False
    gather_holders(batch)
    doubt(batch)
    done: set[UUID] = set()
    rest: float | None = None
    try:
        for contact in batch.contacts:
            if timezone.now() + longest_turn() > batch.leased_until:
                break
            _deliver(batch, contact)
            done.add(contact.pk)
            if time.monotonic() - batch.flushed_at > FLUSH_SECONDS:
                flush(batch)
    except Stop as stop:
        rest = stop.seconds
    finally:
        flush(batch)
        release(batch, [contact.pk for contact in batch.contacts if contact.pk not in done])
    tally.contacts += len(done)
    time.sleep(rest or 0)
    return rest is None or rest > 0


def _deliver(batch: Batch, contact: Contact) -> None:
    """Send what the contact is now, unless Loops accepted just that. Raises Stop when the line has to rest."""
    if contact.is_gone:
        settle(batch, contact, **WELL)
        finish(batch, contact, Outcome.DISCARDED)
        return
    if contact.forgotten_at is None and not batch.needs_request(contact):
        settle(batch, contact, **WELL)
        finish(batch, contact, Outcome.UNCHANGED)
        return
    try:
        if contact.forgotten_at is None:
            _tell(batch, contact)
        else:
            delete_at_loops(batch, contact)
    except Busy:
        _put_off(batch, contact)
        return
    except client.LoopsError as error:
        _fail(batch, contact, error)
        return
    if contact.forgotten_at is None:
        settle_sent(batch, contact)
        give_up_borrowed(batch, contact)
    if batch.is_troubled:
        relay.note_success()
        batch.is_troubled = False
    batch.tally.throttled = 0
    finish(batch, contact, Outcome.SENT)


def _tell(batch: Batch, contact: Contact) -> None:
    """Raises LoopsError, Busy, Stop."""
    try:
        make_way(batch, contact)
        tell(batch, contact, _body(batch, contact))
    except client.LoopsError as error:
        if not (error.permanent and untangle(batch, contact)):
            raise
        make_way(batch, contact)
        tell(batch, contact, _body(batch, contact))


def _body(batch: Batch, contact: Contact) -> Properties:
    body = body_of(batch.wanted[contact.pk], contact.accepted, first_time=contact.synced_at is None)
    if contact.is_unsubscribed:
        body = without_lists(body)
    return {**body, "subscribed": False} if contact.pk in batch.unsubscribed else body


def _put_off(batch: Batch, contact: Contact) -> None:
    """Somebody speaks of the contact that has to make way: soon again, without an attempt burnt."""
    ids = [entry.pk for entry in batch.entries[contact.pk]]
    OutboxEntry.objects.filter(pk__in=ids, status=Status.PROCESSING).update(status=Status.PENDING)
    settle(batch, contact, leased_until=None, next_attempt_at=timezone.now() + PUT_OFF)


def _fail(batch: Batch, contact: Contact, error: client.LoopsError) -> None:
    """Later, never, or nobody: by the error table. A 429 and a refused key burn no attempt."""
    if error.is_throttled:
        settle(batch, contact)
        raise Stop(_pause(batch.tally, error))
    if error.permanent:
        _bury(batch, contact, error)
        return
    is_new = contact.failures == 0
    if error.is_unauthorized:
        # It steps back all the same: should Loops refuse this one only, the others go first when the line is open.
        _step_back(batch, contact, error, accepted=contact.accepted)
        relay.note_failure(error, is_new=is_new)
        raise Stop
    _postpone(batch, contact, error)
    relay.note_failure(error, is_new=is_new)
    batch.is_troubled = True
    if not relay.is_open():
        raise Stop


def _pause(tally: Tally, error: client.LoopsError) -> float:
    """Hold every worker back, longer each time: the seconds this run may wait itself, 0 when it had better end."""
    seconds = 2.0**tally.throttled if error.retry_after is None else max(error.retry_after, SHORTEST_PAUSE)
    tally.throttled += 1
    pause_all(seconds)
    return seconds if seconds <= LONGEST_WAIT_SECONDS and tally.throttled < MOST_PAUSES else 0.0


def _bury(batch: Batch, contact: Contact, error: client.LoopsError) -> None:
    ids = [entry.pk for entry in batch.entries[contact.pk]]
    with transaction.atomic():
        _mark_dead(ids, error)
        settle(batch, contact, leased_until=None, last_error=str(error))
    batch.tally.count("dead", len(ids))


def _postpone(batch: Batch, contact: Contact, error: client.LoopsError) -> None:
    now = timezone.now()
    entries = batch.entries[contact.pk]
    dead = [
        entry.pk
        for entry in entries
        if entry.attempts + 1 >= DEAD_AFTER_ATTEMPTS and now - entry.created_at >= DEAD_AFTER
    ]
    later = [entry.pk for entry in entries if entry.pk not in dead]
    with transaction.atomic():
        _mark_dead(dead, error)
        OutboxEntry.objects.filter(pk__in=later, status=Status.PROCESSING).update(
            status=Status.PENDING, attempts=F("attempts") + 1, last_error=str(error)
        )
        _step_back(batch, contact, error, accepted=None if error.leaves_unknown else contact.accepted)
    batch.tally.count("dead", len(dead))
    batch.tally.count("retried", len(later))


def _step_back(batch: Batch, contact: Contact, error: client.LoopsError, *, accepted: object) -> None:
    settle(
        batch,
        contact,
        leased_until=None,
        last_error=str(error),
        failures=contact.failures + 1,
        next_attempt_at=timezone.now() + timedelta(seconds=backoff_seconds(contact.failures)),
        accepted=accepted,
    )


def backoff_seconds(failures: int) -> float:
    """30 s doubling to an hour, spread by a quarter either way, so that those who failed together do not return so."""
    steady = FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10)
    return min(steady, LONGEST_BACKOFF_SECONDS / 1.25) * random.uniform(0.75, 1.25)  # noqa: S311 - spreading load, not guarding a secret


def _mark_dead(ids: list[int], error: client.LoopsError) -> None:
    OutboxEntry.objects.filter(pk__in=ids, status=Status.PROCESSING).update(
        status=Status.DEAD, attempts=F("attempts") + 1, last_error=str(error), finished_at=timezone.now()
    )
