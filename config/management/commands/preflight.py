"""`manage.py preflight`: whether everything is ready, and what to do where it is not."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.preflight import CHECKS, FAIL, findings


class Command(BaseCommand):
    """Prints one line a check, with what to do below. Exit code 1 when one fails; a warning is none."""

    help = "Check settings, database, worker, Loops and Nango before going live. Exits 1 when something fails."
    # It has to say what is wrong, also where the system checks would stop it.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--json`, `--only`."""
        parser.add_argument("--json", action="store_true", help="print a list of findings instead")
        parser.add_argument("--only", choices=sorted(CHECKS), default="", help="one check, as a container's health")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask everything, then say it."""
        found = list(findings(options["only"]))
        if options["json"]:
            self.stdout.write(json.dumps([finding.as_dict() for finding in found], indent=2))
        for finding in found if not options["json"] else ():
            self.stdout.write(f"{finding.state:4}  {finding.name}: {finding.detail}")
            if finding.todo:
                self.stdout.write(f"      {finding.todo}")
        if any(finding.state == FAIL for finding in found):
            sys.exit(1)
