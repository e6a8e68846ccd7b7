"""What somebody has been told, and what has changed for them since."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Concat

from notifications.models import Change, Notification

MOST_CHANGES = 500
START = "0.0"


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


def latest_change(recipient: str) -> Subquery:
    """The place of the newest change of the outer row: `recipient` is `customer_id` or `business_id`.

    In a query of logins' recipients it makes one probe of an index for each.
    """
    rows = Change.objects.settled().filter(**{recipient: OuterRef("recipient")}).order_by("-tx", "-id")
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

    Raises ValidationError naming `after`.
    """
    tx, number = read_place(cursor)
    rows = list(Change.objects.settled().after(tx, number).filter(scope.wanted)[:MOST_CHANGES])
    return rows, f"{rows[-1].tx}.{rows[-1].pk}" if rows else cursor


def notifications_of(scope: Scope) -> QuerySet[Notification]:
    """Newest first, with the question where there is one."""
    return Notification.objects.filter(scope.wanted).select_related("request").order_by(F("created_at").desc(), "id")
