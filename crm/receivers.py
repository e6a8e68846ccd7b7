"""What the CRM app listens to."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_migrate, post_save
from django.dispatch import receiver

from crm import services, tasks
from crm.models import Connection, SyncRun
from crm.signals import connection_seen, run_wanted


@receiver(post_save, sender=Connection)
def first_run_started(instance: Connection, raw: bool = False, **_: Any) -> None:
    """A connection that has never been read is read at once, in the background."""
    if not raw and instance.is_active and instance.changed_since is None:
        transaction.on_commit(lambda: services.start_first_run(instance), robust=True)


@receiver(run_wanted)
def run_queued(run: SyncRun, **_: Any) -> None:
    """Whoever waits is executed by a worker."""
    tasks.queue_run(run.pk)


@receiver(connection_seen)
def connection_looked_up(connection_id: str, config_key: str, **_: Any) -> None:
    """Whose it is, Nango knows."""
    tasks.queue_take_over(connection_id, config_key)


@receiver(post_migrate, dispatch_uid="crm_schedules")
def schedules_ensured(sender: Any, **_: Any) -> None:
    """The queue's schedules exist in every database that has its tables."""
    if sender.name == "django_q":
        tasks.ensure_schedules()
