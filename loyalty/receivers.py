"""What the points programs listen to."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_migrate, post_save
from django.dispatch import receiver

from loyalty import services, tasks
from loyalty.models import Customer, SignInLink
from notifications.models import ApprovalRequest
from notifications.signals import request_closed


@receiver(post_migrate, dispatch_uid="loyalty_schedules")
def schedules_ensured(sender: Any, **_: Any) -> None:
    """The queue's schedules exist in every database that has its tables."""
    if sender.name == "django_q":
        tasks.ensure_schedules()


@receiver(post_save, sender=Customer, dispatch_uid="loyalty_customer_saved")
def customer_saved(sender: type[Customer], instance: Customer, created: bool, raw: bool, **_: Any) -> None:
    """Codes exist from the beginning, so that looking at one writes nothing. A new name is seen where it is shown."""
    if raw:
        return
    if created:
        services.make_keys(instance)
    else:
        services.note_customer(instance)


@receiver(request_closed, dispatch_uid="loyalty_request_closed")
def answer_taken(request: ApprovalRequest, by: Any, **_: Any) -> None:
    """A customer has answered a business, or has not in time."""
    services.close_request(request, by=by)


@receiver(post_save, sender=SignInLink, dispatch_uid="loyalty_link_asked_for")
def link_asked_for(instance: SignInLink, created: bool, raw: bool, **_: Any) -> None:
    """Somebody waits for a mail."""
    if created and not raw:
        transaction.on_commit(lambda: tasks.queue_link(instance.pk), robust=True)
