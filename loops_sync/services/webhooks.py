"""What Loops tells by itself: whether to believe it, and what it changes."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from crm.models import normal_email
from loops_sync.models import Contact, WebhookEvent

WINDOW_SECONDS = 300
LONGEST_ID, LONGEST_EMAIL = 255, 254
YEAR_10000 = 253_402_300_800
Subscription = Contact.Subscription
SUBSCRIPTION_AFTER = {
    "contact.unsubscribed": Subscription.UNSUBSCRIBED,
    "email.unsubscribed": Subscription.UNSUBSCRIBED,
    "email.spamReported": Subscription.UNSUBSCRIBED,
    "email.resubscribed": Subscription.SUBSCRIBED,
}
MOMENT_OF = {"contact.deleted": "deleted_at", "email.hardBounced": "bounced_at"}


def webhook_key() -> bytes:
    """What Loops signs with, or nothing when the setting is empty or no `whsec_` and base64."""
    try:
        return base64.b64decode(settings.LOOPS_WEBHOOK_SECRET.removeprefix("whsec_"), validate=True)
    except ValueError:
        return b""


def is_from_loops(raw: bytes, *, webhook_id: str, timestamp: str, signature: str) -> bool:
    """Whether the bytes, as they came, were signed with our secret within the last or next five minutes.

    Standard Webhooks: HMAC-SHA256 over id, time and body; any of the signatures, which stand apart by spaces, may be
    the right one. https://loops.so/docs/webhooks Without a secret nothing is.
    """
    key = webhook_key()
    if not (key and is_id(webhook_id) and is_now(timestamp)):
        return False
    digest = hmac.new(key, b"%s.%s.%s" % (webhook_id.encode(), timestamp.encode(), raw), hashlib.sha256).digest()
    expected = b"v1," + base64.b64encode(digest)
    given = [one.encode("utf-8", "backslashreplace") for one in signature.split(" ")]
    return any([hmac.compare_digest(one, expected) for one in given])  # all of them, so that time tells nothing


def is_id(text: str) -> bool:
    """Whether it can be kept to be known again."""
    return 0 < len(text) <= LONGEST_ID and text.isascii() and text.isprintable()


def is_now(timestamp: str) -> bool:
    """Whether the delivery was signed at most five minutes from now: an older one may be somebody's replay."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(timezone.now().timestamp() - int(timestamp)) <= WINDOW_SECONDS


def receive_event(event: dict[str, Any], *, webhook_id: str, timestamp: str) -> None:
    """Note what an event says of a contact, once. Events of other kinds, and about nobody, are left alone.

    The event's own time decides, not the order of arrival, and nothing is sent because of it: it may be the echo of
    what we sent.
    """
    name = event.get("eventName")
    if not isinstance(name, str) or (name not in SUBSCRIPTION_AFTER and name not in MOMENT_OF):
        return
    at = _moment(event.get("eventTime"), timestamp)
    with transaction.atomic():
        contact = _contact_of(event.get("contactIdentity"))
        if contact is None:
            return
        about = {"name": name, "contact": contact, "occurred_at": at}
        _event, is_new = WebhookEvent.objects.get_or_create(webhook_id=webhook_id, defaults=about)
        if is_new:
            _apply(contact, name, at)


def _apply(contact: Contact, name: str, at: datetime) -> None:
    """One comparing update each: whatever comes later in time wins, in whatever order it arrives."""
    rows = Contact.objects.filter(pk=contact.pk)
    if name in SUBSCRIPTION_AFTER:
        wish = SUBSCRIPTION_AFTER[name]
        overtaken = Q(subscription_at=None) | Q(subscription_at__lt=at)
        if wish == Subscription.UNSUBSCRIBED:
            overtaken |= Q(subscription_at=at)  # in the same second, who wants no mail gets none
        rows.filter(overtaken).update(subscription=wish, subscription_at=at)
    else:
        column = MOMENT_OF[name]
        rows.filter(Q(**{column: None}) | Q(**{f"{column}__lt": at})).update(**{column: at})


def _contact_of(identity: Any) -> Contact | None:
    """By address, else by the id we gave them. Somebody unknown is noted too: a fact about them may come later."""
    if not isinstance(identity, dict):
        return None
    email, user_id = _email(identity.get("email")), _uuid(identity.get("userId"))
    found = _forgotten(user_id) or (Contact.objects.filter(email=email).first() if email else None)
    if found is None and user_id is not None:
        found = Contact.objects.filter(Q(pk=user_id) | Q(borrowed_id=user_id)).order_by("pk").first()
    if found is not None or not (email and email.isascii()):  # other alphabets are lower-cased differently elsewhere
        return found
    Contact.objects.bulk_create([Contact(email=email)], ignore_conflicts=True)
    return Contact.objects.get(email=email)


def _forgotten(user_id: UUID | None) -> Contact | None:
    """One that Loops was told to delete: the address may be a new contact's by now, or must not come back."""
    gone = Contact.objects.filter(email=None).order_by("pk")
    return gone.filter(Q(pk=user_id) | Q(borrowed_id=user_id)).first() if user_id is not None else None


def _email(value: Any) -> str:
    """Normal, or nothing when it is none."""
    email = normal_email(value) if isinstance(value, str) else ""
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if len(email) <= LONGEST_EMAIL else ""


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _moment(event_time: Any, timestamp: str) -> datetime:
    """When it happened, in seconds; when it was sent, if that is not told."""
    is_told = type(event_time) in (int, float) and 0 <= event_time < YEAR_10000
    return datetime.fromtimestamp(event_time if is_told else int(timestamp), UTC)
