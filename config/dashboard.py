"""How the line to Loops has done, in charts for the staff home. A constant number of queries."""

from datetime import timedelta

from loops_sync import selectors as loops
from notifications.admin import age_of
from notifications.admin.charts import Chart, bars, columns, lines

DAY = ("24 h ago", "12 h ago", "Now")
PERCENTILES = (("p50", "Half within"), ("p95", "95 % within"))


def delivery_charts() -> list[Chart]:
    """Delivered, waiting, failed, and how long it took."""
    hours = loops.deliveries_by_hour()
    return [_delivered(hours), _times(hours), _waiting(), _failures()]


def _delivered(hours: list[loops.DeliveryHour]) -> Chart:
    counts, total = [hour.count for hour in hours], sum(hour.count for hour in hours)
    names = [f"{hour.begins_at:%H:%M} UTC: {hour.count:,}" for hour in hours]
    return Chart(
        title="Delivered per hour",
        figure=f"{total:,}",
        note="Outbox entries that Loops was told of in the last 24 hours.",
        drawing=columns(counts, names, label=f"Delivered per hour, {total:,} in 24 hours, at most {max(counts):,}."),
        headings=("Hour, UTC", "Delivered"),
        rows=[(f"{hour.begins_at:%d %b %H:%M}", f"{hour.count:,}") for hour in reversed(hours)],
        top=f"{max(counts):,}",
        axis=DAY,
    )


def _times(hours: list[loops.DeliveryHour]) -> Chart:
    told = [hour for hour in hours if hour.count]
    slowest = max((hour.p95 for hour in told if hour.p95), default=None)
    latest = told[-1] if told else loops.DeliveryHour(hours[-1].begins_at)
    series = {
        "p50": [_seconds(hour.p50) for hour in hours],
        "p95": [_seconds(hour.p95) for hour in hours],
    }
    return Chart(
        title="Time to deliver",
        figure=span(latest.p50),
        note="Half of the latest hour's entries took no longer.",
        drawing=lines(series, label=f"Time to deliver per hour; 95 % took at most {span(slowest)} in the worst hour."),
        headings=("Hour, UTC", *(name for _key, name in PERCENTILES)),
        rows=[(f"{hour.begins_at:%d %b %H:%M}", span(hour.p50), span(hour.p95)) for hour in reversed(hours)],
        top=span(slowest) if slowest else "",
        axis=DAY,
        legend=PERCENTILES,
    )


def _waiting() -> Chart:
    ages = loops.waiting_by_age()
    count, oldest = sum(ages.values()), loops.oldest_pending_seconds()
    more = "+" if count >= loops.MOST_COUNTED else ""
    note = "Everything is told." if oldest is None else f"The oldest has waited {age_of(oldest)}."
    return Chart(
        title="Waiting now",
        figure=f"{count:,}{more}",
        note=note,
        drawing=bars(ages),
        headings=("Has waited", "Entries"),
        rows=[(age, f"{number:,}") for age, number in ages.items()],
    )


def _failures() -> Chart:
    reasons = loops.failures_by_reason()
    return Chart(
        title="Failures by reason",
        figure=f"{sum(reasons.values()):,}",
        note="Requests to Loops that failed in the last 24 hours." if reasons else "No request failed in 24 hours.",
        drawing=bars(reasons),
        headings=("Reason", "Requests"),
        rows=[(reason, f"{number:,}") for reason, number in reasons.items()],
    )


def _seconds(taken: timedelta | None) -> float | None:
    return None if taken is None else max(taken.total_seconds(), 0.0)


def span(taken: timedelta | None) -> str:
    """Short, and exact where a second matters."""
    seconds = _seconds(taken)
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 60 else age_of(seconds)
