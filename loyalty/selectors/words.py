"""Points and money in words."""

from decimal import Decimal
from typing import Any

from loyalty.models import Program

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def money(amount: Decimal, currency: str) -> str:
    """`£25.00`, `€1,250.00`, `CHF 4.50`."""
    symbol = SYMBOLS.get(currency)
    return f"{symbol}{amount:,.2f}" if symbol else f"{currency} {amount:,.2f}"


def points_in_words(points: int) -> str:
    """`1 point`, `1,250 points`."""
    return f"{points:,} point" if points == 1 else f"{points:,} points"


def explain_earning(points: int, order_total: Decimal | None, rule: dict[str, Any], currency: str) -> str:
    """Why an order earned what it did."""
    earned = points_in_words(points)
    if order_total is not None and order_total < Decimal(rule["min_order"]):
        least = money(Decimal(rule["min_order"]), currency)
        return f"{money(order_total, currency)} is below the minimum order of {least}: {earned}."
    if order_total is None and rule["earn_rule"] != Program.EarnRule.PER_VISIT:
        return f"Awarded: {earned}."
    rate = _plain(rule["points_per_unit"])
    boost = "" if Decimal(rule["multiplier"]) == 1 else f" × {_plain(rule['multiplier'])} for the tier"
    if rule["earn_rule"] == Program.EarnRule.PER_AMOUNT and order_total is not None:
        return f"{money(order_total, currency)} at {rate}{boost} = {earned}."
    each = "visit" if rule["earn_rule"] == Program.EarnRule.PER_VISIT else "order"
    return f"{rate} for each {each}{boost} = {earned}."


def _plain(number: str) -> str:
    """Without the zeros that the column pads it with."""
    return f"{Decimal(number).normalize():f}"
