"""The customers of a business: each once, whatever the number of programs, with what is booked on all their cards."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from crm.models import Business
from loyalty.models import Customer, CustomerInteraction, Enrollment, LoyaltyCard, rules
from loyalty.selectors.cards import search_cards
from notifications.models import Change
from notifications.selectors import MOST_CHANGES, START, read_place

ACTIVE = Enrollment.Status.ACTIVE
# What moves a customer's row.
ENTITIES = ("customer", "enrollment", "card")
SEARCHED = 100
NEW_FOR = timedelta(days=7)
ORDERINGS: dict[str, tuple[Any, ...]] = {
    "name": (Lower("last_name"), Lower("first_name")),
    "points_balance": (F("points_balance"),),
    "total_points_earned": (F("total_points_earned"),),
    "total_points_redeemed": (F("total_points_redeemed"),),
    "programs": (F("programs"),),
    "joined_at": (F("joined_at"),),
    "updated_at": (F("seen_at"),),
}


@dataclass(frozen=True)
class Totals:
    """A business in four figures. What the points are worth goes by each program's own value of a point."""

    customers: int
    joined: int
    points: int
    worth: Decimal


def customers_of(business: Business, q: str = "") -> QuerySet[Any]:
    """Customers who take part in at least one program, in no order, each with the sums over their active cards there.

    `tier_level` is that of the default program's card, else of the one that earned most; `seen_at` the last activity,
    else when they joined. `q` is a phone in any spelling, a card number, or a part of a name or address.
    """
    rows = Customer.objects.filter(enrollments__status=ACTIVE, enrollments__program__business=business)
    if q:
        rows = rows.filter(_looks_like(q[:SEARCHED], business))
    first = _cards(business).filter(enrollment__customer=OuterRef("pk"))
    first = first.order_by("-enrollment__program__is_default", "-total_points_earned", "id")
    card = "enrollments__card__"
    return rows.annotate(
        points_balance=Sum(f"{card}points_balance"),
        total_points_earned=Sum(f"{card}total_points_earned"),
        total_points_redeemed=Sum(f"{card}total_points_redeemed"),
        programs=Count("enrollments"),
        joined_at=Min("enrollments__activated_at"),
        seen_at=Max(Coalesce(f"{card}last_activity_at", "enrollments__activated_at")),
        tier_level=Subquery(first.values("tier_level")[:1]),
    ).order_by()


def in_order(customers: QuerySet[Any], ordering: str) -> QuerySet[Any]:
    """By one of ORDERINGS, with a minus downwards; whoever was active last comes first for any other."""
    keys = ORDERINGS.get(ordering.removeprefix("-"))
    if keys is None:
        return customers.order_by("-seen_at", "pk")
    return customers.order_by(*(key.desc() if ordering.startswith("-") else key.asc() for key in keys), "pk")


def _cards(business: Business) -> QuerySet[LoyaltyCard]:
    """The cards of those who take part."""
    return LoyaltyCard.objects.filter(enrollment__program__business=business, enrollment__status=ACTIVE)


def _looks_like(text: str, business: Business) -> Q:
    cards = search_cards(_cards(business), text, business.default_region)
    return Q(pk__in=cards.order_by().values("enrollment__customer")) | Q(email__contains=text.strip().lower())


def totals_of(business: Business) -> Totals:
    """In two queries."""
    enrolled = Enrollment.objects.active().filter(program__business=business).order_by()
    people: Any = enrolled.values("customer").annotate(joined_at=Min("activated_at"))
    new = Q(joined_at__gte=timezone.now() - NEW_FOR)
    counted = people.aggregate(customers=Count("customer"), joined=Count("customer", filter=new))
    by_value: Any = _cards(business).order_by().values_list("enrollment__program", "enrollment__program__point_value")
    sums = [(points, value) for _program, value, points in by_value.annotate(points=Sum("points_balance"))]
    worth = sum((rules.discount_for(points, value) for points, value in sums), Decimal("0.00"))
    return Totals(points=sum(points for points, _value in sums), worth=worth, **counted)


def place_of(business: Business) -> str:
    """Where the change feed of a business ends now. Read it before the rows, so that no change falls between."""
    last = _changes(business).order_by("-tx", "-id").values_list("tx", "id").first()
    return f"{last[0]}.{last[1]}" if last else START


def changed_customers(business: Business, after: str) -> tuple[set[UUID], str]:
    """Whose rows have moved since that place, and where to go on: after MOST_CHANGES of them there may be more.

    In one query. Raises ValidationError naming `after`.
    """
    rows = list(_changes(business).after(*read_place(after)).values_list("tx", "id", "customer_id")[:MOST_CHANGES])
    return {customer for _tx, _number, customer in rows}, f"{rows[-1][0]}.{rows[-1][1]}" if rows else after


def _changes(business: Business) -> Any:
    return Change.objects.settled().filter(business_id=business.pk, customer_id__isnull=False, entity__in=ENTITIES)


def gone_from(business: Business, customers: Collection[UUID]) -> list[UUID]:
    """Those of the customers who took part in the business once and do so no more."""
    enrollments = Enrollment.objects.filter(program__business=business, customer__in=customers)
    here = enrollments.active().values("customer")
    once = enrollments.filter(activated_at__isnull=False).exclude(customer__in=here)
    return sorted(set(once.values_list("customer", flat=True)))


def interactions_of(business: Business, most: int) -> list[CustomerInteraction]:
    """What a business and its customers had to do with each other last, newest first."""
    rows = CustomerInteraction.objects.filter(business=business).select_related("customer", "by")
    return list(rows.order_by("-created_at", "-pk")[:most])
