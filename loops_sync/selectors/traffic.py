"""What went to Loops lately, as figures and pictures show it."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    Window,
)
from django.db.models.functions import Left, RowNumber, TruncHour
from django.utils import timezone

from loops_sync.models import OutboxEntry, SyncAttempt

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
