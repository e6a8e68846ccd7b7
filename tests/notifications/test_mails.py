"""Mails that go with notifications: once each, tried again for hours, and never two workers at one."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from notifications import services, tasks
from notifications.models import Notification, Preferences
from notifications.selectors import PAUSES, mails_due, mails_failed
from tests import builders
from tests.loyalty.crowd import at_once
from tests.notifications.people import asked

pytestmark = pytest.mark.django_db


class Refusing(BaseEmailBackend):
    """A mail server that wants nothing to do with anybody, and names them in full."""

    def send_messages(self, email_messages: Any) -> int:
        raise SMTPRecipientsRefused({email_messages[0].to[0]: (550, b"no such <ada@example.org> here")})


@pytest.fixture
def refusing(settings: Settings) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Refusing"


def to_mail(**fields: Any) -> Notification:
    """A notification whose mail waits."""
    customer = builders.customer()
    Preferences.objects.create(pk=customer.pk, email=True)
    found = services.notify(
        "points_earned",
        title="You earned 25 points\nat Corner Cafe",
        message="Your balance is 125 points.",
        dedupe_key=str(uuid4()),
        customer=customer.pk,
        email="ada@example.org",
    )
    assert found is not None
    Notification.objects.filter(pk=found.pk).update(**fields)
    found.refresh_from_db()
    return found


def ago(**span: float) -> Any:
    return timezone.now() - timedelta(**span)


def test_mail_says_what_was_told_and_where_to_read_it(settings: Settings) -> None:
    row = to_mail()
    tasks.send_mail(str(row.pk))
    sent = mail.outbox[0]
    assert (sent.to, sent.subject) == (["ada@example.org"], "You earned 25 points at Corner Cafe")
    assert sent.body.split("\n\n")[1:] == ["Your balance is 125 points.", "https://awards.example/notifications"]
    row.refresh_from_db()
    assert row.mailed_at is not None
    tasks.send_mail(str(row.pk))
    tasks.send_mails()
    assert len(mail.outbox) == 1


def test_worker_is_asked_on_commit_and_only_where_there_is_a_mail(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        row = to_mail()
        asked(builders.customer(), email="ada@example.org")  # who has asked for no mails
        services.read_notification(row)
    queued = [(entry.task["func"], entry.task["args"]) for entry in OrmQ.objects.all()]
    assert queued == [("notifications.tasks.send_mail", (str(row.pk),))]


def test_sweep_sends_what_a_crash_lost() -> None:
    to_mail()
    to_mail()
    assert services.send_mails(seconds=50) == 2
    assert len(mail.outbox) == 2


def test_sweep_stops_with_the_clock() -> None:
    to_mail()
    assert services.send_mails(seconds=-1) == 0


def test_refused_mail_is_tried_five_times_with_growing_pauses(refusing: None) -> None:
    row = to_mail()
    for attempt, pause in enumerate([*PAUSES, timedelta(days=30)], start=1):
        assert services.send_mail_of(row.pk) is False
        row.refresh_from_db()
        assert (row.mail_attempts, row.mailed_at) == (attempt, None)
        for passed in (pause - timedelta(seconds=5), pause):
            Notification.objects.update(mail_tried_at=timezone.now() - passed)
            is_due = passed == pause and attempt <= len(PAUSES)
            assert mails_due(timezone.now()).exists() is is_due
    assert list(PAUSES) == sorted(PAUSES)
    assert list(mails_failed()) == [row]


def test_error_is_kept_without_addresses(refusing: None) -> None:
    row = to_mail()
    services.send_mail_of(row.pk)
    row.refresh_from_db()
    assert row.mail_error.startswith("SMTPRecipientsRefused: ")
    assert "no such" in row.mail_error
    assert "ada" not in row.mail_error


def test_mail_of_a_dead_worker_is_sent_after_ten_minutes() -> None:
    row = to_mail(mail_tried_at=ago(minutes=9.9), mail_attempts=1)
    assert services.send_mail_of(row.pk) is False
    Notification.objects.update(mail_tried_at=ago(minutes=10))
    assert services.send_mail_of(row.pk) is True


def test_mail_that_was_given_up_can_be_sent_again() -> None:
    row = to_mail(mail_attempts=5, mail_tried_at=ago(days=1), mail_error="OSError: away")
    assert services.send_mails(seconds=50) == 0
    services.retry_mail(row)
    assert services.send_mails(seconds=50) == 1
    with pytest.raises(ValidationError) as refused:
        services.retry_mail(row)
    assert refused.value.code == "already_sent"


def test_mail_under_way_is_not_sent_again() -> None:
    row = to_mail(mail_attempts=1, mail_tried_at=timezone.now())
    with pytest.raises(ValidationError) as refused:
        services.retry_mail(row)
    assert refused.value.code == "already_sending"


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_two_sweeps_at_once_send_one_mail() -> None:
    for _ in range(5):
        to_mail()
    assert sum(at_once(*[lambda: services.send_mails(seconds=50)] * 3)) == 5
    assert len(mail.outbox) == 5


def test_schedules_exist_after_each_migration() -> None:
    Schedule.objects.filter(func__startswith="notifications.").delete()
    tasks.ensure_schedules()
    tasks.ensure_schedules()
    rows = Schedule.objects.filter(func__startswith="notifications.").order_by("func")
    assert [(row.func, row.schedule_type, row.minutes) for row in rows] == [
        ("notifications.tasks.expire_requests", "I", 1),
        ("notifications.tasks.forget_old_changes", "D", 1),
        ("notifications.tasks.send_mails", "I", 1),
    ]
