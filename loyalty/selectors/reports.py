"""What the programs owe in points, and who moved them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Case, Count, ExpressionWrapper, F, Q, QuerySet, Sum, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Floor, TruncMonth
from django.utils import timezone

from crm.models import Business, User
from loyalty.models import LoyaltyCard, PointsLot, PointsTransaction, Program, rules

Operation = PointsTransaction.Operation
# Below this nothing that somebody does by hand is worth a look.
LOOK_ABOVE_POINTS = 500
LOOK_ABOVE_SHARE = Decimal("0.25")
LOOK_ABOVE_ONE_CARD = Decimal("0.5")

EARNED, ADJUSTED = Q(operation_type=Operation.EARN), Q(operation_type=Operation.ADJUST)
# What a scan brings the program gives, not whoever holds the scanner.
AWARDED = Q(EARNED, ~Q(transaction_reference__startswith="scan:"), has_order=False)
BY_HAND = AWARDED | Q(ADJUSTED, points_delta__gt=0)
SUMS = {
    "orders": Count("pk", filter=Q(EARNED, has_order=True)),
    "order_points": Sum("points_amount", filter=Q(EARNED, has_order=True), default=0),
    "awarded": Sum("points_amount", filter=AWARDED, default=0),
    "redeemed": Sum("points_amount", filter=Q(operation_type=Operation.REDEEM), default=0),
    "adjusted_up": Sum("points_amount", filter=Q(ADJUSTED, points_delta__gt=0), default=0),
    "adjusted_down": Sum("points_amount", filter=Q(ADJUSTED, points_delta__lt=0), default=0),
    "reversed": Sum("points_amount", filter=Q(operation_type=Operation.REVERSE), default=0),
    "cards": Count("card", distinct=True),
}


@dataclass(frozen=True)
class Bucket:
    """Points of a program that expire in one month (`expires_on` is its first day), never, or are due already."""

    expires_on: date | None
    is_due: bool
    points: int
    worth: Decimal


@dataclass(frozen=True)
class Liability:
    """What a program's cards hold: the buckets add up to the cards' balances. The worth is that of the whole."""

    program: Program
    cards: int
    buckets: list[Bucket]
    held: int
    owed: int

    @property
    def points(self) -> int:
        """All that is outstanding."""
        return sum(bucket.points for bucket in self.buckets)

    @property
    def worth(self) -> Decimal:
        """In the business's currency."""
        return rules.discount_for(self.points, self.program.point_value)


@dataclass(frozen=True)
class Movements:
    """What one member of staff moved in a period; without `staff` it was a customer or a machine."""

    staff: User | None
    orders: int
    order_points: int
    awarded: int
    redeemed: int
    adjusted_up: int
    adjusted_down: int
    reversed: int
    cards: int
    most_on_one_card: int

    @property
    def by_hand(self) -> int:
        """Points given without an order."""
        return self.awarded + self.adjusted_up

    @property
    def signs(self) -> list[str]:
        """Why somebody should look closer."""
        found = []
        given = self.by_hand + self.order_points
        if self.by_hand > LOOK_ABOVE_POINTS and self.by_hand > LOOK_ABOVE_SHARE * given:
            found.append(f"{self.by_hand * 100 // given} % of the points given had no order.")
        if self.by_hand > LOOK_ABOVE_POINTS and self.most_on_one_card > LOOK_ABOVE_ONE_CARD * self.by_hand:
            found.append(f"One card got {self.most_on_one_card:,} of the {self.by_hand:,} points given by hand.")
        moved = given + self.redeemed
        if self.reversed > LOOK_ABOVE_POINTS and self.reversed > LOOK_ABOVE_SHARE * moved:
            found.append(f"{self.reversed:,} points reversed, against {moved:,} given and redeemed.")
        return found


def liabilities(businesses: Iterable[Business]) -> list[Liability]:
    """What the businesses' programs have outstanding, in two queries."""
    programs = Program.objects.filter(business__in=businesses).select_related("business")
    rows: QuerySet[Any] = programs.annotate(
        card_count=Count("enrollments__card"),
        held=Sum("enrollments__card__points_held", default=0),
        owed=Sum("enrollments__card__points_owed", default=0),
    )
    buckets = _unspent_by_month(businesses)
    found = {row.pk: [_bucket(bucket, row) for bucket in buckets if bucket["program"] == row.pk] for row in rows}
    return [Liability(row, row.card_count, found[row.pk], row.held, row.owed) for row in rows]


def _unspent_by_month(businesses: Iterable[Business]) -> list[Any]:
    due = ExpressionWrapper(Q(expires_at__isnull=False, expires_at__lte=timezone.now()), models.BooleanField())
    rows = PointsLot.objects.unspent().filter(card__enrollment__program__business__in=businesses)
    grouped = rows.values(
        program=F("card__enrollment__program"), month=TruncMonth("expires_at", tzinfo=UTC), is_due=due
    ).annotate(points=Sum("remaining"))
    return list(grouped.order_by("program", "-is_due", F("month").asc(nulls_last=True)))


def _bucket(found: Any, program: Program) -> Bucket:
    month, points = found["month"], found["points"]
    worth = rules.discount_for(points, program.point_value)
    return Bucket(month.date() if month else None, bool(found["is_due"]), points, worth)


def movements(businesses: Iterable[Business], begins: datetime, ends: datetime) -> list[Movements]:
    """What each member of staff moved from `begins` to before `ends`, in three queries; what stands out comes first.

    Expiry and welcome points, which nobody decides, do not count.
    """
    period = PointsTransaction.objects.filter(business__in=businesses, created_at__gte=begins, created_at__lt=ends)
    rows = _with_order(period.exclude(operation_type__in=[Operation.EXPIRE, Operation.WELCOME]))
    summed: list[Any] = list(rows.values("staff_member").annotate(**SUMS).order_by("staff_member"))
    users = User.objects.in_bulk([row["staff_member"] for row in summed if row["staff_member"]])
    most = _most_on_one_card(rows)
    found = []
    for row in summed:
        staff = row.pop("staff_member")
        found.append(Movements(staff=users.get(staff), most_on_one_card=most.get(staff, 0), **row))
    return sorted(found, key=lambda row: (-len(row.signs), -row.by_hand, -row.order_points))


def _with_order(rows: QuerySet[PointsTransaction]) -> QuerySet[Any]:
    """Whether the row stands for an order, or for a visit where the rule of its day counted visits."""
    rate = [
        Cast(KT(f"operation_details__rule__{name}"), models.DecimalField(max_digits=20, decimal_places=4))
        for name in ("points_per_unit", "multiplier")
    ]
    is_visit = Q(operation_details__rule__earn_rule=Program.EarnRule.PER_VISIT, points_amount=Floor(rate[0] * rate[1]))
    has_total = ~Q(operation_details__order_total=None)
    return rows.alias(has_order=ExpressionWrapper(has_total | is_visit, models.BooleanField()))


def _most_on_one_card(rows: QuerySet[PointsTransaction]) -> dict[int | None, int]:
    """The most points that each member of staff gave to one card by hand."""
    each = rows.filter(BY_HAND).values_list("staff_member", "card").annotate(points=Sum("points_amount"))
    most: dict[int | None, int] = {}
    for staff, _card, points in each.order_by("points").iterator():
        most[staff] = points
    return most


def moved_since(businesses: Iterable[Business], midnight: datetime) -> tuple[int, int]:
    """Points earned and redeemed since then, without counting older rows."""
    # Named one by one, so that the index by business and time is used for all of them too.
    own = [business.pk for business in businesses]
    rows = PointsTransaction.objects.filter(business__in=own, created_at__gte=midnight)
    earned, redeemed = Q(operation_type__in=[Operation.EARN, Operation.WELCOME]), Q(operation_type=Operation.REDEEM)
    points = {"earned": earned, "redeemed": redeemed}
    sums = rows.aggregate(**{name: Sum("points_amount", filter=wanted, default=0) for name, wanted in points.items()})
    return sums["earned"], sums["redeemed"]


def cards_changing_tier(program: Program) -> int:
    """How many cards are not on the tier that their lifetime points reach by these tiers, which may not be saved."""
    steps = [When(total_points_earned__gte=tier.from_points, then=Value(tier.level)) for tier in program.ladder[::-1]]
    level = Case(*steps, default=Value(program.ladder[0].level))
    return LoyaltyCard.objects.filter(enrollment__program=program.pk).exclude(tier_level=level).count()


def outstanding(program: Program) -> int:
    """The points on all cards of the program."""
    cards = LoyaltyCard.objects.filter(enrollment__program=program.pk)
    return int(cards.aggregate(points=Sum("points_balance", default=0))["points"])
