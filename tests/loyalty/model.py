"""The points programs in the contract's words, without a database: every point is a thing of its own, and nothing is
kept that can be counted. Money is whole cents; rates, values and multipliers are whole ten-thousandths."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PARTS = 10_000
FREE, HELD, GONE, EXPIRED = "free", "held", "gone", "expired"


class RefusedError(Exception):
    """With the code of the refusal, or the name of the field."""


@dataclass
class Terms:
    """A program's settings, as they are now. None is no limit."""

    earn_rule: str = "per_amount"
    rate: int = PARTS
    min_order: int = 0
    expiry_days: int | None = None
    minimum: int = 1
    increment: int = 1
    value: int = 100
    percent: int = 100
    per_transaction: int | None = 10_000
    per_day: int | None = 50_000
    tiers: tuple[tuple[str, int, int], ...] = (("low", 0, PARTS), ("mid", 60, PARTS), ("high", 150, 2 * PARTS))
    is_active: bool = True

    def tier(self, earned: int) -> tuple[str, int]:
        """Level and multiplier at so many lifetime points."""
        level, _start, multiplier = max((tier for tier in self.tiers if tier[1] <= earned), key=lambda tier: tier[1])
        return level, multiplier


@dataclass(frozen=True)
class Rule:
    """What an order earned by on its day."""

    earn_rule: str
    rate: int
    multiplier: int
    min_order: int

    def points(self, cents: int | None) -> int:
        """For an order."""
        if cents is None and self.earn_rule != "per_visit":
            raise RefusedError("order_total")
        if cents is not None and cents < self.min_order:
            return 0
        if self.earn_rule == "per_amount":
            return (cents or 0) * self.rate * self.multiplier // (100 * PARTS * PARTS)
        return self.rate * self.multiplier // (PARTS * PARTS)


@dataclass(eq=False)
class Lot:
    """The points of one earning."""

    number: int
    expires_at: datetime | None
    points: list["Point"] = field(default_factory=list)


@dataclass(eq=False)
class Point:
    """One point, and where it is."""

    lot: Lot
    place: str = FREE


@dataclass(eq=False)
class Row:
    """One movement: new points have a lot, spent ones were taken in this order."""

    kind: str
    card: "Card"
    points: int
    at: datetime
    cents: int | None = None
    rule: Rule | None = None
    lot: Lot | None = None
    taken: list[Point] = field(default_factory=list)
    returned: int = 0
    refilled: int = 0
    parts: list[tuple[int, int]] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Whether it brought points."""
        return self.lot is not None

    @property
    def left(self) -> int:
        """What can still be reversed: expired points are gone."""
        expired = sum(point.place == EXPIRED for point in self.lot.points) if self.lot else 0
        return max(self.points - self.returned - expired, 0)


@dataclass(eq=False)
class Hold:
    """Points set aside."""

    card: "Card"
    points: list[Point]
    expires_at: datetime
    is_deduction: bool
    status: str = "open"


@dataclass(eq=False)
class Card:
    """One customer's points in one program."""

    business: str
    terms: Terms
    is_enrolled: bool = True
    owed: int = 0
    lots: list[Lot] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    def count(self, *places: str) -> int:
        """How many points are there."""
        return sum(point.place in places for lot in self.lots for point in lot.points)

    @property
    def balance(self) -> int:
        """What is still the customer's."""
        return self.count(FREE, HELD)

    @property
    def earned(self) -> int:
        """Over the whole life, without what was taken back."""
        return sum(row.points - row.returned for row in self.rows if row.is_new)

    @property
    def redeemed(self) -> int:
        """Over the whole life, without what was given back."""
        return sum(row.points - row.returned for row in self.rows if row.kind == "redeem")

    @property
    def tier(self) -> tuple[str, int]:
        """By lifetime points."""
        return self.terms.tier(self.earned)

    @property
    def rule(self) -> Rule:
        """What an order earns by now."""
        return Rule(self.terms.earn_rule, self.terms.rate, self.tier[1], self.terms.min_order)

    def free(self) -> list[Point]:
        """In spending order: soonest to expire, never-expiring last, oldest first among equals."""
        never = datetime.max.replace(tzinfo=UTC)
        order = sorted(self.lots, key=lambda lot: (lot.expires_at or never, lot.number))
        return [point for lot in order for point in lot.points if point.place == FREE]

    def pass_time(self, now: datetime) -> None:
        """Holds lapse, and what is free and late expires."""
        for hold in self.holds:
            if hold.status == "open" and hold.expires_at <= now:
                self.close(hold, "expired", now)
        for lot in self.lots:
            if lot.expires_at is not None and lot.expires_at <= now:
                move([point for point in lot.points if point.place == FREE], EXPIRED)

    def close(self, hold: Hold, status: str, now: datetime) -> None:
        """What it still holds is free, or expires at last."""
        hold.status = status
        move([point for point in hold.points if point.place == HELD], FREE)
        self.pass_time(now)

    # --- What may be done --------------------------------------------------------------------------------------------

    def check_open(self) -> None:
        """Program, then customer."""
        refuse(not self.terms.is_active, "program_inactive")
        self.check_enrolled()

    def check_enrolled(self) -> None:
        """Whether the customer takes part."""
        refuse(not self.is_enrolled, "not_enrolled")

    def check_limits(self, points: int, now: datetime) -> None:
        """Of one booking and of one UTC day."""
        most, a_day = self.terms.per_transaction, self.terms.per_day
        refuse(most is not None and points > most, "limit_exceeded")
        today = sum(
            row.points for row in self.rows if row.is_new and row.kind != "welcome" and row.at.date() == now.date()
        )
        refuse(a_day is not None and today + points > a_day, "limit_exceeded")

    def discount(self, points: int, cents: int | None) -> int:
        """In cents, if the redemption may be."""
        self.check_open()
        refuse(points < max(self.terms.minimum, 1), "below_minimum")
        refuse(points % max(self.terms.increment, 1) != 0, "not_a_multiple")
        refuse(points > self.count(FREE), "insufficient_points")
        discount = points * self.terms.value // 100
        refuse(cents is not None and discount * 100 > cents * self.terms.percent, "over_order_limit")
        return discount

    # --- What is done ------------------------------------------------------------------------------------------------

    def bring(self, kind: str, points: int, now: datetime, **known: object) -> Row:
        """New points pay what is owed first."""
        days = self.terms.expiry_days
        lot = Lot(len(self.lots), None if days is None else now + timedelta(days=days))
        lot.points = [Point(lot) for _ in range(points)]
        move(lot.points[: self.pay(points)], GONE)
        self.lots.append(lot)
        return self.add(Row(kind, self, points, now, lot=lot, **known))  # type: ignore[arg-type]

    def spend(self, kind: str, points: list[Point], now: datetime, cents: int | None = None) -> Row:
        """These points are gone."""
        move(points, GONE)
        return self.add(Row(kind, self, len(points), now, cents=cents, taken=points))

    def pay(self, points: int) -> int:
        """How many of them the debt swallows."""
        paid = min(self.owed, points)
        self.owed -= paid
        return paid

    def add(self, row: Row) -> Row:
        """To the ledger."""
        self.rows.append(row)
        return row

    def reverse(self, row: Row, points: int | None, cents: int | None, now: datetime) -> Row:
        """Points, a part of the order, or the rest."""
        refuse(row.left == 0, "already_reversed")
        refuse(points == 0, "points")
        wanted = row.left if points is None else points
        if cents is not None:
            wanted = self.points_for_part(row, cents)
        refuse(wanted > row.left, "limit_exceeded")
        if cents is not None:
            row.parts.append((wanted, cents))
        if row.lot is not None:
            self.take_back(row.lot, wanted)
        else:
            back = row.taken[::-1][row.refilled :][: wanted - self.pay(wanted)]
            move(back, FREE)
            row.refilled += len(back)
            self.pass_time(now)
        row.returned += wanted
        return self.add(Row("reverse", self, 0, now))

    def points_for_part(self, row: Row, cents: int) -> int:
        """Parts that add up to the order add up to its points."""
        if row.cents is None:
            raise RefusedError("amount")
        part = sum(cents for _points, cents in row.parts) + cents
        refuse(part > row.cents, "limit_exceeded")
        upto = row.points * part // row.cents if row.cents else row.points
        return max(upto - sum(points for points, _cents in row.parts), 0)

    def take_back(self, own: Lot, points: int) -> None:
        """From its own lot, then the others; never what is held; what is not there is owed."""
        free = sorted(self.free(), key=lambda point: point.lot is not own)[:points]
        move(free, GONE)
        self.owed += points - len(free)


def move(points: list[Point], place: str) -> None:
    """All of them."""
    for point in points:
        point.place = place


def refuse(is_broken: bool, code: str) -> None:
    """If a rule is broken."""
    if is_broken:
        raise RefusedError(code)
