"""Who a person is in all apps at once, and how the relay is doing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    Case,
    CharField,
    Count,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.functions import Left, RowNumber, TruncHour
from django.utils import timezone

from crm.models import Client
from loops_sync.models import Contact, Incident, OutboxEntry, Relay, SyncAttempt, TransactionalMail
from nominations.models import Nomination, Nominator, Nominee, Vote, Voter

HEARTBEAT_SECONDS = 150
MOST_FAILURES = 5
SILENT_AFTER = timedelta(minutes=5)
LOWEST_SUCCESS_RATE = 0.9
# Whoever looks often does not read more rows than this for one figure.
MOST_COUNTED = 50_000
# From and to; a clock that runs ahead counts as no wait.
AGES = {
    "Under 1 min": (timedelta(days=-1), timedelta(minutes=1)),
    "1 to 10 min": (timedelta(minutes=1), timedelta(minutes=10)),
    "10 to 60 min": (timedelta(minutes=10), timedelta(hours=1)),
    "1 to 24 h": (timedelta(hours=1), timedelta(days=1)),
    "Over a day": (timedelta(days=1), timedelta(days=36_500)),
}
Kind = Incident.Kind


@dataclass
class Person:
    """Everything that Loops is to know of one address, as rows. `…_by` is the row that a role rests on.

    `client` is the oldest active one of all businesses; `has_clients` tells of inactive ones too.
    """

    email: str
    client: Client | None = None
    has_clients: bool = False
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
    _add_clients(persons)
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


def _add_clients(persons: dict[str, Person]) -> None:
    for client in Client.objects.filter(email__in=persons).order_by("created_at", "id"):
        person = persons[client.email]
        person.has_clients = True
        if client.is_active and person.client is None:
            person.client = client


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
    line = list(_line_alarms().values())[:1]
    return [*_given_up(), *((text, "?status__exact=pending") for text in line)]


def alarms() -> dict[str, str]:
    """What is wrong now, in words, by the kind of incident that it is."""
    given_up = " ".join(text for text, _query in _given_up())
    return ({Kind.DEAD.value: given_up} if given_up else {}) | _line_alarms()


def _given_up() -> list[tuple[str, str]]:
    found = []
    dead = OutboxEntry.objects.dead().count()
    if dead:
        noun = "message" if dead == 1 else "messages"
        found.append((f"{dead} {noun} could not be delivered to Loops.", "?status__exact=dead"))
    return found


def _line_alarms() -> dict[str, str]:
    """The gravest first."""
    if not settings.LOOPS_SYNC_ENABLED:
        return {}
    line, rate, found = relay(), success_rate(), {}
    silent = line.failing_since is not None and timezone.now() - line.failing_since > SILENT_AFTER
    if line.is_unauthorized:
        found[Kind.OUT_OF_REACH.value] = "Loops refuses our API key: nothing is sent until it is mended."
    elif silent:
        found[Kind.OUT_OF_REACH.value] = (
            "Loops is out of reach: messages wait, and go out by themselves when it is back."
        )
    if line.consecutive_failures > MOST_FAILURES:
        found[Kind.FAILURES_IN_A_ROW.value] = f"The last {line.consecutive_failures} requests to Loops failed."
    if rate is not None and rate < LOWEST_SUCCESS_RATE:
        found[Kind.FAILURE_RATE.value] = f"{1 - rate:.0%} of the last hour's requests to Loops failed."
    return found


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


def outbox_depth() -> dict[str, int]:
    """As `outbox_counts`, for who looks often: of the done ones, which nobody waits for, only so many are counted."""
    unfinished = OutboxEntry.objects.filter(status__in=["pending", "processing", "dead"])
    counts = dict.fromkeys(OutboxEntry.Status.values, 0)
    counts.update(unfinished.order_by().values_list("status").annotate(Count("id")))
    done = OutboxEntry.objects.filter(status=OutboxEntry.Status.DONE).order_by()[:MOST_COUNTED]
    return counts | {"done": done.count()}


def request_times() -> Counter[tuple[bool, int]]:
    """How many of the last hour's requests to Loops took so many milliseconds, those that went well and the others."""
    recent = SyncAttempt.objects.filter(at__gte=timezone.now() - timedelta(hours=1)).order_by()
    rows = recent.values_list("ok", "duration_ms").annotate(Count("id"))
    return Counter({(ok, ms): count for ok, ms, count in rows})


@dataclass(frozen=True)
class DeliveryHour:
    """What was told in one hour, and how long half, and nearly all, of it had waited."""

    begins_at: datetime
    count: int = 0
    p50: timedelta | None = None
    p95: timedelta | None = None


def deliveries_by_hour(hours: int = 24) -> list[DeliveryHour]:
    """The last hours, oldest first. After a flood only its newest entries are looked at."""
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    since = now - timedelta(hours=hours - 1)
    done = OutboxEntry.objects.filter(status=OutboxEntry.Status.DONE, finished_at__gte=since)
    newest_first = done.order_by("-finished_at").values_list("finished_at", flat=True)
    for flood in newest_first[MOST_COUNTED : MOST_COUNTED + 1]:
        done = done.filter(finished_at__gt=flood)
    hour, waited = TruncHour("finished_at"), F("finished_at") - F("created_at")
    ranked = done.filter(outcome__in=["sent", "unchanged", "coalesced"]).annotate(
        hour=hour,
        waited=ExpressionWrapper(waited, DurationField()),
        place=Window(RowNumber(), partition_by=[hour], order_by=[waited.asc()]),
        among=Window(Count("id"), partition_by=[hour]),
    )
    middle, high = (F("among") + 1) / 2, (F("among") * 95 + 99) / 100
    rows = ranked.filter(Q(place=middle) | Q(place=high)).order_by("hour", "place")
    found: dict[datetime, DeliveryHour] = {}
    for at, span, among in rows.values_list("hour", "waited", "among"):
        found[at] = DeliveryHour(at, among, found[at].p50 if at in found else span, span)
    every = (since + timedelta(hours=number) for number in range(hours))
    return [found.get(at) or DeliveryHour(at) for at in every]


def failures_by_reason() -> dict[str, int]:
    """The last day's failed requests to Loops by what went wrong, most frequent first."""
    failed = SyncAttempt.objects.filter(at__gte=timezone.now() - timedelta(days=1), ok=False).order_by()
    counts: Counter[str] = Counter()
    for error, count in failed.values_list(Left("error", 9)).annotate(Count("id")):
        counts[_reason(error)] += count
    return dict(counts.most_common())


def _reason(error: str) -> str:
    """By the client's words: its errors begin with the status, if there was one."""
    status = error[:3]
    if status.isdigit():
        named = {"429": "Too many requests", "401": "Key refused", "403": "Key refused"}
        return named.get(status, "Error at Loops" if status >= "500" else "Refused as wrong") + f" ({status})"
    return "No answer in time" if error == "Loops did" else "Out of reach"


def waiting_by_age() -> dict[str, int]:
    """How many entries wait, by how long they have; of a flood only the oldest are counted."""
    now = timezone.now()
    within = {
        f"age{number}": Count("id", filter=Q(created_at__lte=now - least, created_at__gt=now - most))
        for number, (least, most) in enumerate(AGES.values())
    }
    counts = OutboxEntry.objects.open().order_by("id")[:MOST_COUNTED].aggregate(**within)
    return dict(zip(AGES, counts.values(), strict=True))


def latest_entries(nomination: Nomination) -> dict[str, OutboxEntry]:
    """The newest entry of each contact that this nomination touched, by address, with the contact."""
    entries = OutboxEntry.objects.filter(reference_type="nomination", reference_id=str(nomination.pk))
    return {entry.contact.email: entry for entry in entries.select_related("contact").order_by("id")}


def contacts_by_email(emails: Iterable[str]) -> dict[str, Contact]:
    """The contacts that exist, by address."""
    return {contact.email: contact for contact in Contact.objects.filter(email__in=list(emails))}


def subject_of(mail: TransactionalMail) -> Nomination | Vote | None:
    """The nomination or vote that a mail is about, as it is now, with everybody it names."""
    if mail.kind == TransactionalMail.Kind.VOTE:
        votes = Vote.objects.select_related("voter", "nominee", "category__group")
        return votes.filter(pk=mail.reference_id).first()
    nominations = Nomination.objects.select_related("nominator", "nominee", "category__group")
    return nominations.filter(pk=mail.reference_id).first()


def mails_of(nomination: Nomination) -> QuerySet[TransactionalMail]:
    """The mails about this nomination, oldest first."""
    rows = TransactionalMail.objects.filter(reference_id=str(nomination.pk)).exclude(kind="vote")
    return rows.select_related("contact").order_by("created_at", "id")


def mail_counts() -> dict[str, int]:
    """How many mails are in each status."""
    counts = dict.fromkeys(TransactionalMail.Status.values, 0)
    counts.update(TransactionalMail.objects.order_by().values_list("status").annotate(Count("id")))
    return counts


def delivery_by_email() -> dict[str, Any]:
    """Expressions over any table with an `email` and an `is_active`: what waits goes before what was given up."""
    contacts = Contact.objects.filter(email=OuterRef("email"))
    entries = OutboxEntry.objects.filter(contact__email=OuterRef("email"))
    said = Case(
        When(Exists(entries.open()), then=Value("pending")),
        When(Exists(entries.dead()), then=Value("failed")),
        When(Exists(contacts.filter(synced_at__isnull=False)), then=Value("synced")),
        # Nobody has to be told of one who never was active.
        When(is_active=False, then=Value("synced")),
        default=Value("pending"),
        output_field=CharField(),
    )
    return {
        "loops_status": said if settings.LOOPS_SYNC_ENABLED else Value("disabled", output_field=CharField()),
        "loops_synced_at": Subquery(contacts.values("synced_at")[:1]),
    }


def entries_about(client: Client, contact: Contact | None) -> QuerySet[OutboxEntry]:
    """What was to be told of a client, newest first: everything about the contact, if there is one, else only that."""
    rows = OutboxEntry.objects.order_by("-id")
    if contact is not None:
        return rows.filter(contact=contact)
    return rows.filter(reference_type="client", reference_id=str(client.pk))
