"""Finding what never reached Loops."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import transaction

from loops_sync import selectors
from loops_sync.contacts import Properties, differences, properties_of
from loops_sync.models import Contact, OutboxEntry
from loops_sync.services.outbox import record_change
from nominations.models import Nomination

CHUNK = 500
EVENT = "backfill"


@dataclass
class Missed:
    """In nominations: not as they should be in Loops, given an entry now, already right; and whose entries."""

    found: int = 0
    queued: int = 0
    right: int = 0
    emails: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PlannedChange:
    """What a delivery would change at one contact: property, before, after. `state`: `new`, `known` or `unknown`.

    Of an unknown one an answer was lost: nobody can say what Loops holds, and it would be told everything.
    """

    email: str
    state: str
    changes: list[tuple[str, Any, Any]]


def queue_missed_approvals(*, since: date | None = None, limit: int | None = None, dry_run: bool = False) -> Missed:
    """Give an entry to each contact of an approved nomination that is not in Loops as it should be.

    `since` is the first day of approval looked at, `limit` the most nominations queued. A contact whose backfill is
    still waiting gets no second one, so running it twice queues nothing new.
    """
    missed = Missed()
    waiting: set[str] = set()
    for nominations in _chunks(since):
        emails = {email for nomination in nominations for email in emails_of(nomination)}
        wrong = wrong_contacts(emails)
        waiting |= _waiting(wrong)
        for nomination in nominations:
            astray = [email for email in emails_of(nomination) if email in wrong]
            if not astray:
                missed.right += 1
                continue
            missed.found += 1
            if waiting.issuperset(astray) or (limit is not None and missed.queued >= limit):
                continue
            missed.queued += 1
            missed.emails += [email for email in astray if email not in waiting]
            if not dry_run:
                with transaction.atomic():
                    record_change(EVENT, set(astray) - waiting, reference=nomination)
            waiting.update(astray)
    return missed


def planned_changes(emails: list[str]) -> Iterator[PlannedChange]:
    """What would change at each of the contacts that is not right, by address. Writes nothing, asks nobody."""
    ordered = sorted(emails)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        known, people = selectors.contacts_by_email(chunk), selectors.people(chunk)
        for email in chunk:
            contact = known.get(email) or Contact(email=email)
            wanted = properties_of(people[email], user_id=str(contact.pk))
            if not contact.is_as(wanted):
                yield PlannedChange(email, _state_of(contact), _changes(contact, wanted))


def _state_of(contact: Contact) -> str:
    if contact.accepted is None:
        return "unknown"
    return "known" if contact.accepted else "new"


def _changes(contact: Contact, wanted: Properties) -> list[tuple[str, Any, Any]]:
    """A contact that is not even here gets its id with the entry: it cannot be told beforehand."""
    found = differences(contact.accepted or {}, wanted)
    own = str(contact.pk) if contact._state.adding else None
    return [(name, before, after) for name, before, after in found if not (name == "userId" and after == own)]


def emails_of(nomination: Nomination) -> list[str]:
    """The addresses that an approval touches; a nominee without one is no contact."""
    return list(dict.fromkeys(filter(None, (nomination.nominator.email, nomination.nominee.email))))


def wrong_contacts(emails: set[str]) -> set[str]:
    """Those of the addresses that Loops does not hold as it should."""
    known = selectors.contacts_by_email(emails)
    wrong = set()
    for email, person in selectors.people(emails).items():
        contact = known.get(email) or Contact(email=email)
        if not contact.is_as(properties_of(person, user_id=str(contact.pk))):
            wrong.add(email)
    return wrong


def _waiting(emails: set[str]) -> set[str]:
    entries = OutboxEntry.objects.open().filter(event_type=EVENT, contact__email__in=emails)
    return {email for email in entries.values_list("contact__email", flat=True) if email}


def _chunks(since: date | None) -> Iterator[list[Nomination]]:
    rows = Nomination.objects.approved().complete().order_by("approved_at", "id")
    if since is not None:
        rows = rows.filter(approved_at__date__gte=since)
    ids = list(rows.values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        yield list(rows.filter(pk__in=ids[start : start + CHUNK]))
