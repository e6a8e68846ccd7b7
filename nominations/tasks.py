"""What the queue runs for the awards."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task

from nominations import services


def queue_verification(vote_id: UUID) -> None:
    """Let a worker mail the link of a held vote. Call it on commit."""
    async_task("nominations.tasks.send_verification", str(vote_id))


def send_verification(vote_id: str) -> None:
    """One mail."""
    services.send_verification(UUID(vote_id))


def send_due_verifications() -> None:
    """What a crash or an outage left."""
    services.send_due_verifications()


def lapse_votes() -> None:
    """Votes that nobody has confirmed."""
    services.lapse_votes()


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    hour = timezone.now().replace(minute=15, second=0, microsecond=0) + timedelta(hours=1)
    for name, func, kind, begins in (
        ("Mail links to voters", "send_due_verifications", Schedule.MINUTES, timezone.now()),
        ("Let unconfirmed votes lapse", "lapse_votes", Schedule.HOURLY, hour),
    ):
        defaults = {"func": f"nominations.tasks.{func}", "schedule_type": kind, "minutes": 1}
        Schedule.objects.update_or_create(
            name=name, defaults=defaults, create_defaults={**defaults, "name": name, "next_run": begins}
        )
