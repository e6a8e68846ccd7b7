"""The pages of customers and of businesses."""

from loyalty.pages.business import customers, scan
from loyalty.pages.cards import card, cards, join_program
from loyalty.pages.codes import printed, qr, replace
from loyalty.pages.notices import answer, bell, notifications, preferences, read
from loyalty.pages.signing import join, link_sent, login, logout, sign_in

__all__ = [
    "answer",
    "bell",
    "card",
    "cards",
    "customers",
    "join",
    "join_program",
    "link_sent",
    "login",
    "logout",
    "notifications",
    "preferences",
    "printed",
    "qr",
    "read",
    "replace",
    "scan",
    "sign_in",
]
