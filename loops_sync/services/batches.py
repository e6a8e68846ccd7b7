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
from loops_sync.contacts import Properties, properties_of
from loops_sync.models import Contact, ContactQuerySet, OutboxEntry, SyncAttempt
from loops_sync.services.outbox import record_change
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

    Contacts that need a request are in doubt from the beginning; each delivery is noted on its contact at once,
    entries and leases about once a second. Nothing that a killed worker had noted is sent again.
    """

    contacts: Sequence[Contact]
    entries: dict[UUID, list[OutboxEntry]]
    wanted: dict[UUID, Properties]
    leased_until: datetime
    tally: Tally
    is_troubled: bool
    speaking: UUID | None = None
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

    Those who failed before come when nobody else is due, so that they delay nobody. Several times as many as asked
    for, so that workers who look at the same moment find different ones.
    """
    now = timezone.now()
    due = OutboxEntry.objects.open().filter(
        Q(contact__leased_until=None) | Q(contact__leased_until__lt=now),
        Q(contact__next_attempt_at=None) | Q(contact__next_attempt_at__lte=now),
    )
    window = due.order_by("id").values_list("contact_id", flat=True)
    ids = set(window.filter(contact__failures=0)[: count * WINDOW]) or set(window[: count * WINDOW])
    oldest = OutboxEntry.objects.open().filter(contact=OuterRef("pk")).order_by("id").values("pk")[:1]
    return Contact.objects.filter(pk__in=ids).annotate(oldest=Subquery(oldest)).order_by("oldest")


def lease(chosen: ContactQuerySet, tally: Tally, count: int) -> Batch:
    """Take the contacts that nobody speaks of, and note their entries before their state is read.

    Of contacts that a worker left in doubt, nobody knows what Loops holds.
    """
    now = timezone.now()
    until = now + 2 * longest_turn()
    with transaction.atomic():
        contacts = list(chosen.due(now).select_for_update(skip_locked=True, no_key=True, of=("self",))[:count])
        ids = [contact.pk for contact in contacts]
        doubtful = [contact for contact in contacts if contact.in_doubt]
        Contact.objects.filter(pk__in=[contact.pk for contact in doubtful]).update(accepted=None)
        Contact.objects.filter(pk__in=ids).update(leased_until=until)
    for contact in doubtful:
        contact.accepted = None
    entries: dict[UUID, list[OutboxEntry]] = {contact_id: [] for contact_id in ids}
    for entry in OutboxEntry.objects.open().filter(contact__in=ids).order_by("id"):
        entries[entry.contact_id].append(entry)
    noted = [entry.pk for some in entries.values() for entry in some]
    OutboxEntry.objects.filter(pk__in=noted, status=Status.PENDING).update(status=Status.PROCESSING)
    people = selectors.people([contact.email for contact in contacts])
    wanted = {contact.pk: properties_of(people[contact.email], user_id=str(contact.pk)) for contact in contacts}
    batch = Batch(contacts, entries, wanted, until, tally, is_troubled=selectors.relay().consecutive_failures > 0)
    with transaction.atomic():
        set_durability("LOCAL", "on")  # before a request is made, its doubt must survive even a power loss
        _mine(batch, [contact.pk for contact in contacts if not contact.is_as(wanted[contact.pk])]).update(
            in_doubt=True
        )
    return batch


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
    """Commits need not wait for the disk here: what a power loss takes back was in doubt, and is told again."""
    set_durability("SESSION", "off")
    try:
        yield
    finally:
        set_durability("SESSION", "DEFAULT")


def set_durability(scope: str, value: str) -> None:
    """PostgreSQL's synchronous_commit; SQLite has no such thing."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET {scope} synchronous_commit TO {value}")


def settle(batch: Batch, contact: Contact, **values: object) -> None:
    """Note on the contact how it ended."""
    if not _mine(batch, [contact.pk]).update(in_doubt=False, **values):
        _tell_again(contact)
    batch.speaking = None


def settle_sent(batch: Batch, contact: Contact) -> None:
    """Note what Loops has accepted. By hand, because it runs once a request: the ORM takes twice as long."""
    fields = Contact._meta
    with connection.cursor() as cursor:
        cursor.execute(
            SETTLE_SENT,
            [
                fields.get_field("accepted").get_db_prep_value(batch.wanted[contact.pk], connection),
                fields.get_field("synced_at").get_db_prep_value(timezone.now(), connection),
                fields.get_field("id").get_db_prep_value(contact.pk, connection),
                fields.get_field("leased_until").get_db_prep_value(batch.leased_until, connection),
            ],
        )
        if not cursor.rowcount:
            _tell_again(contact)
    batch.speaking = None


def _tell_again(contact: Contact) -> None:
    """The lease was lost: the request may have overtaken another worker's, and nobody knows what Loops holds."""
    with transaction.atomic():
        Contact.objects.filter(pk=contact.pk).update(accepted=None, in_doubt=True, leased_until=None)
        record_change("resync", [contact.email])


def _mine(batch: Batch, ids: Sequence[UUID]) -> ContactQuerySet:
    return Contact.objects.filter(pk__in=ids, leased_until=batch.leased_until)


def release(batch: Batch, ids: list[UUID]) -> None:
    """Give back contacts that were not spoken of; what was noted of them waits again."""
    if not ids:
        return
    noted = [entry.pk for contact_id in ids for entry in batch.entries[contact_id]]
    OutboxEntry.objects.filter(pk__in=noted, status=Status.PROCESSING).update(status=Status.PENDING)
    quiet = [contact_id for contact_id in ids if contact_id != batch.speaking]
    _mine(batch, quiet).update(leased_until=None, in_doubt=False)
    _mine(batch, ids).update(leased_until=None)  # and whoever was spoken of when it broke off, still in doubt
