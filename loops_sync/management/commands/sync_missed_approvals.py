"""`manage.py sync_missed_approvals`: find approvals that never reached Loops."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand

from loops_sync import services, tasks

HEADINGS = ("Contact", "Property", "Before", "After")
WIDEST = 48


class Command(BaseCommand):
    """Gives an entry to every approved nomination whose contacts are not as they should be in Loops."""

    help = "Queue approved nominations whose nominee or nominator is not right in Loops. Running it twice is harmless."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--since`, `--dry-run`, `--limit`, `--json`."""
        parser.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="approved on or after YYYY-MM-DD")
        parser.add_argument("--dry-run", action="store_true", help="queue nothing, show what would change")
        parser.add_argument("--limit", type=int, metavar="N", help="queue at most N nominations")
        parser.add_argument("--json", action="store_true", help="print counts and changes as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints found, queued and already right, in nominations; before them, for a dry run, what would change."""
        dry_run = options["dry_run"]
        missed = services.queue_missed_approvals(since=options["since"], limit=options["limit"], dry_run=dry_run)
        if missed.queued and not dry_run:
            tasks.queue_sweep()
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(missed, dry_run=dry_run), indent=2, ensure_ascii=False))
            return
        if dry_run:
            for line in _table(services.planned_changes(missed.emails)):
                self.stdout.write(line)
        queued = "would queue" if dry_run else "queued"
        self.stdout.write(f"found {missed.found}, {queued} {missed.queued}, already right {missed.right}")


def _as_json(missed: services.Missed, *, dry_run: bool) -> dict[str, Any]:
    contacts = [
        {
            **asdict(planned),
            "changes": [{"property": name, "before": old, "after": new} for name, old, new in planned.changes],
        }
        for planned in services.planned_changes(missed.emails)
    ]
    counts = {"found": missed.found, "queued": missed.queued, "already_right": missed.right}
    return {"dry_run": dry_run, **counts, "contacts": contacts}


def _table(changes: Iterable[services.PlannedChange]) -> list[str]:
    """A row a property; the address stands at its first one. Long values are cut, JSON has them whole."""
    rows = [
        (planned.email if not index else "", name, _text(old, planned.state), _text(new))
        for planned in changes
        for index, (name, old, new) in enumerate(planned.changes)
    ]
    if not rows:
        return []
    widths = [max(len(row[column]) for row in [HEADINGS, *rows]) for column in range(len(HEADINGS))]
    rule = tuple("-" * width for width in widths)
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in [HEADINGS, rule, *rows]]


def _text(value: Any, state: str = "") -> str:
    if value is None:
        return "(unknown)" if state == "unknown" else "–"
    text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
