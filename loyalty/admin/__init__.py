"""The points section of the staff site."""

from loyalty.admin import cards, ledger, people, programs, proofs, reports, till

__all__ = ["cards", "ledger", "people", "programs", "proofs", "reports", "till"]
