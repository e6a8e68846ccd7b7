"""What the points programs listen to."""

from typing import Any

from django.db.models.signals import post_migrate
from django.dispatch import receiver

from loyalty import tasks


@receiver(post_migrate, dispatch_uid="loyalty_schedules")
def schedules_ensured(sender: Any, **_: Any) -> None:
    """The queue's schedules exist in every database that has its tables."""
    if sender.name == "django_q":
        tasks.ensure_schedules()
