"""The same request again: by its key, by its reference, by both, and after the rules have changed."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from loyalty import services
from loyalty.models import LoyaltyCard, PointsTransaction
from loyalty.services import Instruction
from tests import builders
from tests.loyalty.test_ledger import adjust, earn, leave, redeem, refused, rows, switch, tables

KEYED = Instruction(key="k", fingerprint="this")
OTHER_WISH = Instruction(key="k", fingerprint="that")


@pytest.fixture(autouse=True)
def books_agree(db: None) -> Iterator[None]:
    """Whatever a test did, the ledger proves."""
    yield
    assert services.verify_ledger() is None


def earning(card: LoyaltyCard, instruction: Instruction) -> PointsTransaction | None:
    return earn(card, "25.50", instruction=instruction).transaction


def redeeming(card: LoyaltyCard, instruction: Instruction) -> PointsTransaction | None:
    return services.redeem_points(card, instruction, points=20, order_total=Decimal(10)).transaction


def adjusting(card: LoyaltyCard, instruction: Instruction) -> PointsTransaction | None:
    return services.adjust_points(card, instruction, points=5, reason="Goodwill.").transaction


def deducting(card: LoyaltyCard, instruction: Instruction) -> PointsTransaction | None:
    return services.adjust_points(card, instruction, points=-5, reason="Mistake.").transaction


def reversing(card: LoyaltyCard, instruction: Instruction) -> PointsTransaction | None:
    first = card.transactions.get(seq=1)
    return services.reverse_transaction(first, instruction, points=5, reason="Returned.").transaction


MOVEMENTS = [earning, redeeming, adjusting, deducting, reversing]
Movement = Callable[[LoyaltyCard, Instruction], PointsTransaction | None]


@pytest.mark.parametrize("move", MOVEMENTS)
def test_same_key_again_is_the_first_row_and_no_second_effect(move: Movement) -> None:
    card = builders.card(100)
    first = move(card, KEYED)
    before = tables()
    assert move(card, KEYED) == first
    assert tables() == before


@pytest.mark.parametrize("move", MOVEMENTS)
def test_same_key_with_another_wish_is_refused(move: Movement) -> None:
    card = builders.card(100)
    move(card, KEYED)
    for again in MOVEMENTS:
        with refused("idempotency_key_reused"):
            again(card, OTHER_WISH)


def test_key_belongs_to_the_business() -> None:
    card, neighbour = builders.card(100), builders.card(100, of=builders.program(builders.business("other")))
    sibling = builders.card(100, of=builders.program(name="Second"))
    redeeming(card, KEYED)
    assert redeeming(neighbour, OTHER_WISH) is not None
    with refused("idempotency_key_reused"):
        redeeming(sibling, OTHER_WISH)


def test_key_is_claimed_before_any_check() -> None:
    """What was done once is told again, whatever has become of card and program since."""
    card = builders.card(20)
    hold = services.hold_points(builders.card(50), points=50, by=None)
    captured = services.capture_hold(hold, Instruction(key="h", fingerprint="this"))
    first = redeem(card, 20, "10", key="k", fingerprint="this")
    leave(card)
    switch(card, is_active=False, redemption_minimum=500, max_redeem_percent=0)
    again = redeem(card, 20, "10", key="k", fingerprint="this")
    assert (again.is_replay, again.transaction, again.discount) == (True, first.transaction, first.discount)
    assert (again.points_balance, again.points_balance_after) == (0, 0)
    repeated = services.capture_hold(hold, Instruction(key="h", fingerprint="this"))
    assert (repeated.transaction, captured.is_replay, repeated.is_replay) == (captured.transaction, False, True)


def test_refusal_does_not_use_the_key_up() -> None:
    card = builders.card(10)
    with refused("insufficient_points"):
        redeem(card, 20, key="k", fingerprint="this")
    earn(card, points=10)
    assert redeem(card, 20, key="k", fingerprint="this").is_replay is False


def test_replay_answers_as_of_its_day() -> None:
    card = builders.card(100)
    first = earn(card, "25.50", instruction=KEYED)
    redeem(card, 90)
    switch(card, points_per_unit=Decimal(3))
    again = earn(card, "25.50", instruction=KEYED)
    assert (again.points, again.points_balance, again.explanation) == (25, 125, first.explanation)
    assert (again.tier_level, again.transaction, again.is_replay) == ("bronze", first.transaction, True)


# --- References ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("move", [earning, redeeming])
@pytest.mark.parametrize("key", [None, "another"])
def test_same_reference_with_the_same_points_is_the_first_row(move: Movement, key: str | None) -> None:
    card = builders.card(100)
    first = move(card, Instruction(reference="order-1", key="k"))
    before = tables()
    assert move(card, Instruction(reference="order-1", key=key)) == first
    assert tables() == before


def test_same_reference_with_other_points_or_card_is_a_conflict() -> None:
    card, other = builders.card(100), builders.card(100)
    same = Instruction(reference="order-1")
    earn(card, "25.50", instruction=same)
    redeem(card, 20, reference="order-1")
    for call in (
        lambda: earn(card, "26", instruction=same),
        lambda: earn(card, points=26, instruction=same),
        lambda: earn(other, "25.50", instruction=same),
        lambda: redeem(card, 21, reference="order-1"),
        lambda: redeem(other, 20, reference="order-1"),
    ):
        with refused("reference_conflict"):
            call()
    assert earn(card, points=25, instruction=same).is_replay is True


def test_reference_belongs_to_business_and_operation() -> None:
    card, neighbour = builders.card(100), builders.card(100, of=builders.program(builders.business("other")))
    for at in (card, neighbour):
        assert earn(at, "20", instruction=Instruction(reference="order-1")).is_replay is False
        assert redeem(at, 20, reference="order-1").is_replay is False


def tiers(multiplier: str, **more: Any) -> dict[str, Any]:
    steps = [("plain", 0, "1"), ("fine", 100, multiplier)]
    return {"tiers": [dict(zip(("level", "from_points", "multiplier"), step, strict=True)) for step in steps], **more}


def test_reference_is_judged_by_the_rule_of_its_day() -> None:
    card = builders.card(of=builders.program(**tiers("2")))
    same = Instruction(reference="order-1")
    first = earn(card, "100", instruction=same)
    assert earn(card, "1").points == 2
    for change in (tiers("3"), {"points_per_unit": Decimal(7)}, {"min_order": Decimal(500)}, {"earn_rule": "fixed"}):
        switch(card, **change)
        again = earn(card, "100", instruction=same)
        assert (again.is_replay, again.points, again.transaction) == (True, 100, first.transaction)
        with refused("reference_conflict"):
            earn(card, "101", instruction=same)


def test_order_below_the_minimum_leaves_its_reference_free() -> None:
    card = builders.card(of=builders.program(min_order=Decimal(5)))
    same = Instruction(reference="order-1", key="k")
    assert earn(card, "4.99", instruction=same).points == 0
    assert earn(card, "6", instruction=Instruction(reference="order-1")).points == 6
    assert rows(card) == [("earn_points", 6, 6)]


def test_key_wins_over_the_reference() -> None:
    card = builders.card(100)
    first = redeem(card, 20, key="a", reference="order-1")
    second = redeem(card, 20, key="b", reference="order-2")
    again = redeem(card, 20, key="b", reference="order-1")
    assert again.transaction == second.transaction != first.transaction


def test_adjustments_and_awards_without_key_or_reference_are_never_repeats() -> None:
    card = builders.card()
    for _ in range(2):
        earn(card, "5")
        adjust(card, 5)
        redeem(card, 3)
    assert len(rows(card)) == 6
