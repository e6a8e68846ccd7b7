"""A customer's cards, all at once: what they hold, what runs out soon, what a level away is."""

from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from crm.models import Business
from loyalty.models import (
    Customer,
    Enrollment,
    LoyaltyCard,
    PointsHold,
    PointsLot,
    PointsTransaction,
    Program,
    rules,
)
from loyalty.selectors.accounts import Account, read_lots, settle, sides_of
from loyalty.selectors.words import money
from notifications.models import ApprovalRequest

SOON = timedelta(days=60)
LAST_LINES = 10
MOST_QUESTIONS = 50


@dataclass(frozen=True)
class Expiring:
    """The points that go next, and the day they go."""

    points: int
    day: date


@dataclass(frozen=True)
class Holding:
    """A card as its customer looks at it."""

    account: Account

    @property
    def card(self) -> LoyaltyCard:
        """With the sums of this moment."""
        return self.account.card

    @property
    def program(self) -> Program:
        """Whose card it is."""
        return self.account.program

    @property
    def worth(self) -> str:
        """The available points in money."""
        return money(self.account.worth, self.account.currency)

    @property
    def next_tier(self) -> rules.Tier | None:
        """The level above, if there is one."""
        earned = self.card.total_points_earned
        return next((tier for tier in self.program.ladder if tier.from_points > earned), None)

    @property
    def tier_span(self) -> int:
        """How many points lie between this level and the next."""
        following = self.next_tier
        return following.from_points - self.account.tier.from_points if following else 0

    @property
    def tier_done(self) -> int:
        """How many of them are earned."""
        return max(self.card.total_points_earned - self.account.tier.from_points, 0)

    @property
    def expiring(self) -> Expiring | None:
        """What goes next, if it goes soon."""
        days = [lot.expires_at.date() for lot in self.account.lots.values() if lot.expires_at and lot.remaining]
        first = min(days, default=None)
        if first is None or first > (self.account.now + SOON).date():
            return None
        lots = self.account.lots.values()
        return Expiring(sum(lot.remaining for lot in lots if lot.expires_at and lot.expires_at.date() == first), first)


def holdings_of(customer: Customer) -> list[Holding]:
    """Every card of the customer, those in use first, in the same few queries however many there are."""
    rows = LoyaltyCard.objects.complete().filter(enrollment__customer=customer)
    cards = list(rows.order_by(F("last_activity_at").desc(nulls_last=True), "-created_at", "id"))
    holdings = [Holding(account) for account in accounts_of(cards)]
    return sorted(holdings, key=lambda holding: not holding.account.is_enrolled)


def accounts_of(cards: Sequence[LoyaltyCard]) -> list[Account]:
    """As `account_of` for each, in two queries."""
    lots: dict[UUID, list[PointsLot]] = defaultdict(list)
    for lot in PointsLot.objects.unspent().filter(card__in=cards).in_spending_order():
        lots[lot.card_id].append(lot)
    holds: dict[UUID, list[PointsHold]] = defaultdict(list)
    for hold in PointsHold.objects.open().filter(card__in=cards).order_by("created_at"):
        holds[hold.card_id].append(hold)
    return [_account(card, lots[card.pk], holds[card.pk]) for card in cards]


def _account(card: LoyaltyCard, lots: list[PointsLot], holds: list[PointsHold]) -> Account:
    program, status = card.enrollment.program, card.enrollment.status
    currency, sides = program.business.currency, sides_of(card)
    account = Account(copy(card), program, status, currency, sides, read_lots(lots), holds, timezone.now())
    settle(account)
    return account


def last_lines(customer: Customer) -> list[PointsTransaction]:
    """What moved last on any of the cards."""
    rows = PointsTransaction.objects.filter(card__enrollment__customer=customer)
    return list(rows.select_related("card__enrollment__program", "business")[:LAST_LINES])


def open_questions(customer: Customer) -> list[ApprovalRequest]:
    """What businesses ask the customer and still can be answered, oldest first."""
    rows = ApprovalRequest.objects.filter(customer_id=customer.pk, status=ApprovalRequest.Status.PENDING)
    rows = rows.filter(expires_at__gt=timezone.now()).select_related("notification")
    return list(rows.order_by("created_at", "id")[:MOST_QUESTIONS])


def joinable_programs(customer: Customer, business: Business) -> list[Any]:
    """The active programs of the business that the customer is neither in nor asked to join."""
    taken = [Enrollment.Status.ACTIVE, Enrollment.Status.PENDING]
    inside = Enrollment.objects.filter(customer=customer, status__in=taken).values("program")
    rows = Program.objects.active().filter(business=business).exclude(pk__in=inside)
    return list(rows.select_related("business").order_by("-is_default", "name", "id"))


def line_in_words(row: PointsTransaction) -> str:
    """What a movement was, for the customer whose points they are; no names of staff, and no word they do not know."""
    details = row.operation_details
    said = [str(details["reason"])] if details.get("reason") else []
    for label, name in (("order", "order_total"), ("off", "discount")):
        if details.get(name) is not None:
            amount = money(Decimal(str(details[name])), row.business.currency)
            said.append(f"{amount} {label}")
    return ", ".join(said)
