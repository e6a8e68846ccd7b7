"""What the queue runs for CRMs."""

import logging
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task

from crm import services
from crm.client import NangoError
from crm.models import Business, SyncRun

# A large CRM takes its time. The queue may start a second copy meanwhile, which finds the run taken and ends at once.
LONGEST_RUN_SECONDS = 3600
logger = logging.getLogger(__name__)


def queue_run(run_id: UUID) -> None:
    """Let a worker execute a run. Call it on commit."""
    async_task("crm.tasks.execute_run", str(run_id), timeout=LONGEST_RUN_SECONDS)


def execute_run(run_id: str) -> None:
    """One run; where its worker died in the middle, a new one in its place."""
    run = SyncRun.objects.select_related("connection").get(pk=run_id)
    if run.is_silent and run.status == SyncRun.Status.RUNNING:
        services.replace_dead_run(run)
    else:
        services.execute_run(run)


def queue_take_over(connection_id: str, config_key: str) -> None:
    """Let a worker ask Nango whose connection this is. Call it on commit."""
    async_task("crm.tasks.take_over", connection_id, config_key)


def take_over(connection_id: str, config_key: str) -> None:
    """Connect it, if it is ours. A page that waits for it asks again."""
    try:
        services.take_over(connection_id, config_key)
    except NangoError as error:
        logger.warning("Nango did not tell whose connection this is: %s", error)


def queue_search(business_id: UUID) -> None:
    """Let a worker look for a new connection of the business."""
    async_task("crm.tasks.find_connections", str(business_id))


def find_connections(business_id: str) -> None:
    """For installations that get no webhooks. The page that waits asks again."""
    try:
        services.find_connections(Business.objects.get(pk=business_id))
    except NangoError as error:
        logger.warning("Nango did not list its connections: %s", error)


def sync_hourly() -> None:
    """Every active connection, what changed."""
    services.queue_all(trigger=SyncRun.Trigger.HOURLY)


def sync_nightly() -> None:
    """Every active connection, in full: what the CRMs no longer have is marked."""
    services.queue_all(trigger=SyncRun.Trigger.NIGHTLY)
    services.purge_outcomes()


def remove_connections() -> None:
    """Tell Nango to forget what was switched off."""
    services.remove_due()


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    night = hour.replace(hour=3, minute=30) + timedelta(days=1)
    for name, func, kind, begins in (
        ("Sync CRMs hourly", "sync_hourly", Schedule.HOURLY, hour),
        ("Sync CRMs in full", "sync_nightly", Schedule.DAILY, night),
        ("Forget connections at Nango", "remove_connections", Schedule.MINUTES, timezone.now()),
    ):
        defaults = {"func": f"crm.tasks.{func}", "schedule_type": kind, "minutes": 1}
        Schedule.objects.update_or_create(
            name=name, defaults=defaults, create_defaults={**defaults, "name": name, "next_run": begins}
        )
