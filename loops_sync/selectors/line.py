"""How the line to Loops is, and what staff must know of it."""

from datetime import timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count, Model, Q, Value
from django.utils import timezone

from loops_sync.models import Incident, OutboxEntry, Relay, SyncAttempt, TransactionalMail

HEARTBEAT_SECONDS = 150
MOST_FAILURES = 5
SILENT_AFTER = timedelta(minutes=5)
LOWEST_SUCCESS_RATE = 0.9
DEAD = "?status__exact=dead"
Kind = Incident.Kind


class Alert(NamedTuple):
    """What is wrong, and the list that shows it: its table and a query."""

    text: str
    table: type[Model]
    query: str


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


def alerts() -> list[Alert]:
    """What staff must know about the outbox, the mails and the line."""
    line = list(_line_alarms().values())[:1]
    return [*_given_up(), *(Alert(text, OutboxEntry, "?status__exact=pending") for text in line)]


def alarms() -> dict[str, str]:
    """What is wrong now, in words, by the kind of incident that it is."""
    given_up = " ".join(alert.text for alert in _given_up())
    return ({Kind.DEAD.value: given_up} if given_up else {}) | _line_alarms()


def _given_up() -> list[Alert]:
    """Both in one query, because every page of the admin asks."""
    entries, mails = (
        rows.order_by().annotate(what=Value(what)).values_list("what").annotate(Count("pk"))
        for what, rows in (("message", OutboxEntry.objects.dead()), ("mail", TransactionalMail.objects.dead()))
    )
    models: dict[str, type[Model]] = {"message": OutboxEntry, "mail": TransactionalMail}
    return [
        Alert(f"{count} {what}{'' if count == 1 else 's'} could not be delivered to Loops.", models[what], DEAD)
        for what, count in sorted(entries.union(mails, all=True), reverse=True)
        if count
    ]


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
