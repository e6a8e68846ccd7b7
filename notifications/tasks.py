"""What the queue runs for notifications. The rows own attempts and pauses: a lost task costs a minute, no mail."""

from uuid import UUID

from django_q.models import Schedule
from django_q.tasks import async_task

from notifications import services

SWEEP_SECONDS = 50.0


def queue_mail(notification_id: UUID) -> None:
    """Let a worker send the notification's mail soon. Call it on commit."""
    async_task("notifications.tasks.send_mail", str(notification_id))


def queue_mails() -> None:
    """Let a worker send all that is due, without waiting for the clock."""
    async_task("notifications.tasks.send_mails")


def send_mail(notification_id: str) -> None:
    """One notification's mail."""
    services.send_mail_of(UUID(notification_id))


def send_mails() -> None:
    """Whatever a crash lost or a mail server refused."""
    services.send_mails(seconds=SWEEP_SECONDS)


def expire_requests() -> None:
    """Close the questions that nobody has answered in time."""
    services.expire_requests()


def forget_old_changes() -> None:
    """Once a day: the feed's beginning."""
    services.forget_old_changes()


def ensure_schedules() -> None:
    """The schedules, as they should be; run after each migration."""
    for name, func, kind in (
        ("Send mails", "send_mails", Schedule.MINUTES),
        ("Close unanswered questions", "expire_requests", Schedule.MINUTES),
        ("Forget old changes", "forget_old_changes", Schedule.DAILY),
    ):
        defaults = {"func": f"notifications.tasks.{func}", "schedule_type": kind, "minutes": 1}
        Schedule.objects.update_or_create(name=name, defaults=defaults)
