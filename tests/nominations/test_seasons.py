"""Seasons: their form, their list, and how the next one begins."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from nominations import services
from nominations.admin.phases import Phase, phase_of
from nominations.models import Nomination, Result, Season
from nominations.services.seasons import name_next_year
from tests import builders

LEAP_DAY = datetime(2028, 2, 29, 12, tzinfo=UTC)
ADDRESS = "/admin/nominations/season/"
DATES = {
    "nominations_open_at": "2031-01-01T00:00",
    "nominations_close_at": "2031-02-01T00:00",
    "voting_open_at": "2031-02-01T00:00",
    "voting_close_at": "2031-03-01T00:00",
}
FORM = {
    "name": "2031",
    **DATES,
    "nominations_closed_message": "Closed.",
    "voting_closed_message": "Closed.",
    "totals_visibility": "shown",
    "vote_verification": "none",
    "results_published_at": "2031-03-08T00:00",
}


@pytest.mark.django_db
def test_a_window_that_never_ends_is_cloned_as_it_is(staff_client: Client) -> None:
    season = builders.season(voting_close_at=datetime(9999, 12, 31, tzinfo=UTC))
    assert "9999-12-31" in staff_client.get(f"{ADDRESS}{season.pk}/clone/").text


def errors(client: Client, **fields: str) -> dict[str, Any]:
    """What the form says of a season with these fields."""
    answer = client.post(f"{ADDRESS}add/", {**FORM, **fields})
    return dict(answer.context["adminform"].form.errors) if answer.context else {}


@pytest.mark.django_db
class TestForm:
    """What makes sense together."""

    def test_dates_in_their_order_are_taken(self, staff_client: Client) -> None:
        assert errors(staff_client) == {}
        season = Season.objects.get()
        assert (season.results_published_at, season.is_current) == (datetime(2031, 3, 8, tzinfo=UTC), False)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            (
                {"nominations_close_at": DATES["nominations_open_at"]},
                {"nominations_close_at": "after nominations open"},
            ),
            ({"voting_close_at": "2031-01-31T00:00"}, {"voting_close_at": "after voting opens"}),
            ({"nominations_open_at": ""}, {"nominations_open_at": "Say when nominations open"}),
            ({"voting_open_at": ""}, {"voting_open_at": "Say when voting opens"}),
            ({"voting_close_at": ""}, {"voting_close_at": "Say when voting closes"}),
            ({"results_published_at": "2031-02-28T23:59"}, {"results_published_at": "once voting has closed"}),
        ],
    )
    def test_dates_out_of_order_are_refused_at_their_fields(
        self, staff_client: Client, fields: dict[str, str], said: dict[str, str]
    ) -> None:
        found = errors(staff_client, **fields)
        assert list(found) == list(said)
        assert all(text in str(found[name]) for name, text in said.items())

    def test_what_results_rest_on_is_fixed_while_they_are_published(self, staff_client: Client) -> None:
        builders.vote(builders.approved())
        season = builders.season(voting_close_at=timezone.now() - timedelta(seconds=1))
        services.publish_results(season, by=builders.superuser())
        answer = staff_client.post(f"{ADDRESS}{season.pk}/change/", {**FORM, "name": "Renamed"})
        assert answer.status_code == 302
        after = builders.season()
        assert (after.name, after.voting_close_at) == ("Renamed", season.voting_close_at)
        assert (after.results_published_at is None, Result.objects.count()) == (False, 1)


@pytest.mark.django_db
class TestCloning:
    """Next year."""

    def test_clone_is_a_year_later_with_the_settings_and_nothing_else(self) -> None:
        builders.vote(builders.approved())
        season = builders.season(
            voting_close_at=LEAP_DAY,
            results_published_at=LEAP_DAY + timedelta(days=1),
            voting_closed_message="Gone.",
            totals_visibility=Season.Totals.RANK_ONLY,
            vote_verification=Season.Verification.EMAIL,
        )
        clone = services.clone_season(season, name="2027", by=builders.superuser())
        clone.refresh_from_db()
        assert clone.voting_close_at == datetime(2029, 2, 28, 12, tzinfo=UTC)
        assert season.voting_open_at is not None
        assert clone.voting_open_at == season.voting_open_at.replace(year=season.voting_open_at.year + 1)
        assert (clone.voting_closed_message, clone.totals_visibility) == ("Gone.", "rank_only")
        assert (clone.vote_verification, clone.is_current, clone.results_published_at) == ("email", False, None)
        assert (clone.nominations.count(), clone.tallies.count(), Nomination.objects.count()) == (0, 0, 1)

    def test_clone_is_not_made_twice(self) -> None:
        with pytest.raises(ValidationError) as caught:
            services.clone_season(builders.season(), name="2026", by=builders.superuser())
        assert list(caught.value.message_dict) == ["name"]

    @pytest.mark.parametrize(
        ("name", "following"),
        [
            ("Laurel Awards 2026", "Laurel Awards 2027"),
            ("2025/2026", "2025/2027"),
            ("The 3rd", "The 3rd (next)"),
            ("No. 12026", "No. 12026 (next)"),
        ],
    )
    def test_name_is_counted_up(self, name: str, following: str) -> None:
        assert name_next_year(name) == following

    def test_page_shows_what_comes_along_and_leads_to_the_new_season(self, staff_client: Client) -> None:
        builders.category()
        season = builders.season(name="Laurel 2026")
        address = f"{ADDRESS}{season.pk}/clone/"
        page = staff_client.get(address)
        assert page.context["form"]["name"].value() == "Laurel 2027"
        assert "The active category stays" in page.context["consequences"][0]
        refused = staff_client.post(address, {"name": "Laurel 2026", **DATES})
        assert list(refused.context["form"].errors) == ["name"]
        refused = staff_client.post(address, {"name": "Laurel 2027", **DATES, "voting_close_at": "2030-01-01T00:00"})
        assert list(refused.context["form"].errors) == ["voting_close_at"]
        answer = staff_client.post(address, {"name": "Laurel 2027", **DATES})
        clone = Season.objects.get(name="Laurel 2027")
        assert answer["Location"] == f"{ADDRESS}{clone.pk}/change/"
        assert clone.voting_close_at == datetime(2031, 3, 1, tzinfo=UTC)
        assert LogEntry.objects.get(object_id=str(clone.pk)).action_flag == ADDITION

    def test_page_is_for_those_who_may_add_seasons(self) -> None:
        season = builders.season()
        reader = builders.logged_in(builders.staff("nominations.view_season", "nominations.change_season"))
        assert reader.post(f"{ADDRESS}{season.pk}/clone/", {"name": "x"}).status_code == 403


@pytest.mark.django_db
class TestList:
    """All of them."""

    def test_counts_are_of_each_season(self, staff_client: Client) -> None:
        first = builders.approved()
        builders.vote(first)
        services.add_manual_votes(first.nominee, first.category, count=4, reason="Post.", by=builders.superuser())
        builders.submitted()
        Season.objects.create(name="Empty")
        rows = staff_client.get(ADDRESS).context["cl"].result_list
        counts = [(row.name, row.nomination_count, row.nominee_count, row.vote_count) for row in rows]
        assert counts == [("2026", 2, 1, 5), ("Empty", 0, 0, 0)]

    def test_list_takes_as_many_queries_for_one_season_as_for_three(
        self, staff_client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        builders.season()
        staff_client.get(ADDRESS)
        for name in ("Empty", "Other"):
            with django_assert_num_queries(5):
                staff_client.get(ADDRESS)
            Season.objects.create(name=name, results_published_at=timezone.now())
        with django_assert_num_queries(5):
            staff_client.get(ADDRESS)

    def test_phases_filter_the_list(self, staff_client: Client) -> None:
        builders.season()
        Season.objects.create(name="Empty")
        for phase, names in ((Phase.BOTH, ["2026"]), (Phase.CLOSED, ["Empty"]), (Phase.VOTING, [])):
            rows = staff_client.get(ADDRESS, {"phase": phase.value}).context["cl"].result_list
            assert [row.name for row in rows] == names


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("nominating", "voting", "phase"),
    [
        ((None, None), (None, None), Phase.CLOSED),
        ((HOUR, None), (2 * HOUR, None), Phase.SOON),
        ((-HOUR, HOUR), (HOUR, None), Phase.NOMINATING),
        ((-HOUR, HOUR), (-HOUR, None), Phase.BOTH),
        ((-2 * HOUR, -HOUR), (HOUR, None), Phase.BETWEEN),
        ((-2 * HOUR, -HOUR), (-HOUR, HOUR), Phase.VOTING),
        ((-2 * HOUR, -HOUR), (-HOUR, -HOUR / 2), Phase.CLOSED),
    ],
)
def test_phase_is_what_goes_on_now(nominating: Any, voting: Any, phase: Phase) -> None:
    now = timezone.now()
    names = ("nominations_open_at", "nominations_close_at", "voting_open_at", "voting_close_at")
    times = [None if span is None else now + span for span in (*nominating, *voting)]
    assert phase_of(Season(**dict(zip(names, times, strict=True))), is_frozen=False) == phase
