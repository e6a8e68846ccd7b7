"""Points: programs, cards, ledger, QR and enrolments."""
