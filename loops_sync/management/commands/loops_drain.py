"""`manage.py loops_drain`: deliver what waits, now."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from loops_sync import services
from loops_sync.models import OutboxEntry


class Command(BaseCommand):
    """Delivers to Loops until nothing is due; safe beside running workers."""

    help = "Deliver waiting outbox entries to Loops now. --limit is in contacts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--limit N`."""
        parser.add_argument("--limit", type=int, default=None, metavar="N", help="at most N contacts")

    def handle(self, *args: Any, limit: int | None = None, **options: Any) -> None:
        """Prints counts of entries."""
        if not settings.LOOPS_SYNC_ENABLED:
            self.stdout.write("LOOPS_SYNC_ENABLED is off: entries wait, nothing is sent.")
        services.probe_if_due(now=True)
        tally = services.drain(limit=limit)
        remaining = OutboxEntry.objects.open().count()
        self.stdout.write(
            f"processed {tally.processed}, succeeded {tally.succeeded}, retried {tally.retried}, "
            f"dead {tally.dead}, remaining {remaining}"
        )
