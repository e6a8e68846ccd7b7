"""What time does to points, booked soon after: holds lapse, lots expire."""

import logging
from collections.abc import Iterator
from datetime import UTC, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from loyalty.models import LoyaltyCard, PointsHold, PointsLot
from loyalty.services import telling
from loyalty.services.ledger import lock_account, settle_and_book

BATCH = 500
WARN_BEFORE = timedelta(days=7)
logger = logging.getLogger(__name__)


def settle_due() -> int:
    """Book lapsed holds and expired points of cards that nobody has touched since: how many cards it settled.

    Each card in a transaction of its own, so that nobody at a till waits for more than one; a card whose books are
    broken is left to the proof of the ledger, and does not keep the others from being settled.
    """
    settled = 0
    for card in _due_cards():
        try:
            with transaction.atomic():
                settle_and_book(lock_account(LoyaltyCard(pk=card)))
        except (IntegrityError, LookupError):
            logger.exception("Card %s cannot be settled", card)
        else:
            settled += 1
    return settled


def _due_cards() -> Iterator[UUID]:
    """In the order of their ids, a batch at a time."""
    now = timezone.now()
    lots = PointsLot.objects.filter(expires_at__lte=now, remaining__gt=F("held"))
    holds = PointsHold.objects.open().filter(expires_at__lte=now)
    due: list[UUID] = sorted({*_first(lots), *_first(holds)})[:BATCH]
    while due:
        yield from due
        due = sorted({*_first(lots, after=due[-1]), *_first(holds, after=due[-1])})[:BATCH]


def _first(rows: QuerySet[PointsLot] | QuerySet[PointsHold], after: UUID | None = None) -> list[UUID]:
    later = rows.filter(card__gt=after) if after else rows
    return list(later.order_by("card_id").values_list("card_id", flat=True).distinct()[:BATCH])


def warn_of_expiry() -> int:
    """Tell customers what will expire within the next days, once for each card and day: how many it told."""
    now = timezone.now()
    soon = PointsLot.objects.filter(expires_at__gt=now, expires_at__lte=now + WARN_BEFORE, remaining__gt=F("held"))
    days = soon.annotate(on=TruncDate("expires_at", tzinfo=UTC)).values("card", "on")
    told = 0
    for row in days.annotate(points=Sum(F("remaining") - F("held"))).order_by("on", "card").iterator():
        card = LoyaltyCard.objects.complete().get(pk=row["card"])
        with transaction.atomic():
            told += telling.tell_expiring(card, row["points"], row["on"])
    return told
