"""The points section of the staff site."""

from loyalty.admin import asked, cards, ledger, people, programs, proofs, reports, scans, till, told

__all__ = ["asked", "cards", "ledger", "people", "programs", "proofs", "reports", "scans", "till", "told"]
