"""Alarms: raised once, over once, and staff are mailed of both."""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse
from django.utils import timezone

from crm.models import User
from loops_sync import selectors
from loops_sync.models import Incident

# Longer than a mail server may take to answer.
MAILING_LEASE = timedelta(minutes=3)
logger = logging.getLogger(__name__)


def watch_line() -> None:
    """Open an incident for each alarm that has none, close those that are over, and mail staff what they do not know.

    Workers side by side open one incident and send one mail. A mail that fails is sent by a later call.
    """
    wrong = selectors.alarms()
    Incident.objects.bulk_create(
        [Incident(kind=kind, detail=text[:500]) for kind, text in wrong.items()], ignore_conflicts=True
    )
    Incident.objects.open().exclude(kind__in=wrong).update(closed_at=timezone.now())
    staff = settings.ALERT_EMAILS or list(
        User.objects.filter(is_superuser=True, is_active=True).values_list("email", flat=True)
    )
    if staff:
        for incident in Incident.objects.to_mail().order_by("id"):
            _mail(incident, staff)


def _mail(incident: Incident, staff: list[str]) -> None:
    """Tell staff of the incident as it is now, unless another worker is about to."""
    now, is_over = timezone.now(), incident.closed_at is not None
    rows = Incident.objects.filter(pk=incident.pk)
    if not rows.to_mail().free(now).update(mailing_until=now + MAILING_LEASE):
        return
    try:
        send_mail(_subject(incident), _text(incident), None, staff)
    except (SMTPException, OSError) as error:
        logger.warning("The mail about an incident was not sent: %s", type(error).__name__)
        rows.update(mailing_until=None)
        return
    rows.update(mailing_until=None, is_opening_mailed=True, **({"is_closing_mailed": True} if is_over else {}))


def _subject(incident: Incident) -> str:
    return f"[Laurel] {'Over' if incident.closed_at else 'Alarm'}: {incident.get_kind_display()}"


def _text(incident: Incident) -> str:
    lines = [incident.detail, "", f"Since {incident.opened_at:%d %b %Y, %H:%M} UTC."]
    if incident.closed_at is not None:
        lines.append(f"Over since {incident.closed_at:%d %b %Y, %H:%M} UTC.")
    return "\n".join([*lines, settings.PUBLIC_BASE_URL + reverse("admin:loops_sync_incident_changelist"), ""])
