"""What pages, API and admin read of the points programs."""

from loyalty.selectors.accounts import Account, account_of
from loyalty.selectors.cards import (
    STATEMENT_DAYS,
    Statement,
    cards_of,
    customer_dashboard,
    find_card,
    id_or_number,
    phone_of,
    search_cards,
    statement_of,
)
from loyalty.selectors.reports import (
    Bucket,
    Liability,
    Movements,
    cards_changing_tier,
    liabilities,
    moved_since,
    movements,
    outstanding,
)
from loyalty.selectors.words import explain_earning, money, points_in_words

__all__ = [
    "STATEMENT_DAYS",
    "Account",
    "Bucket",
    "Liability",
    "Movements",
    "Statement",
    "account_of",
    "cards_changing_tier",
    "cards_of",
    "customer_dashboard",
    "explain_earning",
    "find_card",
    "id_or_number",
    "liabilities",
    "money",
    "moved_since",
    "movements",
    "outstanding",
    "phone_of",
    "points_in_words",
    "search_cards",
    "statement_of",
]
