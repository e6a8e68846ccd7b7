"""Mails that go with notifications: sent by workers, each by one at a time, tried again for some hours."""

import re
from smtplib import SMTPException
from time import monotonic
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from notifications.models import Notification
from notifications.selectors import WORKER_DIES_AFTER, mails_due

BATCH = 500
ADDRESS = re.compile(r"[^\s<>()'\":,;]+@[^\s<>()'\":,;]+")


def send_mail_of(notification_id: UUID) -> bool:
    """Send a notification's mail if it is due and no other worker has it: whether it went.

    Never inside a transaction: it waits for the mail server. A worker that dies between the server's answer and its
    note leaves a mail that is sent twice.
    """
    now = timezone.now()
    claimed = mails_due(now).filter(pk=notification_id)
    if not claimed.update(mail_tried_at=now, mail_attempts=F("mail_attempts") + 1, mail_error=""):
        return False
    notification = Notification.objects.get(pk=notification_id)
    error = _send(notification)
    # Whoever has taken it over meanwhile speaks for it.
    own = Notification.objects.filter(pk=notification_id, mail_tried_at=now)
    if error:
        own.update(mail_error=error)
    else:
        own.update(mailed_at=timezone.now())
    return not error


def send_mails(*, seconds: float) -> int:
    """Send what is due, oldest first, for so long: how many went."""
    ends, sent = monotonic() + seconds, 0
    for pk in list(mails_due(timezone.now()).order_by("created_at").values_list("pk", flat=True)[:BATCH]):
        if monotonic() > ends:
            break
        sent += send_mail_of(pk)
    return sent


def retry_mail(notification: Notification, *, to: str = "") -> None:
    """Let a mail that was given up, or that waits, go at once, with a fresh count of attempts, and to a new address if
    one is given.

    Raises ValidationError `already_sent`, `already_sending`, or without a code where there is none to send.
    """
    with transaction.atomic():
        locked = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
        if not locked.email:
            raise ValidationError("No mail goes with this notification.")
        if locked.mailed_at is not None:
            raise ValidationError("This mail has been sent.", code="already_sent")
        if _is_under_way(locked):
            raise ValidationError("A worker is sending this mail just now.", code="already_sending")
        locked.email = to or locked.email
        locked.mail_tried_at, locked.mail_attempts, locked.mail_error = None, 0, ""
        locked.save(update_fields=["email", "mail_tried_at", "mail_attempts", "mail_error"])


def _is_under_way(mail: Notification) -> bool:
    begun = mail.mail_tried_at
    return not mail.mail_error and begun is not None and begun > timezone.now() - WORKER_DIES_AFTER


def _send(notification: Notification) -> str:
    """What went wrong, without addresses; nothing when it went."""
    link = f"{settings.PUBLIC_BASE_URL}/notifications"
    body = "\n\n".join(text for text in (notification.title, notification.message, link) if text)
    try:
        # A subject is one line.
        send_mail(" ".join(notification.title.split()), body, None, [notification.email])
    except (SMTPException, OSError, ValueError) as error:
        return f"{type(error).__name__}: {ADDRESS.sub('(address)', str(error))}"[:200]
    return ""
