"""How a season went, in sums."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from nominations import selectors, services
from nominations.models import Nomination, Season, Tally, Vote
from tests import builders

ADDRESS = "/admin/nominations/analytics/"
NOON = datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def season(db: None) -> Season:
    """Six counted votes on two days, one waiting, one invalid, a manual one; nominations on two days."""
    boss, first = builders.superuser(), builders.approved()
    other = builders.approved(to=builders.category("best-boss"))
    builders.submitted()
    Nomination.objects.update(created_at=NOON)
    Nomination.objects.filter(pk=other.pk).update(created_at=NOON + 2 * DAY)
    for number in range(5):
        builders.vote(first, email=f"v{number}@firm.example", country="ireland" if number else "Ireland")
    builders.vote(other, email="alone@own.example")
    taken = builders.vote(other, email="out@firm.example")
    services.invalidate_votes(Vote.objects.filter(pk=taken.pk), reason="staff", note="x", by=boss)
    builders.season(vote_verification=Season.Verification.EMAIL)
    builders.vote(other, email="late@firm.example")
    Vote.objects.update(created_at=NOON)
    Vote.objects.filter(voter__email="alone@own.example").update(created_at=NOON + 2 * DAY + timedelta(hours=8))
    services.add_manual_votes(other.nominee, other.category, count=1, reason="Post.", by=boss)
    return builders.season()


def test_sums_are_by_day_hour_state_country_and_category(season: Season) -> None:
    found = selectors.analytics(season)
    day = date(2026, 5, 4)
    assert found.votes_by_day == {
        day: {"counted": 5, "held": 1, "invalid": 1},
        day + DAY: {"counted": 0, "held": 0, "invalid": 0},
        day + 2 * DAY: {"counted": 1, "held": 0, "invalid": 0},
    }
    assert {hour: count for hour, count in found.votes_by_hour_of_day.items() if count} == {12: 5, 20: 1}
    assert found.votes_by_country == {"Ireland": 5, "": 1}
    assert found.votes_by_category == {"Best Recruiter": 5, "Best Boss": 2}
    assert [sum(counts.values()) for counts in found.nominations_daily.values()] == [2, 0, 1]
    assert {state: count for state, count in found.nominations_by_state.items() if count} == {
        "submitted": 1,
        "approved": 2,
    }


def test_mail_domains_are_told_from_five_voters_on(season: Season) -> None:
    assert selectors.analytics(season).voters_by_domain == {"firm.example": 5}
    Vote.objects.filter(voter__email="v0@firm.example").update(season=Season.objects.create(name="Other"))
    assert selectors.analytics(season).voters_by_domain == {}


def test_one_category_alone(season: Season) -> None:
    found = selectors.analytics(season, builders.category("best-boss"))
    assert found.votes_by_state == {"counted": 1, "held": 1, "invalid": 1}
    assert (found.votes_by_category, found.nominations_by_state["approved"]) == ({"Best Boss": 2}, 1)


def test_very_many_votes_are_counted_once_in_a_while(
    season: Season, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    cache.clear()
    Tally.objects.filter(category__slug="best-recruiter").update(votes=60_000)
    before = selectors.analytics(season)
    assert before.is_kept
    with django_assert_num_queries(1):
        assert selectors.analytics(season) == before
    assert selectors.analytics(season, is_fresh=True).counted_at > before.counted_at
    cache.clear()


def test_page_draws_each_table_and_hands_it_out_as_a_sheet(season: Season, staff_client: Client) -> None:
    page = staff_client.get(ADDRESS, {"season": season.pk})
    assert page.content.decode().count('<figure class="chart">') == 8
    for chart in page.context["charts"]:
        sheet = staff_client.get(chart.sheet)
        rows = list(csv.reader(io.StringIO(b"".join(sheet.streaming_content).decode())))  # type: ignore[attr-defined]
        assert [len(row) for row in rows] == [len(chart.headings)] * (1 + len(chart.rows))
    domains = staff_client.get(f"{ADDRESS}voters-by-domain.csv", {"season": season.pk})
    assert b"".join(domains.streaming_content) == b"mail domain,voters\r\nfirm.example,5\r\n"  # type: ignore[attr-defined]
    assert staff_client.get(f"{ADDRESS}nonsense.csv").status_code == 404


def test_page_takes_the_same_queries_for_any_number_of_votes(
    season: Season, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(6):
        selectors.analytics(season)


@pytest.mark.django_db
def test_page_says_when_there_is_nothing(staff_client: Client) -> None:
    assert "There is no season" in staff_client.get(ADDRESS).content.decode()
    builders.season()
    assert "Nothing to count yet" in staff_client.get(ADDRESS, {"season": "x", "category": "y"}).content.decode()
    assert staff_client.get(f"{ADDRESS}votes-by-day.csv").status_code == 200


@pytest.mark.django_db
def test_page_is_for_those_who_see_votes() -> None:
    builders.season()
    assert builders.logged_in(builders.staff("nominations.view_season")).get(ADDRESS).status_code == 403
    reader = builders.logged_in(builders.staff("nominations.view_vote"))
    assert reader.get(ADDRESS).status_code == 200
    assert 'href="/admin/nominations/analytics/"' in reader.get("/admin/").content.decode()
