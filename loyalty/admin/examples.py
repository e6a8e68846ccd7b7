"""A program's rules worked out on a few sums, by the functions that the till uses. Nothing here is stored."""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.utils import timezone

from loyalty import selectors
from loyalty.models import Enrollment, LoyaltyCard, Program, rules
from loyalty.selectors import Account, Sides, explain_earning, money, points_in_words
from loyalty.services.ledger import snapshot
from loyalty.services.redeeming import check_redemption

ORDERS = (Decimal(10), Decimal(25), Decimal(50))
POINTS = (100, 500, 1000)


@dataclass(frozen=True)
class TierExample:
    """What the orders earn on these tiers, which share a multiplier."""

    levels: str
    multiplier: str
    points: list[str]


@dataclass(frozen=True)
class RedemptionExample:
    """What so many points are worth, and the smallest order they pay for; or why they cannot be redeemed."""

    points: str
    worth: str
    smallest_order: str
    refusal: str


@dataclass(frozen=True)
class Examples:
    """All that the program page shows."""

    orders: list[str]
    tiers: list[TierExample]
    notes: list[str]
    redemptions: list[RedemptionExample]


def examples_of(program: Program) -> Examples:
    """Of a program as it stands in memory, saved or not. One that is switched off counts as if it were on."""
    program = copy(program)
    program.is_active = True
    currency = program.business.currency
    return Examples(
        orders=[money(order, currency) for order in ORDERS],
        tiers=[_tier_example(program, tiers) for tiers in _by_multiplier(program.ladder)],
        notes=_notes(program, currency),
        redemptions=[_redemption_example(program, points, currency) for points in POINTS],
    )


def _by_multiplier(ladder: Iterable[rules.Tier]) -> list[list[rules.Tier]]:
    groups: dict[Decimal, list[rules.Tier]] = {}
    for tier in ladder:
        groups.setdefault(tier.multiplier, []).append(tier)
    return list(groups.values())


def _tier_example(program: Program, tiers: list[rules.Tier]) -> TierExample:
    levels = "Every tier" if len(tiers) == len(program.ladder) else ", ".join(tier.level for tier in tiers)
    multiplier = f"{tiers[0].multiplier.normalize():f}"
    return TierExample(levels, multiplier, [f"{_earned(program, tiers[0], order):,}" for order in ORDERS])


def _earned(program: Program, tier: rules.Tier, order: Decimal) -> int:
    return rules.points_for_order(
        program.earn_rule,
        order,
        points_per_unit=program.points_per_unit,
        min_order=program.min_order,
        multiplier=tier.multiplier,
    )


def _notes(program: Program, currency: str) -> list[str]:
    """How the largest order is worked out on the lowest and on the best tier, and what is refused."""
    ladder = program.ladder
    best = max(ladder, key=lambda tier: tier.multiplier)
    notes = [_explained(program, tier, ORDERS[-1], currency) for tier in (ladder[0], best)]
    notes += [_explained(program, ladder[0], order, currency) for order in ORDERS if order < program.min_order]
    limits = [limit for limit in (program.max_points_per_transaction, program.max_points_per_day) if limit is not None]
    most = max(_earned(program, tier, order) for tier in ladder for order in ORDERS)
    if limits and most > min(limits):
        notes.append(f"More than {points_in_words(min(limits))} are refused by the limits.")
    return list(dict.fromkeys(notes))


def _explained(program: Program, tier: rules.Tier, order: Decimal, currency: str) -> str:
    return explain_earning(_earned(program, tier, order), order, snapshot(program, tier), currency)


def _redemption_example(program: Program, points: int, currency: str) -> RedemptionExample:
    discount = rules.discount_for(points, program.point_value)
    refusal, smallest = "", smallest_order(discount, program.max_redeem_percent)
    card = LoyaltyCard(points_balance=points)
    sides = Sides(uuid4(), "", "")
    account = Account(card, program, Enrollment.Status.ACTIVE, currency, sides, {}, [], timezone.now())
    try:
        check_redemption(account, points)
    except ValidationError as error:
        refusal = error.messages[0]
    if smallest is None and not refusal:
        refusal = "No part of an order may be paid with points."
    return RedemptionExample(
        f"{points:,}", money(discount, currency), money(smallest or Decimal(0), currency), refusal
    )


def smallest_order(discount: Decimal, max_percent: int) -> Decimal | None:
    """The smallest order that may have the discount, or None where no order may."""
    if not discount:
        return discount
    return (discount * 100 / max_percent).quantize(rules.CENT, ROUND_UP) if max_percent else None


def changes_of(saved: Program | None, program: Program, changed: Iterable[str]) -> list[str]:
    """What saving the changed settings touches."""
    if saved is None:
        return ["A new program: nobody is in it yet."]
    touched = {name: touch for name, touch in TOUCHES.items() if name in changed}
    lines = [line for touch in touched.values() for line in touch(saved, program)]
    if any(name not in TOUCHES for name in changed):
        lines.append("The rules hold from now on. What is booked keeps those of its day.")
    return lines


def _tiers_touch(saved: Program, program: Program) -> list[str]:
    count = selectors.cards_changing_tier(program)
    return [f"{count:,} card{'s change' if count != 1 else ' changes'} tier." if count else "No card changes tier."]


def _value_touches(saved: Program, program: Program) -> list[str]:
    points, currency = selectors.outstanding(saved), saved.business.currency
    before, after = (money(rules.discount_for(points, row.point_value), currency) for row in (saved, program))
    return [f"The {points_in_words(points)} on cards become worth {after} instead of {before}."] if points else []


def _switch_touches(saved: Program, program: Program) -> list[str]:
    if program.is_active:
        return ["Points are earned and redeemed again."]
    kept = points_in_words(selectors.outstanding(saved))
    return [f"Nothing is earned or redeemed any more. The {kept} on cards stay."]


def _default_touches(saved: Program, program: Program) -> list[str]:
    replaced = Program.objects.filter(business=saved.business_id, is_default=True).exclude(pk=saved.pk).first()
    return [f"It takes the place of {replaced} as the default."] if replaced and program.is_default else []


def _expiry_touches(saved: Program, program: Program) -> list[str]:
    after = "never expire" if program.expiry_days is None else f"expire after {program.expiry_days:,} days"
    return [f"Points earned from now on {after}; those on cards keep their date."]


TOUCHES: dict[str, Any] = {
    "tiers": _tiers_touch,
    "point_value": _value_touches,
    "is_active": _switch_touches,
    "is_default": _default_touches,
    "expiry_days": _expiry_touches,
}
