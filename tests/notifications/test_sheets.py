"""What a spreadsheet opens is data, never a formula."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest

from notifications.api.sheets import csv_response


def read(response: Any) -> list[list[str]]:
    """The file as a spreadsheet takes it apart."""
    text = b"".join(response.streaming_content).decode()
    return list(csv.reader(StringIO(text, newline="")))


def cell(value: object) -> str:
    """What becomes of one value."""
    [_header, [found]] = read(csv_response("a.csv", ["Value"], [[value]]))
    return found


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_text_that_begins_as_a_formula_is_defused(begin: str) -> None:
    for text in (f"{begin}cmd|'/c calc'!A0", f"  {begin}1+1", f"\ufeff{begin}1+1", f"\0{begin}1+1"):
        assert cell(text) == "'" + text.replace("\0", "")


@pytest.mark.parametrize("text", ["fine\n=1+1", "fine\r\n  =1+1", 'fine"=1+1', 'fine",=1+1\n@x', "fine'+1+1"])
def test_text_that_hides_a_formula_behind_a_line_or_a_quote_is_defused(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["Ada Lovelace", "O'Brien", "well-known", "1 + 1", "a\nb", 'say "hi"', "a@b.org", "5"]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize(
    ("number", "shown"), [(-25, "-25"), (Decimal("-2.50"), "-2.50"), (0, "0"), ("-25", "-25"), ("-2.50", "-2.50")]
)
def test_numbers_stay_numbers(number: object, shown: str) -> None:
    assert cell(number) == shown


def test_phones_stay_readable() -> None:
    assert cell("+447306506797") == "'+447306506797"
    assert cell("+44 7306 506797") == "'+44 7306 506797"


def test_nothing_and_times() -> None:
    assert cell(None) == ""
    assert cell(datetime(2026, 3, 1, 12, 30, tzinfo=UTC)) == "2026-03-01T12:30:00Z"


def test_header_is_defused_too_and_rows_are_sent_as_they_come() -> None:
    drawn = []

    def rows() -> Any:
        for number in range(3):
            drawn.append(number)
            yield [number, "x"]

    response: Any = csv_response("points.csv", ["=Number", "Text"], rows())
    assert drawn == []
    assert read(response) == [["'=Number", "Text"], ["0", "x"], ["1", "x"], ["2", "x"]]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="points.csv"'


def test_name_of_the_file_may_be_any() -> None:
    response = csv_response('a"b\r\nSet-Cookie: é.csv', ["A"], [])
    assert "\n" not in response["Content-Disposition"]
