"""The nominees as the public looks through them, and who is ahead."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import User
from nominations import services
from nominations.models import Category, Nomination, Nominator, Nominee, Season
from nominations.selectors import Directory
from tests.nominations.public import make_category, make_live, make_season, text_of

pytestmark = pytest.mark.django_db


def linked(response: Any) -> list[str]:
    """The linked names, in the order of the page."""
    return re.findall(r'class="stretched"\s+href="/nominee/[^"]*">([^<]*)</a>', response.content.decode())


@pytest.fixture
def field(season: Season, category: Category, staff: User) -> list[Nominee]:
    """Bea and Cem share rank 1 with 5 votes; Ada has 2, Dov none."""
    who = (("Ada", "Ghana"), ("Bea", "Peru"), ("Cem", "ghana"), ("Dov", ""))
    rows = [
        make_live(staff, category, number, first_name=first, last_name="Lee", country=country)
        for number, (first, country) in enumerate(who)
    ]
    for nominee, count in zip(rows, (2, 5, 5), strict=False):
        services.add_manual_votes(nominee, category, count=count, reason="On paper.", by=staff)
    return rows


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", "Ada Bea Cem Dov"),
        ("q=lee+be", "Bea"),
        ("country=Ghana", "Ada Cem"),
        ("country=" + "_" * 30_000, ""),
        ("category=best-recruiter&ordering=rank", "Bea Cem Ada Dov"),
        ("ordering=-total_votes&q=a", "Bea Ada"),
        ("ordering=-created_at", "Dov Cem Bea Ada"),
        ("page=99", "Ada Bea Cem Dov"),
        ("category=best-recruiter&q=nobody", ""),
    ],
)
def test_directory_is_searched_filtered_and_sorted(
    client: Client, field: list[Nominee], asked: str, expected: str
) -> None:
    names = [f"{name} Lee" for name in expected.split()]
    response = client.get(f"/nominees?{asked}")
    assert linked(response) == names
    text = text_of(response)
    assert (f"{len(names)} nominee{'s' * (len(names) > 1)}" if names else "No nominees") in text
    assert ("clear the filters" in text) is (not names)


def test_directory_offers_what_there_is_and_its_pages_keep_it(
    client: Client, field: list[Nominee], season: Season, category: Category
) -> None:
    nominator = Nominator.objects.get(email="ada0@example.org")
    for number in range(21):
        name = {"first_name": f"Eve {number:02}", "last_name": "Lee", "slug": f"eve-{number}"}
        nominee = Nominee.objects.create(kind="person", state="live", **name)
        Nomination.objects.create(
            season=season, category=category, nominator=nominator, nominee=nominee, state="approved",
            approved_at=timezone.now(),
        )  # fmt: skip
    page = client.get("/nominees?q=lee&ordering=rank").content.decode()
    options = re.findall(r"<option[^>]*>([^<]*)</option>", page)
    assert options == [
        "All categories", "Best Recruiter (25)", "All countries", "Ghana", "Peru",
        "Name", "Newest", "Most votes", "Rank",
    ]  # fmt: skip
    assert re.findall(r'rel="(\w+)"\s+href="([^"]*)"', page)[-1:] == [("next", "?q=lee&amp;ordering=rank&amp;page=2")]
    assert linked(client.get("/nominees?q=lee&ordering=rank&page=2")) == ["Eve 20 Lee"]


@pytest.mark.parametrize(
    ("visibility", "board", "card", "ahead"),
    [
        ("shown", "Rank 1 tied BL Bea Lee 5 votes Top 10%", "5 votes · rank 1 · Top 10%", ["Bea Lee", "Cem Lee"]),
        ("rank_only", "Rank 1 tied BL Bea Lee Top 10%", "rank 1 · Top 10%", ["Bea Lee", "Cem Lee"]),
        ("hidden", "AL Ada Lee BL Bea Lee CL Cem Lee", "Bea Lee Peru Best Recruiter CL", ["Dov Lee", "Cem Lee"]),
    ],
)
def test_standings_are_told_as_the_season_allows(
    client: Client, field: list[Nominee], visibility: str, board: str, card: str, ahead: list[str]
) -> None:
    Season.objects.update(totals_visibility=visibility)
    home, list_of, ranking = map(client.get, ("/", "/nominees", "/leaderboard"))
    assert board in text_of(ranking), text_of(ranking)
    assert card in text_of(list_of)
    assert linked(home)[:2] == ahead  # of a hidden podium nothing: the latest nominees come first
    told = ["5 votes" in text_of(page) for page in (home, list_of, ranking)]
    assert told == [visibility == "shown"] * 3


def test_podium_and_leaderboard_switch_category_by_links(client: Client, field: list[Nominee]) -> None:
    make_category("another", "Another")
    page = client.get("/").content.decode()
    assert 'href="/?category=another#podium"' in page
    assert re.findall(r'href="/nominees\?category=([^"]*)">(\d+) nominees', page) == [("best-recruiter", "4")]
    assert re.findall(r"<dt>(\w+)</dt>\s*<dd>\s*(\d+)", page) == [
        ("Nominees", "4"), ("Nominations", "4"), ("Votes", "12"), ("Categories", "2")
    ]  # fmt: skip
    assert "Nobody has a vote here yet." in text_of(client.get("/?category=another"))
    assert "Nobody stands in this category yet." in text_of(client.get("/leaderboard?category=another"))
    assert client.get("/leaderboard?category=none").status_code == 404


def test_published_results_stand_and_stay_to_be_seen(
    client: Client, field: list[Nominee], category: Category, staff: User
) -> None:
    now = timezone.now()
    Season.objects.update(voting_close_at=now - timedelta(hours=1), nominations_close_at=now - timedelta(hours=2))
    services.publish_results(Season.objects.get(), by=staff)
    services.withdraw_nomination(field[1].nominations.get(), by=staff)
    home, board = client.get("/"), client.get("/leaderboard")
    winners = home.content.decode().split('id="winners"')[1].split("</section>")[0]
    assert re.findall(r"(Bea|Cem|Ada|Dov) Lee(</a>)?\s*</h3>", winners) == [("Bea", ""), ("Cem", "</a>")]
    assert linked(board) == ["Cem Lee", "Ada Lee", "Dov Lee"]
    assert f"These results were frozen on {now.day} {now:%B} {now.year}" in text_of(board)
    assert "Rank 1 tied BL Bea Lee 5 votes" in text_of(board)
    assert "Best Recruiter 5 votes Winner, tied" in text_of(client.get(f"/nominee/{field[2].slug}"))
    Season.objects.update(is_current=False)
    make_season(name="Laurel 2027")
    key = Season.objects.get(name="Laurel 2026").pk
    assert f'href="/leaderboard?season={key}"' in client.get("/leaderboard").content.decode()
    for asked in (key, "laurel-2026"):
        assert linked(client.get(f"/leaderboard?season={asked}")) == ["Cem Lee", "Ada Lee", "Dov Lee"]
    assert client.get("/leaderboard?season=laurel-2028").status_code == 404


def test_empty_season_says_what_to_do(client: Client, season: Season) -> None:
    for path in ("/", "/nominees", "/leaderboard"):
        assert client.get(path).status_code == 200
    assert "No nominees have been published yet. Nominate someone" in text_of(client.get("/nominees"))
    Season.objects.update(is_current=False)
    assert [client.get(path).status_code for path in ("/nominees", "/leaderboard")] == [404, 404]


def test_directory_is_in_order_backwards_too(field: list[Nominee], season: Season) -> None:
    found = {
        ordering: [listed.nominee.first_name for listed in Directory(season, ordering=ordering)[0:9]]
        for ordering in ("-name", "created_at", "-rank", "nonsense")
    }
    assert found == {
        "-name": ["Dov", "Cem", "Bea", "Ada"],
        "created_at": ["Ada", "Bea", "Cem", "Dov"],
        "-rank": ["Dov", "Ada", "Bea", "Cem"],
        "nonsense": ["Ada", "Bea", "Cem", "Dov"],
    }
