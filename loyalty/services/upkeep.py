"""What time does to points, booked soon after: holds lapse, lots expire."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from loyalty.models import LoyaltyCard, PointsHold, PointsLot
from loyalty.services.ledger import lock_account, settle_and_book

BATCH = 500


def settle_due(limit: int = BATCH) -> int:
    """Book lapsed holds and expired points of cards that nobody has touched since: how many cards it looked at.

    Each card in a transaction of its own, so that nobody at a till waits for more than one.
    """
    now = timezone.now()
    lots = PointsLot.objects.filter(expires_at__lte=now, remaining__gt=F("held")).values_list("card", flat=True)
    holds = PointsHold.objects.open().filter(expires_at__lte=now).values_list("card", flat=True)
    cards = sorted({*lots[:limit], *holds[:limit]})
    for card in cards:
        with transaction.atomic():
            settle_and_book(lock_account(LoyaltyCard(pk=card)))
    return len(cards)
