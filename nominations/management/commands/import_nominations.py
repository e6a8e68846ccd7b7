"""`manage.py import_nominations FILE`: nominations by file, from the command line."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from nominations import selectors, services
from nominations.models import ImportProblem, Season
from nominations.models.imports import MOST_BYTES


class Command(BaseCommand):
    """Takes in a CSV file, or with --dry-run says what that would do; exits 1 when rows failed."""

    help = "Import nominations from a CSV file. Exit 0: all rows are in or were there; 1: some failed, each is named."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which file, for which season."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="write nothing, report what would happen")
        parser.add_argument("--season", help="its name; without it the current one")

    def handle(self, *args: Any, file: Path, dry_run: bool, season: str | None, **options: Any) -> None:
        """Print what became of the rows. Raises CommandError for a file that cannot be read."""
        try:
            with file.open("rb") as opened:
                data = opened.read(MOST_BYTES + 1)
            chosen = _season(season)
            if dry_run:
                report = services.check_import(data, season=chosen)
                self._say((report.created, report.unchanged, report.failed), report.problems, dry_run)
            else:
                batch = services.start_import(data, file_name=file.name, season=chosen, by=None)
                services.run_import(batch.pk)
                batch.refresh_from_db()
                counts = (batch.created_rows, batch.unchanged_rows, batch.failed_rows)
                self._say(counts, batch.problems.all(), dry_run)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error

    def _say(self, counts: tuple[int, int, int], problems: Iterable[ImportProblem], dry_run: bool) -> None:
        created, unchanged, failed = counts
        if dry_run:
            self.stdout.write("Nothing was written. An import would do this:")
        self.stdout.write(f"{created} created, {unchanged} unchanged, {failed} failed.")
        for problem in problems:
            self.stderr.write(f"Row {problem.row}, {problem.field or 'whole row'}: {problem.reason}")
        if failed:
            sys.exit(1)


def _season(name: str | None) -> Season:
    """Raises ValidationError."""
    if name is None:
        return selectors.current_season()
    season = Season.objects.filter(name=name).first()
    if season is None:
        raise ValidationError(f"There is no season “{name}”.")
    return season
