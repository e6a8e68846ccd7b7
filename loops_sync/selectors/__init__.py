"""Who a person is in all apps at once, and how the line to Loops is doing."""

from loops_sync.selectors.line import (
    alarms,
    alerts,
    connection_state,
    has_open_entries,
    oldest_pending_seconds,
    outbox_counts,
    relay,
    relay_status,
    success_rate,
    worker_is_alive,
)
from loops_sync.selectors.people import Person, contacts_by_email, people
from loops_sync.selectors.told import (
    delivery_by_email,
    entries_about,
    latest_entries,
    mail_counts,
    mails_of,
    subject_of,
)
from loops_sync.selectors.traffic import (
    MOST_COUNTED,
    DeliveryHour,
    deliveries_by_hour,
    failures_by_reason,
    outbox_depth,
    request_times,
    waiting_by_age,
)

__all__ = [
    "MOST_COUNTED",
    "DeliveryHour",
    "Person",
    "alarms",
    "alerts",
    "connection_state",
    "contacts_by_email",
    "deliveries_by_hour",
    "delivery_by_email",
    "entries_about",
    "failures_by_reason",
    "has_open_entries",
    "latest_entries",
    "mail_counts",
    "mails_of",
    "oldest_pending_seconds",
    "outbox_counts",
    "outbox_depth",
    "people",
    "relay",
    "relay_status",
    "request_times",
    "subject_of",
    "success_rate",
    "waiting_by_age",
    "worker_is_alive",
]
