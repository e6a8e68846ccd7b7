"""Contacts taken together by one worker, and what it writes of them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone

from loops_sync import selectors
from loops_sync.contacts import Properties
from loops_sync.models import Contact, ContactQuerySet, OutboxEntry, SyncAttempt
from loops_sync.selectors import Person
from loops_sync.services.pace import LONGEST_WAIT_SECONDS

SETTLE_SENT = f"""
    UPDATE {Contact._meta.db_table}
    SET accepted = %s, synced_at = %s, in_doubt = FALSE, next_attempt_at = NULL, failures = 0, last_error = ''
    WHERE id = %s AND leased_until = %s
"""  # noqa: S608 - the table's own name
WINDOW = 4
# For a busy machine and a database whose writers queue.
GRACE = timedelta(seconds=3)
Status, Outcome = OutboxEntry.Status, OutboxEntry.Outcome


@dataclass
class Tally:
    """What a run did, in entries."""

    processed: int = 0
    succeeded: int = 0
    retried: int = 0
    dead: int = 0
    contacts: int = 0
    stopped_by_clock: bool = False
    throttled: int = 0

    def count(self, name: str, entries: int) -> None:
        """Add entries that ended in that way."""
        self.processed += entries
        setattr(self, name, getattr(self, name) + entries)


@dataclass
class Batch:
    """Contacts leased together, and what is known of them.

    Each delivery is noted on its contact at once, entries and leases are settled about once a second: a worker that is
    killed in between leaves contacts that are not in doubt, for which the next one finds nothing to send.
    """

    contacts: Sequence[Contact]
    entries: dict[UUID, list[OutboxEntry]]
    people: dict[str, Person]
    leased_until: datetime
    tally: Tally
    is_troubled: bool
    finished: dict[str, list[int]] = field(default_factory=dict)
    delivered: list[UUID] = field(default_factory=list)
    attempts: list[SyncAttempt] = field(default_factory=list)
    flushed_at: float = field(default_factory=time.monotonic)


def longest_turn() -> timedelta:
    """The longest that one contact can take: waiting for a slot, connecting, for the answer, for the database."""
    timeout = settings.LOOPS_TIMEOUT_SECONDS
    wait = LONGEST_WAIT_SECONDS if settings.LOOPS_REQUESTS_PER_SECOND else 0
    return timedelta(seconds=wait + min(timeout, 5) + timeout) + GRACE


def oldest_due(count: int) -> ContactQuerySet:
    """The contacts of the oldest entries that are due, oldest first, without looking at the whole queue.

    Several times as many as asked for, so that workers who look at the same moment find different ones.
    """
    now = timezone.now()
    entries = OutboxEntry.objects.open().filter(
        Q(contact__leased_until=None) | Q(contact__leased_until__lt=now),
        Q(contact__next_attempt_at=None) | Q(contact__next_attempt_at__lte=now),
    )
    ids = entries.order_by("id").values_list("contact_id", flat=True)[: count * WINDOW]
    oldest = OutboxEntry.objects.open().filter(contact=OuterRef("pk")).order_by("id").values("pk")[:1]
    return Contact.objects.filter(pk__in=set(ids)).annotate(oldest=Subquery(oldest)).order_by("oldest")


def lease(chosen: ContactQuerySet, tally: Tally, count: int) -> Batch:
    """Take the contacts that nobody speaks of, and note their entries before their state is read.

    A lease that lapsed is a worker that died: of contacts it left in doubt, nobody knows what Loops holds.
    """
    now = timezone.now()
    until = now + 2 * longest_turn()
    with transaction.atomic():
        contacts = list(chosen.due(now).select_for_update(skip_locked=True, of=("self",))[:count])
        ids = [contact.pk for contact in contacts]
        doubtful = [contact for contact in contacts if contact.in_doubt]
        Contact.objects.filter(pk__in=[contact.pk for contact in doubtful]).update(accepted=None)
        Contact.objects.filter(pk__in=ids).update(leased_until=until, in_doubt=True)
    for contact in doubtful:
        contact.accepted = None
    entries: dict[UUID, list[OutboxEntry]] = {contact_id: [] for contact_id in ids}
    for entry in OutboxEntry.objects.open().filter(contact__in=ids).order_by("id"):
        entries[entry.contact_id].append(entry)
    noted = [entry.pk for some in entries.values() for entry in some]
    OutboxEntry.objects.filter(pk__in=noted, status=Status.PENDING).update(status=Status.PROCESSING)
    people = selectors.people([contact.email for contact in contacts])
    return Batch(contacts, entries, people, until, tally, is_troubled=selectors.relay().consecutive_failures > 0)


def finish(batch: Batch, contact: Contact, outcome: OutboxEntry.Outcome) -> None:
    """Remember how its entries ended, for the next flush."""
    *earlier, newest = [entry.pk for entry in batch.entries[contact.pk]] or [0]
    batch.finished.setdefault(outcome, []).append(newest)
    batch.finished.setdefault(Outcome.COALESCED, []).extend(earlier)
    batch.delivered.append(contact.pk)
    batch.tally.count("succeeded", len(batch.entries[contact.pk]))


def flush(batch: Batch) -> None:
    """Write what has been finished since the last time, and let go of those contacts."""
    batch.flushed_at = time.monotonic()
    now = timezone.now()
    with transaction.atomic():
        for outcome, ids in batch.finished.items():
            sent = 0 if outcome == Outcome.UNCHANGED else 1
            OutboxEntry.objects.filter(pk__in=ids, status=Status.PROCESSING).update(
                status=Status.DONE, outcome=outcome, finished_at=now, last_error="", attempts=F("attempts") + sent
            )
        OutboxEntry.objects.filter(contact__in=batch.delivered, status=Status.DEAD).update(
            status=Status.DONE, outcome=Outcome.SUPERSEDED, finished_at=now
        )
        SyncAttempt.objects.bulk_create(batch.attempts)
        _mine(batch, batch.delivered).update(leased_until=None)
    batch.finished, batch.delivered, batch.attempts = {}, [], []


@contextmanager
def relaxed() -> Iterator[None]:
    """PostgreSQL need not wait for its disk at each commit here.

    What a power loss takes back is in doubt again, and is at worst told to Loops a second time.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO DEFAULT")


def settle(batch: Batch, contact: Contact, **values: object) -> None:
    """Note on the contact how it ended, unless the lease was lost to another worker."""
    _mine(batch, [contact.pk]).update(in_doubt=False, **values)


def settle_sent(batch: Batch, contact: Contact, properties: Properties) -> None:
    """Note what Loops has accepted. By hand, because this runs once a request: the ORM takes twice as long."""
    fields = Contact._meta
    with connection.cursor() as cursor:
        cursor.execute(
            SETTLE_SENT,
            [
                fields.get_field("accepted").get_db_prep_value(properties, connection),
                fields.get_field("synced_at").get_db_prep_value(timezone.now(), connection),
                fields.get_field("id").get_db_prep_value(contact.pk, connection),
                fields.get_field("leased_until").get_db_prep_value(batch.leased_until, connection),
            ],
        )


def _mine(batch: Batch, ids: Sequence[UUID]) -> ContactQuerySet:
    return Contact.objects.filter(pk__in=ids, leased_until=batch.leased_until)


def release(batch: Batch, ids: list[UUID]) -> None:
    """Give back contacts that were not spoken of; what was noted of them waits again."""
    if not ids:
        return
    noted = [entry.pk for contact_id in ids for entry in batch.entries[contact_id]]
    OutboxEntry.objects.filter(pk__in=noted, status=Status.PROCESSING).update(status=Status.PENDING)
    _mine(batch, ids).update(leased_until=None, in_doubt=False)
