"""What notifications listen to."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from notifications import tasks
from notifications.models import Notification
from notifications.signals import mail_wanted


@receiver(mail_wanted, dispatch_uid="notifications_mail")
def mail_queued(notification: Notification, **_: Any) -> None:
    """A mail goes with it: workers on commit."""
    transaction.on_commit(lambda: tasks.queue_mail(notification.pk), robust=True)


@receiver(post_migrate, dispatch_uid="notifications_schedules")
def schedules_ensured(sender: Any, **_: Any) -> None:
    """The queue's schedules exist in every database that has its tables."""
    if sender.name == "django_q":
        tasks.ensure_schedules()
