"""Somebody at work on one card: who may do what to it, and how it stands."""

from copy import copy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import phonenumbers
from django.db.models import Sum
from django.utils import timezone

from crm.models import Business, User
from loyalty import selectors, services
from loyalty.models import LoyaltyCard, PointsTransaction, Program, RewardTier
from loyalty.selectors import Account

LINES = 10
MOST_REWARDS = 6
Operation = PointsTransaction.Operation


@dataclass(frozen=True)
class Desk:
    """A user and the card that lies before them; `original` is the row that is to be reversed."""

    user: User
    card: LoyaltyCard
    original: PointsTransaction | None = None

    @property
    def program(self) -> Program:
        """The card's."""
        return self.card.enrollment.program

    @property
    def business(self) -> Business:
        """The card's."""
        return self.program.business

    @property
    def card_as_booked(self) -> LoyaltyCard:
        """A card to hand to what settles it in memory, once."""
        return copy(self.card)

    def money(self, amount: Decimal) -> str:
        """In the business's currency."""
        return selectors.money(amount, self.business.currency)

    def note_on(self, row: PointsTransaction) -> str:
        """What a row says beside its points: the reason, the order, the reference."""
        details = row.operation_details
        discount, total = (Decimal(details.get(name) or 0) for name in ("discount", "order_total"))
        parts = [details.get("reason") or "", row.transaction_reference or ""]
        if total:
            parts.insert(0, f"order of {self.money(total)}")
        if row.operation_type == Operation.REDEEM:
            parts.insert(0, f"{self.money(discount)} off")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Line:
    """A row of the ledger as a till shows it: `left` could still be reversed."""

    row: PointsTransaction
    points: str
    balance: str
    note: str
    left: int


def standing_of(desk: Desk, order_total: Decimal | None) -> dict[str, Any]:
    """What a till shows of the card as it stands now. In a constant number of queries."""
    account = selectors.account_of(desk.card_as_booked)
    customer = desk.card.enrollment.customer
    rewards = desk.program.rewards.filter(points_required__lte=account.available).order_by("-points_required", "-id")
    return {
        "card": account.card,
        "account": account,
        "customer": customer,
        "program": desk.program,
        "phone": phone_for_display(customer.phone),
        "available": f"{account.available:,}",
        "held": f"{account.card.points_held:,}" if account.card.points_held else "",
        "worth": desk.money(account.worth),
        "facts": _facts(account),
        "tier": _tier(account),
        "quick": _quick(account, list(rewards[:MOST_REWARDS]), order_total),
        "lines": lines_of(desk),
        "siblings": _siblings(desk),
    }


def _quick(account: Account, rewards: list[RewardTier], order_total: Decimal | None) -> list[tuple[int, str, str]]:
    """Sums to redeem at once: what the points reach, and the most that is possible."""
    reached = [(reward.points_required, reward.reward) for reward in reversed(rewards)]
    most = services.most_redeemable(account, order_total)
    return [(points, f"{points:,}", label) for points, label in [*reached, (most, "Most possible")] if points]


def _facts(account: Account) -> list[tuple[str, str]]:
    """What there is beside the points to spend."""
    card, next_loss = account.card, expiring_next(account)
    facts = [("Balance", f"{card.points_balance:,}")]
    if card.points_held:
        facts.append(("Held", f"{card.points_held:,}"))
    if card.points_owed:
        facts.append(("Owed", f"{card.points_owed:,}, paid by the next points"))
    if next_loss is not None:
        points, day = next_loss
        facts.append(("Expiring", f"{points:,} on {day:%-d %b %Y}"))
    return facts


def signed(points: int) -> str:
    """`+25`, `−200`."""
    return f"{points:+,}".replace("-", "\N{MINUS SIGN}")


def phone_for_display(phone: str | None) -> str:
    """`+44 7306 506797`."""
    if not phone:
        return "–"
    return phonenumbers.format_number(phonenumbers.parse(phone), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def expiring_next(account: Account) -> tuple[int, date] | None:
    """How many points expire on the next day that any do."""
    days = [(timezone.localdate(lot.expires_at), lot.remaining) for lot in account.lots.values() if lot.expires_at]
    first = min((day for day, points in days if points), default=None)
    return None if first is None else (sum(points for day, points in days if day == first), first)


def _tier(account: Account) -> dict[str, Any]:
    """The level, and how far it is to the next."""
    tier, earned = account.tier, account.card.total_points_earned
    following = next((level for level in account.program.ladder if level.from_points > earned), None)
    if following is None:
        return {"level": tier.level}
    steps = {"done": max(earned - tier.from_points, 0), "all": following.from_points - tier.from_points}
    return {"level": tier.level, "next": following.level, "to_next": f"{account.points_to_next_tier:,}", **steps}


def _siblings(desk: Desk) -> list[LoyaltyCard]:
    """The customer's cards in this business, the default program's first, if there are several."""
    cards = LoyaltyCard.objects.complete().filter(
        enrollment__customer=desk.card.enrollment.customer_id, enrollment__program__business=desk.business
    )
    found = list(cards.order_by("-enrollment__program__is_default", "enrollment__program__name"))
    return found if len(found) > 1 else []


def lines_of(desk: Desk) -> list[Line]:
    """The last rows, newest first."""
    rows = PointsTransaction.objects.filter(card=desk.card).select_related("staff_member", "lot").order_by("-seq")
    last = list(rows[:LINES])
    parts = PointsTransaction.objects.filter(reverses__in=last).order_by().values_list("reverses")
    already = dict(parts.annotate(sum=Sum("points_amount")))
    return [
        Line(
            row,
            signed(row.points_delta),
            f"{row.balance_after:,}",
            desk.note_on(row),
            _left(row, already.get(row.pk, 0)),
        )
        for row in last
    ]


def _left(row: PointsTransaction, already: int) -> int:
    """What could still be reversed, as the service will say; what has expired is gone."""
    if row.operation_type in (Operation.EXPIRE, Operation.REVERSE):
        return 0
    expired = row.lot.expired if row.points_delta > 0 else 0
    return max(row.points_amount - expired - already, 0)
