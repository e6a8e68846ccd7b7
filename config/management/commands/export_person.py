"""`manage.py export_person`: everything that is known of somebody, as one file."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from config import erasing


class Command(BaseCommand):
    """Writes JSON to the file, which it makes readable for its owner only, or prints it."""

    help = "Everything that is known of a person, by address, phone or both, as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--email`, `--phone`, `--to`."""
        parser.add_argument("--email", default="")
        parser.add_argument("--phone", default="", help="in any spelling; read as British without a country code")
        parser.add_argument("--to", default="", help="a file that does not exist yet, instead of the screen")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError for what is no address or phone."""
        try:
            found = erasing.export(erasing.identify(options["email"], options["phone"]))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        text = json.dumps(found, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
        if not options["to"]:
            self.stdout.write(text)
            return
        path = Path(options["to"])
        try:
            path.touch(mode=0o600, exist_ok=False)
        except OSError as error:
            raise CommandError(f"{path} cannot be made: {error.strerror}") from error
        path.write_text(text + "\n")
        self.stdout.write(f"Written to {path}: {sum(map(len, found['tables'].values()))} rows.")
