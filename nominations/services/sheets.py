"""The bytes of a CSV file as lines, or one clear error. Pure: no database."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from nominations.models.imports import COLUMNS, EXPORTED, MOST_BYTES, MOST_ROWS
from notifications.api.sheets import plain

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Line:
    """One line: the header is number 1, blank lines count too, as in a spreadsheet. `extra` is beyond the header."""

    number: int
    cells: dict[str, str]
    extra: int = 0


def text_of(data: bytes) -> str:
    """UTF-8, or UTF-16 with its mark. Anything else is refused, naming the row: a guess would garble names.

    Raises ValidationError `unreadable` or `too_large`.
    """
    if len(data) > MOST_BYTES:
        raise ValidationError("The file is larger than 10 MB. Split it.", code="too_large")
    try:
        text = data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = _row_at(data[: error.start])
        message = f"Row {row} is not in UTF-8. Save the file as “CSV UTF-8” and try again."
        raise ValidationError(message, code="unreadable") from error
    if "\0" in text:
        raise ValidationError("This is no text in UTF-8. Save the file as “CSV UTF-8”.", code="unreadable")
    return text


def lines_of(text: str) -> list[Line]:
    """The lines that hold anything, by column. Raises ValidationError `unreadable`, `bad_header` or `too_large`."""
    rows = _rows(text)
    header = next(rows, (1, []))[1]
    while header and not header[-1].strip():
        header.pop()
    if not header:
        raise ValidationError("The file is empty.", code="unreadable")
    names = [name.strip().lower().replace(" ", "_") for name in header]
    _check_header(names)
    lines = [_line(number, names, row) for number, row in rows if any(cell.strip() for cell in row)]
    if len(lines) > MOST_ROWS:
        message = f"The file has {len(lines):,} rows; {MOST_ROWS:,} are the most. Split it."
        raise ValidationError(message, code="too_large")
    return lines


def _row_at(before: bytes) -> int:
    rows = 0
    try:
        for _row in csv.reader(io.StringIO(before.decode("utf-8", "replace"), newline="")):
            rows += 1
    except csv.Error:
        rows += 1
    return rows or 1


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    first = text.split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    number = 0
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1):
            yield number, row
    except csv.Error as error:
        message = f"Row {number + 1} cannot be read: a quotation mark is not closed, or stands inside a cell alone."
        raise ValidationError(message, code="unreadable") from error


def _check_header(names: Sequence[str]) -> None:
    if not {*COLUMNS, *EXPORTED} & set(names):
        raise ValidationError(f"The first row must be the header: {', '.join(COLUMNS)}.", code="bad_header")
    problem = next(_header_problems(names), "")
    if problem:
        raise ValidationError(problem, code="bad_header")


def _header_problems(names: Sequence[str]) -> Iterator[str]:
    """The worst first: what is missing, or known to nobody, explains an odd order."""
    yield from (f"The column “{name}” is missing." for name in COLUMNS if name not in names)
    yield from (f"The column “{name}” is not known." for name in names if name not in (*COLUMNS, *EXPORTED))
    yield from (f"The column “{name}” stands there twice." for name in names if names.count(name) > 1)
    for place, (name, wanted) in enumerate(zip(names, COLUMNS, strict=False), 1):
        if name != wanted:
            yield f"The columns are in another order: column {place} is “{name}” and must be “{wanted}”."


def _line(number: int, names: Sequence[str], row: Sequence[str]) -> Line:
    cells = dict.fromkeys(names, "") | {name: _bare(cell) for name, cell in zip(names, row, strict=False)}
    return Line(number, cells, extra=sum(bool(cell.strip()) for cell in row[len(names) :]))


def _bare(cell: str) -> str:
    """Trimmed, line breaks as one character, without the apostrophe by which an export defused it."""
    text = cell.strip().replace("\r\n", "\n")
    return text[1:].strip() if text.startswith("'") and plain(text[1:]) == text else text
