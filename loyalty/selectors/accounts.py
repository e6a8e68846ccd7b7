"""A card as it stands at this moment: what is expired or lapsed counts as gone, whether or not it is booked yet."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from loyalty.models import Enrollment, LoyaltyCard, PointsHold, PointsLot, Program, rules


def columns(model: type[Model], alias: str) -> str:
    """A model's columns, as SQL names them: `*` would break prepared statements when a migration adds one."""
    return ", ".join(f"{alias}.{field.column}" for field in model._meta.concrete_fields)


# Written out, because every movement of points reads it: composing takes the ORM longer than running the database.
UNSPENT_LOTS = (
    f"SELECT {columns(PointsLot, 'lot')} FROM loyalty_pointslot lot "  # noqa: S608 - names of columns only
    "WHERE lot.card_id = %s AND lot.remaining > 0 ORDER BY lot.expires_at ASC NULLS LAST, lot.id"
)


@dataclass
class Settlement:
    """What time has done to a card since the last booking: holds that lapsed, and points that expired."""

    lapsed: list[PointsHold]
    expired: rules.Takings


@dataclass(frozen=True)
class Sides:
    """Whose card it is and where: as much as is told of a movement."""

    customer: UUID
    email: str
    business: str


@dataclass
class Account:
    """A card with its program, its unspent lots in spending order, and its open holds. Sums are those of `card`."""

    card: LoyaltyCard
    program: Program
    status: str
    currency: str
    sides: Sides
    lots: dict[int, rules.Lot]
    holds: list[PointsHold]
    now: datetime

    @property
    def is_enrolled(self) -> bool:
        """Whether the customer takes part at the moment."""
        return self.status == Enrollment.Status.ACTIVE

    @property
    def available(self) -> int:
        """What may be spent now."""
        return self.card.points_balance - self.card.points_held

    @property
    def tier(self) -> rules.Tier:
        """The level that the lifetime points reach."""
        return rules.tier_for(self.card.total_points_earned, self.program.ladder)

    @property
    def points_to_next_tier(self) -> int:
        """0 at the top."""
        return rules.points_to_next_tier(self.card.total_points_earned, self.program.ladder)

    @property
    def worth(self) -> Decimal:
        """What the available points are worth in money."""
        return rules.discount_for(self.available, self.program.point_value)


def account_of(card: LoyaltyCard) -> Account:
    """The card as it stands now. Reads only; `card` itself stays as it is, and needs its program (`complete()`)."""
    program, status = card.enrollment.program, card.enrollment.status
    account = read_account(copy(card), program, status, program.business.currency, sides_of(card))
    settle(account)
    return account


def sides_of(card: LoyaltyCard) -> Sides:
    """Of a card that is `complete()`."""
    customer = card.enrollment.customer
    return Sides(customer.pk, customer.email, card.enrollment.program.business.name)


def read_account(card: LoyaltyCard, program: Program, status: str, currency: str, sides: Sides) -> Account:
    """The card as it is booked."""
    lots = read_lots(PointsLot.objects.raw(UNSPENT_LOTS, [_id(card)])) if card.points_balance else {}
    holds = list(PointsHold.objects.open().filter(card=card).order_by("created_at")) if card.points_held else []
    return Account(card, program, status, currency, sides, lots, holds, timezone.now())


def read_lots(rows: Iterable[PointsLot]) -> dict[int, rules.Lot]:
    """Lots by id, in the order they come."""
    return {row.pk: rules.Lot(row.pk, row.remaining, row.held, row.expired, row.expires_at) for row in rows}


def _id(card: LoyaltyCard) -> object:
    return LoyaltyCard._meta.pk.get_db_prep_value(card.pk, connection)


def settle(account: Account) -> Settlement:
    """Let time have its effect, in memory: lapsed holds give back, then what is free and late expires."""
    lapsed = [hold for hold in account.holds if hold.expires_at <= account.now]
    for hold in lapsed:
        let_go(account, hold.takings)
        account.holds.remove(hold)
    return Settlement(lapsed, expire(account))


def let_go(account: Account, takings: rules.Takings) -> None:
    """Held points are free again."""
    for lot, points in takings:
        account.lots[lot].held -= points
    account.card.points_held -= rules.total(takings)


def expire(account: Account) -> rules.Takings:
    """Take what is free in lots whose time is over; what is held there waits until its hold closes."""
    late = [lot for lot in account.lots.values() if lot.expires_at is not None and lot.expires_at <= account.now]
    takings = rules.pick(sum(lot.free for lot in late), late)
    for lot, points in takings:
        account.lots[lot].remaining -= points
        account.lots[lot].expired += points
    account.card.points_balance -= rules.total(takings)
    return takings
