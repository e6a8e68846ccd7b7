"""What somebody has been told, and what has changed for them since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery, UUIDField, Value
from django.db.models.functions import Cast, Concat

from notifications.models import Change, Notification, Preferences

MOST_CHANGES = 500
START = "0.0"
READ_PREFERENCES = (
    f"SELECT {', '.join(str(field.column) for field in Preferences._meta.concrete_fields)} "  # noqa: S608
    "FROM notifications_preferences WHERE customer_id = %s"
)
# How long a mail waits after its first, second, ... refusal; after the last it is given up.
PAUSES = [timedelta(minutes=minutes) for minutes in (1, 10, 60, 360)]
MOST_ATTEMPTS = len(PAUSES) + 1
WORKER_DIES_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Scope:
    """Whose notifications and changes a login sees. `version` is the place in the feed of the latest of them."""

    customer: UUID | None
    businesses: Sequence[UUID]
    version: str

    @property
    def wanted(self) -> Q:
        """Rows of any of them."""
        return Q(customer_id=self.customer, customer_id__isnull=False) | Q(business_id__in=self.businesses)


def latest_change(recipient: str, of: str) -> Subquery:
    """The place of the newest change of a recipient: `recipient` is `customer_id` or `business_id` of the feed, `of`
    names the column of the outer query that holds it.

    In a query of logins' recipients it makes one probe of an index for each.
    """
    rows = Change.objects.settled().filter(**{recipient: OuterRef(of)}).order_by("-tx", "-id")
    place = Concat(Cast("tx", CharField()), Value("."), Cast("id", CharField()))
    return Subquery(rows.annotate(place=place).values("place")[:1], output_field=CharField())


def newest(places: Sequence[str | None]) -> str:
    """The last of several places in the feed."""
    return max((place for place in places if place), key=read_place, default=START)


def read_place(text: str) -> tuple[int, int]:
    """Raises ValidationError naming `after`."""
    tx, _dot, number = text.partition(".")
    if not (tx.isascii() and tx.isdigit() and number.isascii() and number.isdigit()) or len(text) > 38:
        raise ValidationError({"after": ["This is no cursor that was given out."]})
    place = int(tx), int(number)
    if max(place) >= 2**63:
        raise ValidationError({"after": ["This is no cursor that was given out."]})
    return place


def changes_after(scope: Scope, cursor: str) -> tuple[list[Change], str]:
    """What has changed since, oldest first, and where to go on. None is left out and none comes twice.

    With nothing new it asks nothing more than what the scope has told. Raises ValidationError naming `after`.
    """
    tx, number = read_place(cursor)
    if (tx, number) >= read_place(scope.version):
        return [], cursor
    rows = list(Change.objects.settled().after(tx, number).filter(scope.wanted)[:MOST_CHANGES])
    return rows, f"{rows[-1].tx}.{rows[-1].pk}" if rows else cursor


def notifications_of(
    scope: Scope, *, unread: bool = False, type: str = "", q: str = "", ordering: str = ""
) -> QuerySet[Notification]:
    """With the question where there is one; newest first, unless asked for `created_at`. `q` is a part of the text."""
    rows = Notification.objects.unread() if unread else Notification.objects.all()
    rows = rows.filter(scope.wanted).select_related("request")
    rows = rows.filter(type=type) if type else rows
    for word in q[:200].split():
        rows = rows.filter(Q(title__icontains=word) | Q(message__icontains=word))
    return rows.order_by("created_at" if ordering == "created_at" else "-created_at", "id")


def preferences_of(customer: UUID | None) -> Preferences:
    """What they have said; a business, and whoever has said nothing, wants to know everything, and no mails."""
    if customer is None:
        return Preferences()
    # Written out, because every movement of points reads it.
    rows = Preferences.objects.raw(READ_PREFERENCES, [UUIDField().get_db_prep_value(customer, connection)])
    return next(iter(rows), None) or Preferences(customer_id=customer)


def mails_due(now: datetime) -> QuerySet[Notification]:
    """Those whose mail is to be sent now: never tried, refused a while ago, or left by a worker that has died."""
    refused = Q(mail_error="", mail_tried_at__lte=now - WORKER_DIES_AFTER)
    for attempts, pause in enumerate(PAUSES, start=1):
        refused |= ~Q(mail_error="") & Q(mail_attempts=attempts, mail_tried_at__lte=now - pause)
    waiting = Notification.objects.filter(mailed_at=None, mail_attempts__lt=MOST_ATTEMPTS).exclude(email="")
    return waiting.filter(Q(mail_tried_at=None) | refused)


def mails_failed() -> QuerySet[Notification]:
    """Those whose mail was refused, whether or not it is tried again."""
    open_mails = Notification.objects.filter(mailed_at=None).exclude(email="")
    return open_mails.filter(~Q(mail_error="") | Q(mail_attempts__gte=MOST_ATTEMPTS))
