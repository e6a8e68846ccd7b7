"""Who a person is in all apps at once, and how the relay is doing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from loops_sync.models import Contact, OutboxEntry, Relay, SyncAttempt
from nominations.models import Nomination, Nominator, Nominee, Vote, Voter

HEARTBEAT_SECONDS = 150
MOST_FAILURES = 5
SILENT_AFTER = timedelta(minutes=5)
LOWEST_SUCCESS_RATE = 0.9


@dataclass
class Person:
    """Everything that Loops is to know of one address, as rows. `…_by` is the row that a role rests on."""

    email: str
    nominee: Nominee | None = None
    nominee_by: Nomination | None = None
    nominator: Nominator | None = None
    nominator_by: Nomination | None = None
    voter: Voter | None = None
    voter_by: Vote | None = None


def people(emails: Iterable[str], *, assuming: Nomination | None = None) -> dict[str, Person]:
    """The persons of those addresses as they are now, in a constant number of queries.

    `assuming` is a nomination as it would be, unsaved: the answer is then what it would make of them.
    """
    persons = {email: Person(email) for email in emails}
    _add_nominees(persons, assuming)
    _add_nominators(persons, assuming)
    _add_voters(persons)
    return persons


def _add_nominees(persons: dict[str, Person], assuming: Nomination | None) -> None:
    nominees = {row.pk: row for row in Nominee.objects.live().filter(email__in=persons)}
    if assuming is not None:
        nominees[assuming.nominee_id] = assuming.nominee
    rows = Nomination.objects.approved().filter(nominee__in=nominees).select_related("category")
    for nomination in _with(assuming, rows):
        nominee = nominees.get(nomination.nominee_id)
        person = persons.get(nominee.email) if nominee else None
        if person is not None:
            person.nominee, person.nominee_by = nominee, nomination


def _add_nominators(persons: dict[str, Person], assuming: Nomination | None) -> None:
    nominators = {row.pk: row for row in Nominator.objects.filter(email__in=persons)}
    for nominator in nominators.values():
        persons[nominator.email].nominator = nominator
    rows = Nomination.objects.approved().filter(nominator__in=nominators).select_related("nominee")
    for nomination in _with(assuming, rows):
        if nomination.nominator_id in nominators:
            persons[nominators[nomination.nominator_id].email].nominator_by = nomination


def _with(assuming: Nomination | None, rows: QuerySet[Nomination]) -> list[Nomination]:
    """Earliest approved first, with the assumed one in the place of its row."""
    approved = list(rows.order_by("approved_at", "id"))
    if assuming is None:
        return approved
    return [*(row for row in approved if row.pk != assuming.pk), assuming]


def _add_voters(persons: dict[str, Person]) -> None:
    votes = Vote.objects.filter(voter__email__in=persons, state=Vote.State.COUNTED)
    for vote in votes.select_related("voter", "nominee", "category").order_by("created_at", "id"):
        person = persons[vote.voter.email]
        person.voter, person.voter_by = vote.voter, vote


def relay() -> Relay:
    """The state of the line; as new while nothing has happened on it."""
    return Relay.objects.filter(pk=1).first() or Relay(pk=1)


def worker_is_alive() -> bool:
    """Whether a worker has swept the outbox in the last two and a half minutes."""
    swept_at = Relay.objects.filter(pk=1).values_list("swept_at", flat=True).first()
    return swept_at is not None and timezone.now() - swept_at < timedelta(seconds=HEARTBEAT_SECONDS)


def connection_state() -> str:
    """`ok`, `unauthorized`, `unreachable` or `disabled`, from what the workers saw last. Asks nobody."""
    if not settings.LOOPS_SYNC_ENABLED:
        return "disabled"
    line = relay()
    if line.is_unauthorized:
        return "unauthorized"
    return "unreachable" if line.is_out else "ok"


def outbox_counts() -> dict[str, int]:
    """How many entries are in each status."""
    counts = dict.fromkeys(OutboxEntry.Status.values, 0)
    counts.update(OutboxEntry.objects.order_by().values_list("status").annotate(Count("id")))
    return counts


def has_open_entries(*, more_than: int) -> bool:
    """Whether more than so many entries wait, without counting them all."""
    return OutboxEntry.objects.open().order_by("id")[more_than : more_than + 1].exists()


def oldest_pending_seconds() -> int | None:
    """The age of the oldest open entry, or None when all is told."""
    oldest = OutboxEntry.objects.open().order_by("id").values_list("created_at", flat=True).first()
    return None if oldest is None else int((timezone.now() - oldest).total_seconds())


def success_rate() -> float | None:
    """The share of the last hour's requests that Loops accepted, or None when there was none."""
    recent = SyncAttempt.objects.filter(at__gte=timezone.now() - timedelta(hours=1))
    counted = recent.aggregate(all=Count("id"), ok=Count("id", filter=Q(ok=True)))
    return round(counted["ok"] / counted["all"], 4) if counted["all"] else None


def alerts() -> list[tuple[str, str]]:
    """What staff must know about the outbox and the line, each with the query of the list that shows it."""
    found = []
    dead = OutboxEntry.objects.dead().count()
    if dead:
        noun = "message" if dead == 1 else "messages"
        found.append((f"{dead} {noun} could not be delivered to Loops.", "?status__exact=dead"))
    trouble = _trouble()
    if trouble:
        found.append((trouble, "?status__exact=pending"))
    return found


def _trouble() -> str:
    line = Relay.objects.filter(pk=1).first() or Relay()
    if not settings.LOOPS_SYNC_ENABLED:
        return ""
    if line.is_unauthorized:
        return "Loops refuses our API key: nothing is sent until it is mended."
    silent = line.failing_since is not None and timezone.now() - line.failing_since > SILENT_AFTER
    if line.consecutive_failures > MOST_FAILURES or silent:
        return "Loops is out of reach: messages wait, and go out by themselves when it is back."
    rate = success_rate()
    if rate is not None and rate < LOWEST_SUCCESS_RATE:
        return f"{1 - rate:.0%} of the last hour's requests to Loops failed."
    return ""


def relay_status() -> dict[str, Any]:
    """What the status endpoint and the admin show."""
    return {
        "enabled": settings.LOOPS_SYNC_ENABLED,
        "connection": connection_state(),
        "outbox": outbox_counts(),
        "oldest_pending_seconds": oldest_pending_seconds(),
        "success_rate_1h": success_rate(),
        "consecutive_failures": relay().consecutive_failures,
    }


def latest_entries(nomination: Nomination) -> dict[str, OutboxEntry]:
    """The newest entry of each contact that this nomination touched, by address, with the contact."""
    entries = OutboxEntry.objects.filter(reference_type="nomination", reference_id=str(nomination.pk))
    return {entry.contact.email: entry for entry in entries.select_related("contact").order_by("id")}


def contacts_by_email(emails: Iterable[str]) -> dict[str, Contact]:
    """The contacts that exist, by address."""
    return {contact.email: contact for contact in Contact.objects.filter(email__in=list(emails))}
