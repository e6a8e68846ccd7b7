"""`manage.py sync_missed_approvals`: find approvals that never reached Loops."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from loops_sync import services, tasks


class Command(BaseCommand):
    """Gives an entry to every approved nomination whose contacts are not as they should be in Loops."""

    help = "Queue approved nominations whose nominee or nominator is not right in Loops. Running it twice is harmless."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--since`, `--dry-run`, `--limit`."""
        parser.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="approved on or after YYYY-MM-DD")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        parser.add_argument("--limit", type=int, metavar="N", help="queue at most N nominations")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints found, queued and already right, in nominations."""
        dry_run = options["dry_run"]
        missed = services.queue_missed_approvals(since=options["since"], limit=options["limit"], dry_run=dry_run)
        if missed.queued and not dry_run:
            tasks.queue_sweep()
        queued = "would queue" if dry_run else "queued"
        self.stdout.write(f"found {missed.found}, {queued} {missed.queued}, already right {missed.right}")
