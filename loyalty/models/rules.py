"""The arithmetic of points, one pure function a rule: points are whole numbers, money is decimal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

CENT = Decimal("0.01")
# More than any till sells at once, and far from what a column can hold.
MOST_POINTS = 1_000_000_000


@dataclass(frozen=True)
class Tier:
    """A level, the lifetime points it begins at, and what earning is multiplied by."""

    level: str
    from_points: int
    multiplier: Decimal


@dataclass
class Lot:
    """What is left of one earning, how much of that is held, and how much of it has expired."""

    id: int
    remaining: int
    held: int
    expired: int
    expires_at: datetime | None

    @property
    def free(self) -> int:
        """What may be spent."""
        return self.remaining - self.held


# Lots in the order they were taken from, with the points taken: as it stands on the ledger row.
Takings = list[tuple[int, int]]


def read_tiers(tiers: Iterable[Mapping[str, Any]]) -> list[Tier]:
    """A program's tiers as they are stored, lowest first."""
    return [Tier(tier["level"], tier["from_points"], Decimal(str(tier["multiplier"]))) for tier in tiers]


def tier_for(total_earned: int, tiers: Sequence[Tier]) -> Tier:
    """The highest tier that the lifetime points reach; the lowest below all of them."""
    reached = [tier for tier in tiers if tier.from_points <= total_earned]
    return reached[-1] if reached else tiers[0]


def points_to_next_tier(total_earned: int, tiers: Sequence[Tier]) -> int:
    """How many more make the next tier; 0 at the top."""
    return min((tier.from_points - total_earned for tier in tiers if tier.from_points > total_earned), default=0)


def points_for_order(
    rule: str, order_total: Decimal | None, *, points_per_unit: Decimal, min_order: Decimal, multiplier: Decimal
) -> int:
    """What an order earns: nothing below the minimum, else rounded down once, at the end.

    `per_amount` counts every unit of money, `per_visit` and `fixed` give the same for any order.
    """
    if order_total is not None and order_total < min_order:
        return 0
    units = (order_total or Decimal(0)) if rule == "per_amount" else Decimal(1)
    return int((units * points_per_unit * multiplier).to_integral_value(ROUND_DOWN))


def discount_for(points: int, point_value: Decimal) -> Decimal:
    """What the points are worth, rounded down to the cent."""
    return (points * point_value).quantize(CENT, ROUND_DOWN)


def discount_limit(order_total: Decimal, max_percent: int) -> Decimal:
    """The largest discount on an order: its share that points may pay, never more than the order."""
    return order_total * min(max_percent, 100) / 100


def most_redeemable(points: int, *, minimum: int, increment: int, point_value: Decimal, limit: Decimal | None) -> int:
    """The most of these points that a redemption may take, or 0 when none is possible."""
    step = max(increment, 1)
    if limit is not None and point_value > 0:
        # The discount rounds down, so that the largest sum it still covers is one step short of the next cent.
        points = min(points, _points_below(limit.quantize(CENT, ROUND_DOWN) + CENT, point_value))
    most = points // step * step
    return most if most >= max(minimum, 1) else 0


def _points_below(discount: Decimal, point_value: Decimal) -> int:
    """The most points that are worth less than the discount."""
    whole = int((discount / point_value).to_integral_value(ROUND_DOWN))
    return whole - 1 if whole * point_value == discount else whole


def points_for_part(points: int, order_total: Decimal, part: Decimal) -> int:
    """The points that stand for a part of an order, rounded down; the whole order stands for all."""
    return int((points * part / order_total).to_integral_value(ROUND_DOWN)) if order_total else points


def pick(points: int, lots: Iterable[Lot]) -> Takings:
    """Where points would come from: the free part of the lots, in order, as far as there is one."""
    takings = []
    for lot in lots:
        taken = min(points, lot.free)
        if taken > 0:
            points -= taken
            takings.append((lot.id, taken))
    return takings


def part_of(takings: Takings, skip: int, points: int) -> Takings:
    """The `points` that follow the first `skip` of the takings, in the same order."""
    parts = []
    for lot, taken in takings:
        passed = min(skip, taken)
        part = min(points, taken - passed)
        skip -= passed
        points -= part
        if part:
            parts.append((lot, part))
    return parts


def given_back(takings: Takings, already: int, points: int) -> Takings:
    """Which lots `points` return to when `already` have returned: last taken from, first refilled."""
    return part_of(takings[::-1], already, points)


def total(takings: Takings) -> int:
    """The points of all takings."""
    return sum(points for _lot, points in takings)
