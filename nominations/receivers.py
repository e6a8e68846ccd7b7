"""What the awards listen to."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from nominations import tasks
from nominations.models import Vote
from nominations.signals import verification_wanted


@receiver(verification_wanted)
def verification_queued(vote: Vote, **_: Any) -> None:
    """Its voter is asked by mail, once the vote is there."""
    transaction.on_commit(lambda: tasks.queue_verification(vote.pk), robust=True)


@receiver(post_migrate, dispatch_uid="nominations_schedules")
def schedules_ensured(sender: Any, **_: Any) -> None:
    """The queue's schedules exist in every database that has its tables."""
    if sender.name == "django_q":
        tasks.ensure_schedules()
