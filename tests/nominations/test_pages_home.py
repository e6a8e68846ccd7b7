"""The front page."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import User
from nominations import services
from nominations.models import Category, Season
from tests.nominations.public import FORM, closed, make_category, make_live, make_season, sent_nomination, text_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("windows", "targets"),
    [
        ({}, ["/nominate", "/nominees"]),
        ({"voting_open_at": None}, ["/nominate", "/nominees"]),
        ({"nominations_open_at": None}, ["/nominees"]),
    ],
)
def test_home_calls_to_what_is_open(
    client: Client, staff: User, category: Category, windows: dict[str, Any], targets: list[str]
) -> None:
    season = make_season()
    make_live(staff, category)
    Season.objects.filter(pk=season.pk).update(**windows)
    page = client.get("/").content.decode()
    assert re.findall(r'class="button [^"]*"\s*href="([^"]*)"', page) == targets
    assert ("/nominate?category=best-recruiter" in page) is ("/nominate" in targets)


def test_home_shows_live_nominees_and_no_others(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    live, gone = make_live(staff, category), make_live(staff, category, 1)
    services.withdraw_nomination(gone.nominations.get(), by=staff)
    client.post(FORM, sent_nomination())
    assert re.findall(r'href="(/nominee/[^"]*)"', client.get("/").content.decode()) == [f"/nominee/{live.slug}"]


def test_home_names_when_a_closed_phase_opens(client: Client, category: Category) -> None:
    opens_at = timezone.now() + timedelta(days=400)
    make_season(**closed(nominations_open_at=opens_at))
    text = text_of(client.get("/"))
    assert f"Opens {opens_at.day} {opens_at:%B} {opens_at.year}" in text
    assert "Not open yet" in text


def test_home_without_a_season_says_so(client: Client) -> None:
    response = client.get("/")
    assert (response.status_code, "Between two seasons" in text_of(response)) == (200, True)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/", 12),
        ("/nominees", 8),
        ("/nominees?category=c0&q=maya&ordering=rank", 9),
        ("/leaderboard?category=c0", 6),
        ("/nominate", 2),
        ("/nominate?category=c0", 2),
        ("/nominee/maya-okafor", 8),
    ],
)
def test_a_page_asks_the_database_a_constant_number_of_times(
    client: Client,
    staff: User,
    season: Season,
    django_assert_num_queries: DjangoAssertNumQueries,
    path: str,
    queries: int,
    rows: int,
) -> None:
    for category in [make_category(f"c{number}", f"C {number}") for number in range(rows)]:
        for number in range(rows):
            services.add_manual_votes(make_live(staff, category, number), category, count=2, reason="x", by=staff)
    with django_assert_num_queries(queries):
        assert client.get(path).status_code == 200
