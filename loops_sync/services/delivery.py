"""Telling Loops, one contact at a time, without a transaction open while it listens."""

import random
import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from crm.services import book_slot
from loops_sync import client
from loops_sync.contacts import Properties, body_of, properties_of
from loops_sync.models import Contact, OutboxEntry, SyncAttempt
from loops_sync.services import relay
from loops_sync.services.batches import (
    LONGEST_WAIT_SECONDS,
    Batch,
    Tally,
    finish,
    flush,
    lease,
    let_go,
    longest_turn,
    oldest_due,
    release,
)

BATCH = 50
FLUSH_SECONDS = 1.0
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 30, 3600
DEAD_AFTER_ATTEMPTS, DEAD_AFTER = 10, timedelta(hours=24)
Status, Outcome = OutboxEntry.Status, OutboxEntry.Outcome


class Stop(Exception):
    """The line has to rest: nothing more is sent in this run."""


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
    """Tell Loops about everyone who is due, oldest news first, until nothing is left or the bounds are met.

    `limit` counts contacts. Entries wait while syncing is off or the line is stopped.
    """
    tally = Tally()
    ends_at = None if seconds is None else time.monotonic() + seconds
    while relay.is_open():
        if ends_at is not None and time.monotonic() >= ends_at:
            tally.stopped_by_clock = True
            break
        room = BATCH if limit is None else min(BATCH, limit - tally.contacts)
        if room <= 0 or not _run_batch(oldest_due(room), tally, room):
            break
    return tally


def _run_batch(chosen: QuerySet[Contact], tally: Tally, count: int) -> bool:
    """Deliver one batch: whether to look for another."""
    batch = lease(chosen, tally, count)
    if not batch.contacts:
        return False
    done: set[UUID] = set()
    try:
        for contact in batch.contacts:
            if timezone.now() + longest_turn() > batch.leased_until:
                break
            _deliver(batch, contact)
            done.add(contact.pk)
            if time.monotonic() - batch.flushed_at > FLUSH_SECONDS:
                flush(batch)
    except Stop:
        return False
    finally:
        flush(batch)
        release(batch, [contact.pk for contact in batch.contacts if contact.pk not in done])
    tally.contacts += len(done)
    return True


def _deliver(batch: Batch, contact: Contact) -> None:
    """Send what the contact is now, unless Loops accepted just that. Raises Stop when the line has to rest."""
    properties = properties_of(batch.people[contact.email], user_id=str(contact.pk))
    if contact.is_as(properties):
        let_go(batch, contact)
        finish(batch, contact, Outcome.UNCHANGED)
        return
    _wait_for_slot()
    started_at = timezone.now()
    error = _send(batch, contact, body_of(properties, contact.accepted, first_time=contact.synced_at is None))
    if error is not None:
        _fail(batch, contact, error)
        return
    let_go(batch, contact, accepted=properties, synced_at=started_at, next_attempt_at=None, failures=0, last_error="")
    if batch.is_troubled:
        relay.note_success()
        batch.is_troubled = False
    finish(batch, contact, Outcome.SENT)


def _send(batch: Batch, contact: Contact, body: Properties) -> client.LoopsError | None:
    started_at, started = timezone.now(), time.perf_counter()
    error: client.LoopsError | None = None
    try:
        client.upsert_contact(body)
    except client.LoopsError as failure:
        error = failure
    took = int((time.perf_counter() - started) * 1000)
    batch.attempts.append(
        SyncAttempt(contact=contact, at=started_at, duration_ms=took, ok=error is None, error=str(error or ""))
    )
    return error


def _wait_for_slot() -> None:
    """Wait for the team's next free slot. Raises Stop when it is far away, because Loops asked for patience."""
    per_second = settings.LOOPS_REQUESTS_PER_SECOND
    if not per_second:
        return
    wait = book_slot(relay.GATE, per_second=per_second, at_most=LONGEST_WAIT_SECONDS)
    if wait is None:
        raise Stop
    time.sleep(wait)


def _fail(batch: Batch, contact: Contact, error: client.LoopsError) -> None:
    """Later, never, or nobody: by the error table. A 429 and a refused key burn no attempt."""
    if error.is_throttled:
        relay.pause_all(error.retry_after)
        raise Stop
    if error.is_unauthorized:
        relay.note_failure(error, None)
        raise Stop
    if error.permanent:
        _bury(batch, contact, error)
        return
    _postpone(batch, contact, error)
    relay.note_failure(error, contact.pk)
    batch.is_troubled = True
    if not relay.is_open():
        raise Stop


def _bury(batch: Batch, contact: Contact, error: client.LoopsError) -> None:
    ids = [entry.pk for entry in batch.entries[contact.pk]]
    with transaction.atomic():
        _mark_dead(ids, error)
        let_go(batch, contact, last_error=str(error))
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
    accepted = None if error.leaves_unknown else contact.accepted
    with transaction.atomic():
        _mark_dead(dead, error)
        OutboxEntry.objects.filter(pk__in=later).update(
            status=Status.PENDING, attempts=F("attempts") + 1, last_error=str(error)
        )
        next_attempt_at = now + timedelta(seconds=backoff_seconds(contact.failures))
        let_go(
            batch,
            contact,
            last_error=str(error),
            failures=contact.failures + 1,
            next_attempt_at=next_attempt_at,
            accepted=accepted,
        )
    batch.tally.count("dead", len(dead))
    batch.tally.count("retried", len(later))


def backoff_seconds(failures: int) -> float:
    """30 s doubling to an hour, spread by a quarter either way, so that those who failed together do not return so."""
    steady = min(FIRST_BACKOFF_SECONDS * 2.0 ** min(failures, 10), LONGEST_BACKOFF_SECONDS)
    return steady * random.uniform(0.75, 1.25)  # noqa: S311 - spreading load, not guarding a secret


def _mark_dead(ids: list[int], error: client.LoopsError) -> None:
    OutboxEntry.objects.filter(pk__in=ids).update(
        status=Status.DEAD, attempts=F("attempts") + 1, last_error=str(error), finished_at=timezone.now()
    )
