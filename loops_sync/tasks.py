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
SWEEP_SECONDS, MAIL_SECONDS = 40.0, 10.0


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


def queue_mail(mail_id: UUID) -> None:
    """Let a worker send this mail soon. Call it on commit."""
    if settings.LOOPS_SYNC_ENABLED:
        async_task("loops_sync.tasks.send_mail", str(mail_id))


def queue_mails(mail_ids: Sequence[UUID]) -> None:
    """Let workers send these mails soon."""
    if len(mail_ids) > SINGLE_TASKS:
        queue_sweep()
        return
    for mail_id in mail_ids:
        queue_mail(mail_id)


def send_mail(mail_id: str) -> None:
    """Send one mail."""
    services.note_alive()
    services.send_mail(UUID(mail_id))


def sync_contact(contact_id: str) -> None:
    """Tell Loops about one contact; or, when many wait, about the one whose turn it is."""
    services.note_alive()
    if selectors.has_open_entries(more_than=SINGLE_TASKS):
        services.drain(limit=1)
    else:
        services.sync_contact(UUID(contact_id))
    queue_lookout()


def queue_lookout() -> None:
    """While Loops is out of reach, let a worker stay and ask, so that its return is seen within seconds."""
    if services.is_in_outage():
        async_task("loops_sync.tasks.look_out")


def look_out() -> None:
    """Ask until Loops is back, then deliver what waits."""
    services.note_alive()
    if services.look_out():
        queue_sweep()


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
        mails = services.deliver_mails(seconds=MAIL_SECONDS)
        tally = services.drain(seconds=SWEEP_SECONDS)
    finally:
        services.yield_sweep(seat)
    if tally.stopped_by_clock or mails.stopped_by_clock:
        queue_sweep()
    queue_lookout()


def watch_line() -> None:
    """Raise and end alarms, and mail staff."""
    services.watch_line()


def look_at_loops() -> None:
    """Once a night: whether the account has what it must, and whether a sample of it holds what it should."""
    if settings.LOOPS_SYNC_ENABLED:
        services.look_by_night()


def tidy() -> None:
    """Once a day: forget what is old."""
    services.purge_old()
    services.purge_old_mails()
    forget_old_requests()
    Success.objects.filter(stopped__lt=timezone.now() - timedelta(days=2)).delete()


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    Schedule.objects.update_or_create(
        name="Deliver to Loops",
        defaults={"func": "loops_sync.tasks.sweep", "schedule_type": Schedule.MINUTES, "minutes": 1},
    )
    Schedule.objects.update_or_create(
        name="Watch the line to Loops",
        defaults={"func": "loops_sync.tasks.watch_line", "schedule_type": Schedule.MINUTES, "minutes": 1},
    )
    nightly = {"func": "loops_sync.tasks.look_at_loops", "schedule_type": Schedule.DAILY}
    at_night = timezone.now().replace(hour=3, minute=0, second=0, microsecond=0) + timedelta(days=1)
    Schedule.objects.update_or_create(
        name="Look at Loops", defaults=nightly, create_defaults=nightly | {"next_run": at_night}
    )
    Schedule.objects.update_or_create(
        name="Tidy up", defaults={"func": "loops_sync.tasks.tidy", "schedule_type": Schedule.DAILY}
    )
