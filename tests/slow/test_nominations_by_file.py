"""Twelve thousand nominations with names that collide, in two files: nobody lost, nobody doubled, and in good time."""

import csv
import io
import random
import time
import tracemalloc

import pytest

from loops_sync.models import OutboxEntry
from nominations import services
from nominations.models import DecisionLog, Nomination, Nominator, Nominee, Season
from nominations.models.imports import COLUMNS
from tests import builders

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
ROWS, APPROVED = 12_000, 600
FIRST, LAST = ("John", "Jane", "Ann", "Maria", "Li"), ("Smith", "Jones", "García", "O’Neil", "王")
COMPANIES = ("Acme Ltd", "Globex", "Initech")
# A machine that does other things meanwhile is slower than the 300 that an idle one takes.
ROWS_A_SECOND, MEGABYTES = 100, 200


def line(number: int, luck: random.Random) -> dict[str, str]:
    """Two persons for each company; some with addresses, some without, a quarter without a nominator."""
    if number % 3:
        row = {"type": "person", "category": "best-recruiter", "headshot_url": f"https://x.example/{number}.jpg"}
        row |= {
            "first_name": luck.choice(FIRST),
            "last_name": luck.choice(LAST),
            "company_name": f"Firm {number % 97}",
        }
        row |= {"linkedin": f"linkedin.com/in/p{number}" if number % 2 else ""}
    else:
        row = {"type": "company", "category": "best-firm", "company_name": luck.choice(COMPANIES)}
        row |= {"website": f"https://firm{number}.example"}
    by = number % 3000
    if number % 4:
        row |= {"nominator_name": f"Nina Nom{by}", "nominator_email": f"nom{by}@example.org"}
    told = {"email": f"n{number}@example.com" if number % 5 else "", "phone": f"+4473065{number:05d}"}
    return row | told | {"bio": "Bio. " * 30, "why_vote_for_me": f"Because of {number}. " * 10}


def sheet(numbers: range, luck: random.Random) -> bytes:
    """The file of these lines."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(line(number, luck) for number in numbers)
    return out.getvalue().encode()


def take_in(data: bytes, season: Season) -> tuple[int, int, int]:
    """Created, unchanged and failed."""
    batch = services.start_import(data, file_name="a.csv", season=season, by=None)
    services.run_import(batch.pk)
    batch.refresh_from_db()
    assert batch.state == "done"
    return batch.created_rows, batch.unchanged_rows, batch.failed_rows


def rows_in_all() -> list[int]:
    """How many of everything."""
    counted = (Nomination, Nominee, Nominator, DecisionLog, OutboxEntry)
    return [model._base_manager.count() for model in counted]


def test_twelve_thousand_colliding_names_in_two_files() -> None:
    season, luck = builders.season(), random.Random(1)
    builders.category(), builders.category("best-firm", "company")
    files = [sheet(range(start, start + ROWS // 2), luck) for start in (0, ROWS // 2)]
    begun = time.monotonic()
    assert [take_in(data, season) for data in files] == [(ROWS // 2, 0, 0)] * 2
    seconds = time.monotonic() - begun
    assert Nominee.objects.count() == Nomination.objects.count() == DecisionLog.objects.count() == ROWS
    assert ROWS / seconds > ROWS_A_SECOND, f"{ROWS / seconds:.0f} rows a second"
    before = rows_in_all()
    tracemalloc.start()
    assert [take_in(data, season) for data in files] == [(0, ROWS // 2, 0)] * 2
    peak = tracemalloc.get_traced_memory()[1] / 1024 / 1024
    tracemalloc.stop()
    assert (rows_in_all(), peak < MEGABYTES) == (before, True), f"{peak:.0f} MB"
    for nomination in Nomination.objects.all()[:APPROVED]:
        services.approve_nomination(nomination, by=builders.superuser())
    assert Nominee.objects.live().values("slug").distinct().count() == APPROVED
