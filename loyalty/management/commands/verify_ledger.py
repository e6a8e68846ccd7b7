"""`manage.py verify_ledger`: the proof of the ledger, from the command line."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from loyalty.models import LoyaltyCard
from loyalty.services import verify_ledger


class Command(BaseCommand):
    """Recomputes every card from its ledger rows; exits 1 on the first that differs."""

    help = "Recompute every card from its ledger rows. Exit 0: all agree; 1: the first that differs is named."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many cards agree, or what differs."""
        found = verify_ledger()
        if found:
            card, problem = found
            self.stderr.write(f"Card {card}: {problem}")
            sys.exit(1)
        self.stdout.write(f"{LoyaltyCard.objects.count()} cards agree with the ledger.")
