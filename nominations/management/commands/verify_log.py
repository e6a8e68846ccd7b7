"""`manage.py verify_log`: the proof of the decision log, from the command line."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from nominations.services import verify_log


class Command(BaseCommand):
    """Walks every season's chain of decisions; exits 1 at the first break."""

    help = "Walk every season's chain of decisions. Exit 0: all hold; 1: the first break is named."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each season's number of decisions and head hash, or where the chain breaks."""
        proof = verify_log()
        for chain in proof.chains:
            noun = "decision" if chain.count == 1 else "decisions"
            self.stdout.write(f"{chain.season}: {chain.count} {noun}, head {chain.head_hash or 'none'}")
        if proof.broken is not None:
            self.stderr.write(str(proof.broken))
            sys.exit(1)
