"""`manage.py forget_person`: show what is known of somebody, and with `--yes` forget it."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from config import erasing
from crm.models import User, normal_email
from crm.services.erasing import Subject


class Command(BaseCommand):
    """Without `--yes` it only says what would change. It cannot be undone."""

    help = "Forget a person, by address, phone or both. Shows what will change; --yes does it. It cannot be undone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--email`, `--phone`, `--by`, `--yes`."""
        parser.add_argument("--email", default="")
        parser.add_argument("--phone", default="", help="in any spelling; read as British without a country code")
        parser.add_argument("--by", required=True, help="the address of the superuser who decides it: it is on record")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError for what is no address or phone, and where it is refused."""
        by = User.objects.filter(email=normal_email(options["by"]), is_superuser=True, is_active=True).first()
        if by is None:
            raise CommandError(f"{options['by']} is no superuser.")
        try:
            subject = erasing.identify(options["email"], options["phone"])
            self.tell(subject)
            if options["yes"]:
                record = erasing.forget(subject, by=by)
                self.stdout.write(f"Forgotten: {record.total} rows. On record as erasure {record.pk}.")
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def tell(self, subject: Subject) -> None:
        """What will change, line by line."""
        for finding in erasing.findings(subject):
            if finding.ids:
                self.stdout.write(f"{len(finding.ids):5} {finding.what}: {finding.holding.then}.")
        for other in erasing.also_known_by(subject):
            self.stdout.write(f"      Also known by {other}: rows that have only that are not touched.")
        if erasing.is_address_kept_for_loops():
            self.stdout.write("      LOOPS_SYNC_ENABLED is off: one row keeps the address until Loops can be told.")
