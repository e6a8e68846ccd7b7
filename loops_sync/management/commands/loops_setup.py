"""`manage.py loops_setup`: give the account at Loops what it needs."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from loops_sync import services
from loops_sync.client import LoopsError
from loops_sync.contacts import CUSTOM_TYPES


class Command(BaseCommand):
    """Makes missing custom properties, and names the mailing lists that a person has to make. Safe to run again."""

    # It is what the warnings of the system checks ask for.
    requires_system_checks = ()
    help = "Create the custom properties that Loops does not have, and name unknown mailing lists. Safe to run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--dry-run`."""
        parser.add_argument("--dry-run", action="store_true", help="only look, create nothing")

    def handle(self, *args: Any, dry_run: bool = False, **options: Any) -> None:
        """Prints one line a property and a list. Raises CommandError when Loops does not answer."""
        if not settings.LOOPS_API_KEY:
            raise CommandError("LOOPS_API_KEY is empty.")
        try:
            report = services.set_up_account(create=not dry_run)
        except (LoopsError, services.Stop) as error:
            raise CommandError(f"Not finished; run it again: {error}") from error
        states = {"created": report.created, "present": report.present, "missing": report.missing}
        for state, names in states.items():
            for name in names:
                self.stdout.write(f"{state}: {name} ({report.mistyped.get(name, CUSTOM_TYPES[name])})")
        for name, kind in report.mistyped.items():
            self.stdout.write(f"wrong type: {name} is {kind}, should be {CUSTOM_TYPES[name]}; change it in Loops")
        for name in report.missing_lists:
            self.stdout.write(f"no such list: {name}; make it in Loops, or correct the setting")
        self.stdout.write(", ".join(f"{len(names)} {state}" for state, names in states.items()))
