"""`manage.py loops_verify`: is Loops as it should be?"""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from loops_sync import services

EXIT_CODES = {"ok": 0, "drift": 1, "unknown": 1, "broken": 2}


class Command(BaseCommand):
    """Compares what Loops should hold with what it last accepted, or with what it says."""

    # An empty key must be told as what it is, not stop the command before it starts.
    requires_system_checks = ()
    help = "Check contacts against Loops. Exit 0 healthy, 1 drift, dead entries or unknown, 2 broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--sample`, `--remote`, `--json`."""
        parser.add_argument("--sample", type=int, metavar="N", help="N contacts by chance instead of all")
        parser.add_argument("--remote", action="store_true", help="ask Loops for each of them (a request a contact)")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints one line a check; a check that could not run says `unknown`."""
        try:
            checks = services.verify(sample=options["sample"], remote=options["remote"])
        except DatabaseError as error:
            checks = [services.Check("database", "broken", None, str(error).strip())]
        if options["json"]:
            self.stdout.write(json.dumps({check.name: asdict(check) for check in checks}))
        else:
            for check in checks:
                self.stdout.write(f"{check.name}: {check.state} ({check.detail})")
                for example in check.examples:
                    self.stdout.write(f"  {example}")
        worst = max(EXIT_CODES[check.state] for check in checks)
        if worst:
            sys.exit(worst)
