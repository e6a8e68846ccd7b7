"""Programs: the default one, their limits, and what a change of tiers does."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import services
from loyalty.models import LoyaltyCard, Program
from loyalty.services import add_program, change_program
from tests import builders
from tests.loyalty.test_ledger import earn, redeem, switch


@pytest.fixture(autouse=True)
def books_agree(db: None) -> Iterator[None]:
    """Whatever a test did, the ledger proves."""
    yield
    assert services.verify_ledger() is None


def defaults() -> list[str]:
    return list(Program.objects.filter(is_default=True).order_by("name").values_list("name", flat=True))


def ladder(*steps: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"level": level, "from_points": points, "multiplier": "1"} for level, points in steps]


def level(card: LoyaltyCard) -> str:
    return LoyaltyCard.objects.get(pk=card.pk).tier_level


def test_program_begins_with_the_settings_of_the_contract() -> None:
    program = Program.objects.get(pk=add_program(builders.business(), name="Main").pk)
    assert (program.earn_rule, program.points_per_unit) == ("per_amount", Decimal(1))
    assert (program.min_order, program.welcome_points, program.expiry_days) == (Decimal(0), 0, None)
    assert (program.redemption_minimum, program.redemption_increment) == (1, 1)
    assert (program.point_value, program.max_redeem_percent) == (Decimal("0.01"), 100)
    assert (program.scan_points, program.scan_cooldown_minutes) == (10, 60)
    assert (program.max_points_per_transaction, program.max_points_per_day) == (10_000, 50_000)
    assert (program.is_active, program.is_default, program.deduction_needs_approval) == (True, True, True)
    steps = [("bronze", 0), ("silver", 500), ("gold", 1500), ("platinum", 3000), ("diamond", 5000)]
    assert program.tiers == ladder(*steps)


def test_first_program_of_a_business_is_its_default() -> None:
    for slug in ("one", "two"):
        for name in ("a", "b"):
            add_program(builders.business(slug), name=f"{slug} {name}")
    assert defaults() == ["one a", "two a"]


def test_default_moves_and_is_never_missing() -> None:
    first = add_program(builders.business(), name="a")
    second = add_program(builders.business(), name="b", is_default=True)
    assert defaults() == ["b"]
    change_program(first, is_default=True)
    assert defaults() == ["a"]
    change_program(first, is_default=False)
    assert defaults() == ["a"]
    change_program(second, is_default=True)
    change_program(first, name="c")
    assert defaults() == ["b"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points_per_unit", Decimal(-1)),
        ("min_order", Decimal("-0.01")),
        ("expiry_days", 0),
        ("welcome_points", -1),
        ("welcome_points", 1_000_000_001),
        ("redemption_minimum", -1),
        ("point_value", Decimal(-1)),
        ("max_redeem_percent", 101),
        ("max_points_per_day", -1),
        ("earn_rule", "per_moon"),
        ("name", ""),
        ("tiers", []),
        ("tiers", ladder(("a", 1))),
        ("tiers", ladder(("a", 0), ("b", 10), ("c", 10))),
        ("tiers", ladder(("a", 0), ("A", 10))),
        ("tiers", ladder(("", 0))),
        ("tiers", [{"level": "a", "from_points": 0, "multiplier": "-1"}]),
        ("tiers", [{"level": "a", "from_points": 0, "multiplier": "NaN"}]),
        ("tiers", [{"level": "a", "from_points": 0.0, "multiplier": "1"}]),
        ("tiers", [{"level": "a", "from_points": 0}]),
    ],
)
def test_setting_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    program = builders.program()
    with pytest.raises(ValidationError) as caught:
        change_program(program, **{field: value})
    assert list(caught.value.message_dict) == [field]
    with pytest.raises(ValidationError):
        add_program(builders.business(), **{"name": "Second", field: value})
    assert Program.objects.count() == 1


@pytest.mark.parametrize(
    "field",
    ["points_per_unit", "min_order", "welcome_points", "redemption_minimum", "redemption_increment", "point_value"]
    + [
        "max_redeem_percent",
        "scan_points",
        "scan_cooldown_minutes",
        "max_points_per_transaction",
        "max_points_per_day",
    ],
)
def test_every_setting_takes_zero(field: str) -> None:
    change_program(builders.program(), **{field: 0})
    assert Program.objects.values_list(field, flat=True).get() == 0


def test_name_is_unique_in_its_business() -> None:
    add_program(builders.business(), name="Main")
    add_program(builders.business("other"), name="Main")
    with pytest.raises(ValidationError):
        add_program(builders.business(), name="Main")


def test_change_of_tiers_moves_every_card_to_its_level() -> None:
    cards = [builders.card(points) for points in (0, 499, 500, 2000)]
    elsewhere = builders.card(2000, of=builders.program(builders.business("other")))
    redeem(cards[3], 2000)
    assert [level(card) for card in cards] == ["bronze", "bronze", "silver", "gold"]
    switch(cards[0], tiers=ladder(("plain", 0), ("fine", 400), ("gold", 2000)))
    assert [level(card) for card in cards] == ["plain", "fine", "fine", "gold"]
    assert level(elsewhere) == "gold"
    switch(cards[0], tiers=ladder(("only", 0)))
    assert {level(card) for card in cards} == {"only"}


def test_multiplier_changes_from_the_next_order_on() -> None:
    card = builders.card()
    tiers = [{"level": "bronze", "from_points": 0, "multiplier": 2}]
    switch(card, tiers=tiers)
    assert (earn(card, "10").points, level(card)) == (20, "bronze")


def test_change_without_tiers_looks_at_no_card() -> None:
    cards = [builders.card(10) for _ in range(3)]
    with CaptureQueriesContext(connection) as captured:
        switch(cards[0], min_order=Decimal(5))
    assert not [query["sql"] for query in captured if "loyaltycard" in query["sql"]]
