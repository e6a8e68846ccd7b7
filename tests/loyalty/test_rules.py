"""The arithmetic of points, each rule beside a second formulation: whole cents, fractions, or points one by one."""

from bisect import bisect_right
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, pairwise
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.models import rules
from loyalty.models.programs import default_tiers

MANY = settings(max_examples=200, deadline=None, derandomize=True)
CENTS = st.integers(0, 99_999_999).map(lambda cents: Decimal(cents) / 100)
RATES = st.integers(0, 99_999_999).map(lambda parts: Decimal(parts) / 10_000)
SMALL = st.integers(0, 40)
TIERS = st.lists(st.integers(1, 9_999), max_size=6, unique=True).map(
    lambda starts: [rules.Tier(f"level {start}", start, Decimal(1)) for start in [0, *sorted(starts)]]
)
LOTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=6).map(
    lambda pairs: [rules.Lot(number, sum(pair), pair[1], 0, None) for number, pair in enumerate(pairs)]
)
TAKINGS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), max_size=6)


def order(total: str, *, per_unit: str = "1", min_order: str = "0", multiplier: str = "1") -> int:
    """What an order of this total earns for each unit of money."""
    return rules.points_for_order(
        "per_amount",
        Decimal(total),
        points_per_unit=Decimal(per_unit),
        min_order=Decimal(min_order),
        multiplier=Decimal(multiplier),
    )


def one_by_one(takings: rules.Takings) -> list[int]:
    """Each point alone: the lot it came from."""
    return [lot for lot, points in takings for _ in range(points)]


@pytest.mark.parametrize(
    ("total", "program", "points"),
    [
        ("25.50", {}, 25),
        ("4.99", {"min_order": "5"}, 0),
        ("5.00", {"min_order": "5"}, 5),
        ("25.50", {"multiplier": "1.5"}, 38),
        ("25.50", {"per_unit": "0"}, 0),
        ("25.50", {"multiplier": "0"}, 0),
        ("0.99", {}, 0),
        ("0", {}, 0),
        ("0.10", {"per_unit": "10"}, 1),
        # 0.29 * 100 is 28.999… in binary.
        ("0.29", {"per_unit": "100"}, 29),
    ],
)
def test_order_earns_by_the_unit_rounded_down_once(total: str, program: dict[str, str], points: int) -> None:
    assert order(total, **program) == points


@MANY
@given(total=CENTS, rate=RATES, least=CENTS, multiplier=RATES)
def test_order_earns_the_whole_part_of_the_product(
    total: Decimal, rate: Decimal, least: Decimal, multiplier: Decimal
) -> None:
    product = Fraction(total) * Fraction(rate) * Fraction(multiplier)
    wanted = floor(product) if Fraction(total) >= Fraction(least) else 0
    asked = {"points_per_unit": rate, "min_order": least, "multiplier": multiplier}
    assert rules.points_for_order("per_amount", total, **asked) == wanted


@MANY
@given(rule=st.sampled_from(["per_visit", "fixed"]), total=CENTS, rate=RATES, least=CENTS, multiplier=RATES)
def test_visit_and_order_earn_the_same_whatever_is_spent(
    rule: str, total: Decimal, rate: Decimal, least: Decimal, multiplier: Decimal
) -> None:
    asked = {"points_per_unit": rate, "min_order": least, "multiplier": multiplier}
    each = floor(Fraction(rate) * Fraction(multiplier))
    assert rules.points_for_order(rule, total, **asked) == (each if total >= least else 0)
    assert rules.points_for_order("per_visit", None, **asked) == each


@pytest.mark.parametrize(
    ("points", "value", "discount"),
    [
        (200, "0.01", "2.00"),
        (1, "0.0099", "0.00"),
        (199, "0.005", "0.99"),
        (0, "0.01", "0.00"),
        (500, "0", "0.00"),
        (3, "0.3333", "0.99"),
    ],
)
def test_discount_rounds_down_to_the_cent(points: int, value: str, discount: str) -> None:
    assert rules.discount_for(points, Decimal(value)) == Decimal(discount)


@MANY
@given(points=st.integers(0, rules.MOST_POINTS), value=RATES)
def test_discount_is_whole_cents_and_never_more_than_the_points_are_worth(points: int, value: Decimal) -> None:
    discount = rules.discount_for(points, value)
    assert discount.as_tuple().exponent == -2
    assert Fraction(discount) * 100 == floor(Fraction(value) * points * 100)


@pytest.mark.parametrize(
    ("total", "percent", "limit"), [("25", 50, "12.5"), ("25.50", 100, "25.5"), ("25", 0, "0"), ("0", 100, "0")]
)
def test_discount_is_limited_to_a_share_of_the_order(total: str, percent: int, limit: str) -> None:
    assert rules.discount_limit(Decimal(total), percent) == Decimal(limit)


@MANY
@given(total=CENTS, percent=st.integers(0, 200))
def test_discount_limit_is_exact_and_never_above_the_order(total: Decimal, percent: int) -> None:
    wanted = min(Fraction(total) * percent / 100, Fraction(total))
    assert Fraction(rules.discount_limit(total, percent)) == wanted


@MANY
@given(
    points=st.integers(0, 300),
    minimum=st.integers(0, 60),
    increment=st.integers(0, 30),
    parts=st.integers(0, 3_000),
    cents=st.none() | st.integers(0, 2_000),
    percent=st.integers(0, 100),
)
def test_most_redeemable_is_the_most_of_all_that_the_rules_let_through(
    points: int, minimum: int, increment: int, parts: int, cents: int | None, percent: int
) -> None:
    value = Decimal(parts) / 10_000
    limit = None if cents is None else rules.discount_limit(Decimal(cents) / 100, percent)
    possible = [
        wanted
        for wanted in range(1, points + 1)
        if wanted >= minimum
        and wanted % (increment or 1) == 0
        and (limit is None or floor(Fraction(value) * wanted * 100) <= Fraction(limit) * 100)
    ]
    found = rules.most_redeemable(points, minimum=minimum, increment=increment, point_value=value, limit=limit)
    assert found == max(possible, default=0)


@MANY
@given(earned=st.integers(0, 12_000), tiers=TIERS)
def test_tier_is_the_last_step_that_the_lifetime_points_reach(earned: int, tiers: list[rules.Tier]) -> None:
    starts = [tier.from_points for tier in tiers]
    place = bisect_right(starts, earned)
    assert rules.tier_for(earned, tiers) == tiers[place - 1]
    wanted = starts[place] - earned if place < len(starts) else 0
    assert rules.points_to_next_tier(earned, tiers) == wanted


@pytest.mark.parametrize(
    ("earned", "level", "missing"),
    [(0, "bronze", 500), (499, "bronze", 1), (500, "silver", 1000), (1500, "gold", 1500), (3000, "platinum", 2000)]
    + [(4999, "platinum", 1), (5000, "diamond", 0), (900_000, "diamond", 0)],
)
def test_default_tiers(earned: int, level: str, missing: int) -> None:
    tiers = rules.read_tiers(default_tiers())
    assert rules.tier_for(earned, tiers) == rules.Tier(level, tiers_start(level), Decimal(1))
    assert rules.points_to_next_tier(earned, tiers) == missing


def tiers_start(level: str) -> int:
    return {"bronze": 0, "silver": 500, "gold": 1500, "platinum": 3000, "diamond": 5000}[level]


def test_three_thirds_of_hundred_points_are_33_33_and_34() -> None:
    upto = [rules.points_for_part(100, Decimal("100.00"), Decimal(part)) for part in ("33.33", "66.66", "100.00")]
    assert [after - before for before, after in pairwise([0, *upto])] == [33, 33, 34]


@MANY
@given(points=st.integers(0, rules.MOST_POINTS), cents=st.lists(st.integers(0, 99_999_999), min_size=1, max_size=8))
def test_parts_that_add_to_the_order_add_to_the_points(points: int, cents: list[int]) -> None:
    total = Decimal(sum(cents)) / 100
    upto = [rules.points_for_part(points, total, Decimal(part) / 100) for part in accumulate(cents)]
    assert upto[-1] == points
    assert upto == sorted(upto)
    if total:
        assert upto == [points * part // sum(cents) for part in accumulate(cents)]


@MANY
@given(points=SMALL, lots=LOTS)
def test_pick_takes_the_free_points_one_by_one_in_order(points: int, lots: list[rules.Lot]) -> None:
    before = [replace(lot) for lot in lots]
    free = [lot.id for lot in lots for _ in range(lot.remaining - lot.held)]
    takings = rules.pick(points, lots)
    assert one_by_one(takings) == free[:points]
    assert [lot for lot, _points in takings] == sorted({lot for lot, _points in takings})
    assert rules.total(takings) == min(points, len(free))
    assert lots == before


@MANY
@given(takings=TAKINGS, skip=SMALL, points=SMALL)
def test_part_of_takings_is_a_slice_of_the_points(takings: rules.Takings, skip: int, points: int) -> None:
    part = rules.part_of(takings, skip, points)
    assert one_by_one(part) == one_by_one(takings)[skip : skip + points]
    assert all(taken > 0 for _lot, taken in part)


@MANY
@given(takings=TAKINGS, steps=st.lists(st.integers(0, 8), max_size=8))
def test_what_was_taken_last_is_given_back_first(takings: rules.Takings, steps: list[int]) -> None:
    stack, already = one_by_one(takings), 0
    for step in steps:
        returned = rules.given_back(takings, already, step)
        assert one_by_one(returned) == [stack.pop() for _ in range(min(step, len(stack)))]
        already += step
