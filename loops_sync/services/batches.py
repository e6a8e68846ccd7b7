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
from loops_sync.contacts import Properties, is_left_alone, properties_of
from loops_sync.models import Contact, ContactQuerySet, Drift, OutboxEntry, SyncAttempt
from loops_sync.services.outbox import record_change
from loops_sync.services.pace import LONGEST_WAIT_SECONDS

SETTLE_SENT = f"""
    UPDATE {Contact._meta.db_table}
    SET accepted = %s, synced_at = %s, in_doubt = FALSE, next_attempt_at = NULL, failures = 0, last_error = ''
    WHERE id = %s AND leased_until = %s
"""  # noqa: S608 - the table's own name
WINDOW = 4
CLIENT_DELETED = "client_deleted"
GONE = "Discarded: this contact was deleted at Loops, and is not made anew."
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

    leased_until: datetime
    tally: Tally
    is_troubled: bool
    contacts: list[Contact] = field(default_factory=list)
    entries: dict[UUID, list[OutboxEntry]] = field(default_factory=dict)
    people: dict[UUID, selectors.Person] = field(default_factory=dict)
    wanted: dict[UUID, Properties] = field(default_factory=dict)
    # A contact, and the one at which Loops may hold the id that it is to have: none when somebody else has that one.
    holders: dict[UUID, Contact | None] = field(default_factory=dict)
    # Those whose client went to another address, which takes them along.
    left: set[UUID] = field(default_factory=set)
    unsubscribed: set[UUID] = field(default_factory=set)
    speaking: UUID | None = None
    finished: dict[str, list[int]] = field(default_factory=dict)
    delivered: list[UUID] = field(default_factory=list)
    # Those who were told everything, also what they no longer have.
    told_anew: list[UUID] = field(default_factory=list)
    attempts: list[SyncAttempt] = field(default_factory=list)
    flushed_at: float = field(default_factory=time.monotonic)

    def needs_request(self, contact: Contact) -> bool:
        """Whether Loops has to be told anything of the contact."""
        if contact.is_gone or contact.pk in self.left:
            return False
        if contact.forgotten_at is not None:
            return True
        is_new_to_loops = contact.accepted == {}
        return not contact.is_as(self.wanted[contact.pk]) or (contact.pk in self.unsubscribed and not is_new_to_loops)


def longest_turn() -> timedelta:
    """The longest that one contact can take: waiting for a slot, connecting, for the answer, for the database."""
    timeout = settings.LOOPS_TIMEOUT_SECONDS
    wait = LONGEST_WAIT_SECONDS if settings.LOOPS_REQUESTS_PER_SECOND else 0
    return timedelta(seconds=wait + min(timeout, 5) + timeout) + GRACE


def next_due(count: int, *, by_age: bool = False) -> ContactQuerySet:
    """The contacts of the most urgent entries that are due, or of the oldest, without looking at the whole queue.

    Among those of one urgency the ones that failed before come last, so that they delay nobody. Several times as many
    as asked for, so that workers who look at the same moment find different ones.
    """
    now = timezone.now()
    due = OutboxEntry.objects.open().filter(
        Q(contact__leased_until=None) | Q(contact__leased_until__lt=now),
        Q(contact__next_attempt_at=None) | Q(contact__next_attempt_at__lte=now),
    )
    order = ("id",) if by_age else ("priority", "id")
    rows, most = due.order_by(*order).values_list("contact_id", flat=True), count * WINDOW
    ids = {*rows.filter(contact__failures=0)[:most], *rows.filter(contact__failures__gt=0)[:most]}
    waiting = OutboxEntry.objects.open().filter(contact=OuterRef("pk"))
    chosen = Contact.objects.filter(pk__in=ids).annotate(
        urgency=Subquery(waiting.order_by("priority").values("priority")[:1]),
        oldest=Subquery(waiting.order_by("id").values("pk")[:1]),
    )
    return chosen.order_by("oldest") if by_age else chosen.order_by("urgency", "failures", "oldest")


def lease(chosen: ContactQuerySet, tally: Tally, count: int) -> Batch:
    """Take the contacts that are due, and that nobody speaks of. Before requests are made, see `doubt`."""
    now = timezone.now()
    until = now + 2 * longest_turn()
    batch = Batch(until, tally, is_troubled=selectors.relay().consecutive_failures > 0)
    take(batch, chosen.due(now), count)
    return batch


def take(batch: Batch, chosen: ContactQuerySet, count: int | None = None) -> None:
    """Take contacts into the batch, and note their entries before their state is read.

    Of contacts that a worker left in doubt, nobody knows what Loops holds.
    """
    with transaction.atomic():
        contacts = list(chosen.select_for_update(skip_locked=True, no_key=True, of=("self",))[:count])
        ids = [contact.pk for contact in contacts]
        doubtful = [contact.pk for contact in contacts if contact.in_doubt]
        Contact.objects.filter(pk__in=doubtful).update(accepted=None)
        Contact.objects.filter(pk__in=ids).update(leased_until=batch.leased_until)
    entries = _note_entries(ids)
    people = selectors.people([contact.email for contact in contacts])
    for contact in contacts:
        contact.leased_until = batch.leased_until
        contact.accepted = None if contact.in_doubt else contact.accepted
        person = people[contact.email]
        batch.contacts.append(contact)
        batch.people[contact.pk] = person
        batch.wanted[contact.pk] = properties_of(person, user_id=str(contact.pk))
        noted = entries.get(contact.pk, [])
        batch.entries[contact.pk] = [entry for entry in noted if entry.status != Status.DEAD]
        if is_left_alone(person) and any(entry.event_type == CLIENT_DELETED for entry in noted):
            batch.unsubscribed.add(contact.pk)


def _note_entries(ids: list[UUID]) -> dict[UUID, list[OutboxEntry]]:
    """What waits of these contacts, and what was given up; the former is now in hand."""
    entries: dict[UUID, list[OutboxEntry]] = {}
    for entry in OutboxEntry.objects.filter(contact__in=ids).exclude(status=Status.DONE).order_by("id"):
        entries.setdefault(entry.contact_id, []).append(entry)
    noted = [entry.pk for some in entries.values() for entry in some]
    OutboxEntry.objects.filter(pk__in=noted, status=Status.PENDING).update(status=Status.PROCESSING)
    return entries


def doubt(batch: Batch) -> None:
    """Before a request is made, its doubt must survive even a power loss."""
    doubtful = {contact.pk for contact in batch.contacts if batch.needs_request(contact)}
    doubtful |= {holder.pk for holder in batch.holders.values() if holder is not None}
    with transaction.atomic():
        set_durability("LOCAL", "on")
        _mine(batch, list(doubtful)).update(in_doubt=True)


def finish(batch: Batch, contact: Contact, outcome: OutboxEntry.Outcome) -> None:
    """Remember how its entries ended, for the next flush."""
    *earlier, newest = [entry.pk for entry in batch.entries[contact.pk]] or [0]
    batch.finished.setdefault(outcome, []).append(newest)
    batch.finished.setdefault(Outcome.COALESCED, []).extend(earlier)
    batch.delivered.append(contact.pk)
    if outcome == Outcome.SENT and contact.accepted is None:
        batch.told_anew.append(contact.pk)
    batch.tally.count("succeeded", len(batch.entries[contact.pk]))


def flush(batch: Batch) -> None:
    """Write what has been finished since the last time, and let go of those contacts."""
    batch.flushed_at = time.monotonic()
    now = timezone.now()
    with transaction.atomic():
        for outcome, ids in batch.finished.items():
            sent = 0 if outcome in (Outcome.UNCHANGED, Outcome.DISCARDED) else 1
            reason = GONE if outcome == Outcome.DISCARDED else ""
            OutboxEntry.objects.filter(pk__in=ids, status=Status.PROCESSING).update(
                status=Status.DONE, outcome=outcome, finished_at=now, last_error=reason, attempts=F("attempts") + sent
            )
        OutboxEntry.objects.filter(contact__in=batch.delivered, status=Status.DEAD).update(
            status=Status.DONE, outcome=Outcome.SUPERSEDED, finished_at=now
        )
        SyncAttempt.objects.bulk_create(batch.attempts)
        if batch.told_anew:
            Drift.objects.open().filter(contact__in=batch.told_anew).update(mended_at=now)
        _mine(batch, batch.delivered).update(leased_until=None)
    batch.finished, batch.delivered, batch.told_anew, batch.attempts = {}, [], [], []


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
    note(batch, contact, in_doubt=False, **values)


def note(batch: Batch, contact: Contact, **values: object) -> None:
    """Note something on the contact, which may be spoken of again."""
    for name, value in values.items():
        setattr(contact, name, value)
    if not _mine(batch, [contact.pk]).update(**values):
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
