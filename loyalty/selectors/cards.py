"""What pages, API and admin read of cards."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from crm.models import Business, User, normal_phone
from loyalty.models import (
    Customer,
    CustomerLoyaltyCards,
    LoyaltyCard,
    PointsTransaction,
    Program,
)

STATEMENT_DAYS = 90


@dataclass(frozen=True)
class Statement:
    """A card's lines between two days. What was there before and the lines add up to what was there after.

    Opening and closing are the balance less what is owed.
    """

    card: LoyaltyCard
    from_on: date
    to_on: date
    opening: int
    lines: list[PointsTransaction]
    closing: int


def find_card(
    business: Business, *, card: str = "", phone: str = "", program: Program | None = None
) -> LoyaltyCard | None:
    """A card of the business by its id or number, or by the customer's phone in the program, else in the default one.

    Raises ValidationError naming `phone` for what cannot be one.
    """
    rows = LoyaltyCard.objects.complete().filter(enrollment__program__business=business)
    if card:
        return rows.filter(id_or_number(card)).first()
    wanted = Q(enrollment__program=program) if program else Q(enrollment__program__is_default=True)
    return rows.filter(wanted, enrollment__customer__phone=phone_of(phone, business)).first()


def id_or_number(text: str) -> Q:
    """How a card is named: its id, or its number in any case and with spaces."""
    try:
        return Q(pk=UUID(text))
    except ValueError:
        return Q(card_number="".join(text.split()).upper())


def phone_of(text: str, business: Business) -> str:
    """Raises ValidationError naming `phone`."""
    try:
        phone = normal_phone(text, business.default_region)
    except ValidationError as error:
        raise ValidationError({"phone": error.messages}) from error
    if not phone:
        raise ValidationError({"phone": ["Enter a phone number."]})
    return phone


def cards_of(user: User, permission: str) -> QuerySet[LoyaltyCard]:
    """The cards that a member or staff see: those of their businesses."""
    rows = LoyaltyCard.objects.complete()
    return rows.filter(enrollment__program__business__in=Business.objects.visible_to(user, permission))


def search_cards(cards: QuerySet[LoyaltyCard], text: str, region: str = "GB") -> QuerySet[LoyaltyCard]:
    """By phone in any spelling, card number, or names."""
    for word in text[:200].split():
        by_name = Q(enrollment__customer__first_name__icontains=word) | Q(
            enrollment__customer__last_name__icontains=word
        )
        number = Q(card_number__istartswith=word) | Q(enrollment__customer__phone__contains=word.lstrip("0") or word)
        cards = cards.filter(by_name | number | _is_phone(text, region))
    return cards


def _is_phone(text: str, region: str) -> Q:
    try:
        return Q(enrollment__customer__phone=normal_phone(text, region) or None)
    except ValidationError:
        return Q(pk__in=[])


def statement_of(card: LoyaltyCard, from_on: date, to_on: date) -> Statement:
    """Both days included, in UTC. Raises ValidationError naming `from`."""
    if from_on > to_on:
        raise ValidationError({"from": ["Begin before the end."]})
    begins, ends = _midnight(from_on), _midnight(to_on + timedelta(days=1))
    rows = PointsTransaction.objects.filter(card=card).order_by("seq")
    before = rows.filter(created_at__lt=begins).last()
    opening = before.balance_after - before.owed_after if before else 0
    lines = list(rows.filter(created_at__gte=begins, created_at__lt=ends).select_related("staff_member"))
    return Statement(card, from_on, to_on, opening, lines, opening + sum(line.points_delta for line in lines))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def customer_dashboard(customer: Customer) -> list[CustomerLoyaltyCards]:
    """Every card of the customer's active programs, read from the view."""
    return list(CustomerLoyaltyCards.objects.filter(customer_id=customer.pk).order_by("business_name", "program_name"))
