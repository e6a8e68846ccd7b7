"""What became of the codes that were read at a business's tills."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from crm.models import Business
from loyalty.models import Customer, Enrollment, LoyaltyCard, QrScan
from loyalty.selectors.accounts import Account, account_of

ACTIVE = Enrollment.Status.ACTIVE
Outcome = QrScan.Outcome
# What a scan told to whoever made it; all others were refused.
TOLD = (Outcome.AWARDED, Outcome.IDENTIFIED, Outcome.REQUESTED, Outcome.PENDING)


@dataclass
class ScanDay:
    """A UTC day's scans."""

    day: date
    scans: int = 0
    points_awarded: int = 0
    requests: int = 0
    refused: int = 0


@dataclass(frozen=True)
class ScanFigures:
    """Scans of some days up to today. `refused` counts by the reason in words, the most frequent first."""

    days: list[ScanDay]
    people: int
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def scans(self) -> int:
        """Those that told whose code it was."""
        return sum(day.scans for day in self.days)

    @property
    def points_awarded(self) -> int:
        """By scanning."""
        return sum(day.points_awarded for day in self.days)

    @property
    def requests(self) -> int:
        """How many were asked to join."""
        return sum(day.requests for day in self.days)


def scan_figures(business: Business, days: int = 30) -> ScanFigures:
    """The last `days` days in UTC, today included, also those without a scan; in two queries."""
    today = timezone.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    rows = QrScan.objects.filter(business=business, created_at__gte=datetime.combine(first, time(), UTC))
    found = {first + timedelta(days=number): ScanDay(first + timedelta(days=number)) for number in range(days)}
    counted: Any = rows.order_by().values("outcome", day=TruncDate("created_at", tzinfo=UTC))
    reasons: Counter[str] = Counter()
    for row in counted.annotate(count=Count("pk"), points=Sum("points_awarded")):
        _add(found.setdefault(row["day"], ScanDay(row["day"])), row)
        if row["outcome"] not in TOLD:
            reasons[Outcome(row["outcome"]).label] += row["count"]
    people = rows.filter(outcome__in=TOLD).aggregate(people=Count("customer", distinct=True))["people"]
    return ScanFigures(list(found.values()), people, dict(reasons.most_common()))


def _add(day: ScanDay, row: dict[str, Any]) -> None:
    if row["outcome"] not in TOLD:
        day.refused += row["count"]
        return
    day.scans += row["count"]
    day.points_awarded += row["points"]
    day.requests += row["count"] if row["outcome"] == Outcome.REQUESTED else 0


def accounts_at(business: Business, customer: Customer | None) -> list[Account]:
    """The cards with which the customer takes part at the business, as they stand now."""
    cards = LoyaltyCard.objects.complete().filter(
        enrollment__customer=customer, enrollment__program__business=business, enrollment__status=ACTIVE
    )
    return [account_of(card) for card in cards.order_by("-enrollment__program__is_default", "created_at", "id")]


def masked_name(customer: Customer) -> str:
    """As much as a till needs to greet somebody: `Ada L.`, or the end of the phone."""
    initial = f"{customer.last_name[:1]}." if customer.last_name else ""
    return f"{customer.first_name} {initial}".strip() or f"Customer …{customer.phone[-3:]}"
