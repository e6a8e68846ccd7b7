"""What the queue runs for the awards."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django_q.models import Schedule
from django_q.tasks import async_task

from nominations import selectors, services

# The largest file takes a minute. A second copy that the queue may start meanwhile finds it taken and ends at once.
LONGEST_IMPORT_SECONDS = 1800


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


def queue_stage() -> None:
    """Let a worker decide what was applied. Call it on commit."""
    async_task("nominations.tasks.decide_staged")


def decide_staged() -> None:
    """What was applied from the stage; what one turn leaves goes to the next."""
    if services.decide_staged():
        queue_stage()


def decide_left_over() -> None:
    """What a crash left of it."""
    services.decide_staged()


def queue_link_mail(mail_id: int) -> None:
    """Let a worker mail a nominee's own link. Call it on commit."""
    async_task("nominations.tasks.send_link_mail", mail_id)


def send_link_mail(mail_id: int) -> None:
    """One mail."""
    services.send_link_mail(mail_id)


def send_due_link_mails() -> None:
    """What a crash or an outage left."""
    services.send_due_link_mails()


def queue_import(batch_id: UUID) -> None:
    """Let a worker take in a file. Call it on commit."""
    async_task("nominations.tasks.run_import", str(batch_id), timeout=LONGEST_IMPORT_SECONDS)


def run_import(batch_id: str) -> None:
    """One file, as far as it is not in yet."""
    services.run_import(UUID(batch_id))


def resume_imports() -> None:
    """What a crash left."""
    for batch in selectors.unfinished_imports():
        queue_import(batch.pk)


def publish_due_results() -> None:
    """Results whose moment has come."""
    services.publish_due_results()


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    hour = timezone.now().replace(minute=15, second=0, microsecond=0) + timedelta(hours=1)
    for name, func, kind, begins in (
        ("Mail links to voters", "send_due_verifications", Schedule.MINUTES, timezone.now()),
        ("Mail links to nominees", "send_due_link_mails", Schedule.MINUTES, timezone.now()),
        ("Decide what was applied", "decide_left_over", Schedule.MINUTES, timezone.now()),
        ("Go on with imports", "resume_imports", Schedule.MINUTES, timezone.now()),
        ("Publish results that are due", "publish_due_results", Schedule.MINUTES, timezone.now()),
        ("Let unconfirmed votes lapse", "lapse_votes", Schedule.HOURLY, hour),
    ):
        defaults = {"func": f"nominations.tasks.{func}", "schedule_type": kind, "minutes": 1}
        Schedule.objects.update_or_create(
            name=name, defaults=defaults, create_defaults={**defaults, "name": name, "next_run": begins}
        )
