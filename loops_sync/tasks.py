"""What the queue runs. The outbox owns attempts and backoff: a lost task costs a minute, never a message."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from django_q.models import Schedule, Success
from django_q.tasks import async_task

from crm.services import forget_old_requests
from loops_sync import selectors, services

# More contacts than this are left to one sweep, so that they do not fill the queue.
SINGLE_TASKS = 20
SWEEP_SECONDS = 50.0


def queue_sync(contact_ids: Sequence[UUID]) -> None:
    """Let a worker tell Loops about these contacts soon. Call it on commit."""
    if not settings.LOOPS_SYNC_ENABLED:
        return
    if len(contact_ids) > SINGLE_TASKS:
        queue_sweep()
        return
    for contact_id in contact_ids:
        async_task("loops_sync.tasks.sync_contact", str(contact_id))


def queue_sweep() -> None:
    """Let a worker deliver whatever waits, without waiting for the clock."""
    async_task("loops_sync.tasks.sweep")


def sync_contact(contact_id: str) -> None:
    """Tell Loops about one contact."""
    services.note_alive()
    services.sync_contact(UUID(contact_id))


def sweep() -> None:
    """Deliver whatever a crash, a backoff or an outage left; again if there is more, with help if it is much."""
    services.note_alive()
    seat = services.take_sweep()
    if seat is None:
        return
    try:
        services.probe_if_due()
        if selectors.has_open_entries(more_than=SINGLE_TASKS):
            queue_sweep()
        tally = services.drain(seconds=SWEEP_SECONDS)
    finally:
        services.yield_sweep(seat)
    if tally.stopped_by_clock:
        queue_sweep()


def tidy() -> None:
    """Once a day: forget what is old."""
    services.purge_old()
    forget_old_requests()
    Success.objects.filter(stopped__lt=timezone.now() - timedelta(days=2)).delete()


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    Schedule.objects.update_or_create(
        name="Deliver to Loops",
        defaults={"func": "loops_sync.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1},
    )
    Schedule.objects.update_or_create(
        name="Tidy up", defaults={"func": "loops_sync.tasks.tidy", "schedule_type": Schedule.DAILY}
    )
