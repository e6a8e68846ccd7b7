"""`manage.py verify_votes`: the proof of the tallies, from the command line."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from nominations.models import Tally
from nominations.services import verify_votes


class Command(BaseCommand):
    """Counts every vote again; exits 1 on the first tally that differs."""

    help = "Count every vote again. Exit 0: all tallies agree; 1: the first that differs is named."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many tallies agree, or what differs."""
        problem = verify_votes()
        if problem:
            self.stderr.write(problem)
            sys.exit(1)
        self.stdout.write(f"{Tally.objects.count()} tallies agree with the votes.")
