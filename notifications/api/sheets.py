"""Downloads for spreadsheets, in which no cell is taken for a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

# Where a cell begins, or where a program that reads quotes and lines in its own way thinks that one does.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = re.compile(r"(?:^|[\n\r\"'])[^\S\t\r]*\ufeff?[=+\-@\t\r＝＋－＠]")
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?\Z")


class Echo:
    """A file that hands each line back to whoever writes it."""

    def write(self, line: str) -> str:
        """The line."""
        return line


def csv_response(filename: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> StreamingHttpResponse:
    """A CSV file in UTF-8, sent row by row. Numbers stay numbers; text that a spreadsheet would compute is defused."""
    headers = {"Content-Disposition": content_disposition_header(True, filename) or "attachment"}
    return StreamingHttpResponse(_lines(header, rows), content_type="text/csv; charset=utf-8", headers=headers)


def _lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow([plain(name) for name in header])
    for row in rows:
        yield writer.writerow([plain(value) for value in row])


def plain(value: object) -> object:
    """What a cell holds: a number as it is, a time in UTC, text without NUL and never a formula.

    A phone such as +447306506797 begins like a formula and gets the apostrophe too: it is read as text, and whole.
    """
    if value is None:
        return ""
    if isinstance(value, int | Decimal):
        return value
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    text = str(value).replace("\0", "")
    is_harmless = NUMBER.match(text) or not FORMULA.search(text)
    return text if is_harmless else f"'{text}"
