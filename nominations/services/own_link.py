"""The signed link by which a nominee sees their own page and has a say in it, and the mail that brings it."""

import logging
import smtplib
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from crm.models import User
from crm.services.erasing import FIRST, LAST
from nominations.models import LinkMail, Nominee

SALT = "nominations.own_link"
LASTS = timedelta(days=90)
# A worker that says nothing for so long has died, perhaps before it sent the mail: it is sent again.
GIVEN_UP_AFTER = timedelta(minutes=10)
SWEPT = 200
State = LinkMail.State
logger = logging.getLogger(__name__)


def own_token(nominee: Nominee) -> str:
    """What the link carries: good for 90 days, for this nominee, while they have the address they have now."""
    return signing.dumps([str(nominee.pk), _print_of(nominee.email)], salt=SALT)


def own_url(nominee: Nominee) -> str:
    """The link itself."""
    return settings.PUBLIC_BASE_URL + reverse("own", args=[own_token(nominee)])


def owner_of(token: str) -> Nominee:
    """The nominee that a link is of, whether their page is up or not.

    Raises ValidationError: `not_found` for a link that was never ours or is of an address they no longer have,
    `expired` for an old one, `gone` for who was merged or erased.
    """
    try:
        pk, printed = signing.loads(token, salt=SALT, max_age=LASTS)
    except signing.SignatureExpired as error:
        raise ValidationError("This link has expired.", code="expired") from error
    except signing.BadSignature as error:
        raise ValidationError("This link is not valid.", code="not_found") from error
    nominee = Nominee.objects.filter(pk=pk).first()
    if nominee is None or printed != _print_of(nominee.email):
        raise ValidationError("This link is not valid.", code="not_found")
    if not may_speak(nominee):
        raise ValidationError("This page is gone.", code="gone")
    return nominee


def may_speak(nominee: Nominee) -> bool:
    """Whether there is somebody whose page it is: nobody merged into another, nobody erased."""
    return nominee.state != Nominee.State.MERGED and (nominee.first_name, nominee.last_name) != (FIRST, LAST)


def _print_of(email: str) -> str:
    return salted_hmac(SALT, email).hexdigest()[:16]


def ask_for_link_mail(nominee: Nominee, *, by: User) -> LinkMail:
    """Note that the link is to be mailed to the nominee's address; a worker does.

    Raises ValidationError: `already_waiting`, or because there is no address or nobody to write to.
    """
    if not nominee.email or not may_speak(nominee):
        raise ValidationError(f"There is no address of {nominee} to mail to.")
    try:
        with transaction.atomic():
            return LinkMail.objects.create(nominee=nominee, by=by)
    except IntegrityError as error:
        raise ValidationError("It is on its way already.", code="already_waiting") from error


def send_link_mail(pk: int) -> None:
    """Mail one link, unless another worker has. What fails for now waits for the next sweep."""
    now = timezone.now()
    free = Q(sent_at=None) | Q(sent_at__lt=now - GIVEN_UP_AFTER)
    rows = LinkMail.objects.filter(pk=pk, state=State.WAITING)
    if not rows.filter(free).update(sent_at=now):
        return
    nominee = LinkMail.objects.select_related("nominee").get(pk=pk).nominee
    if not nominee.email or not may_speak(nominee):
        rows.update(state=State.FAILED, sent_at=None, error="They have no address any more.")
        return
    try:
        _send(nominee)
    except smtplib.SMTPRecipientsRefused:
        rows.update(state=State.FAILED, sent_at=None, error="The mail server refuses the address.")
    except OSError as error:  # what smtplib raises, too
        logger.warning("The mail with the link of nominee %s waits: %s", nominee.pk, type(error).__name__)
        message = f"The mail server could not be reached ({type(error).__name__}). It is tried again every minute."
        rows.update(sent_at=None, error=message)
    else:
        rows.update(state=State.SENT, error="")


def send_due_link_mails() -> int:
    """Mail what a crash or an outage left: how many were tried."""
    due = LinkMail.objects.filter(state=State.WAITING, created_at__lt=timezone.now() - timedelta(minutes=1))
    ids = list(due.order_by("created_at").values_list("pk", flat=True)[:SWEPT])
    for pk in ids:
        send_link_mail(pk)
    return len(ids)


def _send(nominee: Nominee) -> None:
    text = (
        f"Hello {nominee.first_name or nominee.name},\n\n"
        "you are nominated in the Laurel Awards. This link shows your page; there you can say that all is right,\n"
        "correct your story and picture, or ask us to take the page down:\n\n"
        f"{own_url(nominee)}\n\n"
        "The link is yours alone and good for 90 days. You need not do anything: the page stays as it is.\n"
    )
    subject = f"Your page in the Laurel Awards, {nominee.name}".replace("\n", " ").replace("\r", " ")
    send_mail(subject, text, None, [nominee.email])
