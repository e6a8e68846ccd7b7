"""Results: frozen when they are published, told as they were frozen, and taken back."""

import csv
import io
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django_q.models import Schedule
from pytest_django import DjangoAssertNumQueries, Settings

from nominations import selectors, services
from nominations.models import Nomination, Result, Season, Tally, Vote
from nominations.services.verification import verification_token
from tests import builders
from tests.door import get, post, said

Places = list[tuple[str, int, int, int, bool]]


def closed(**fields: Any) -> Season:
    """The season, after voting; read anew."""
    return builders.season(voting_close_at=timezone.now() - timedelta(seconds=1), **fields)


def with_votes(*counts: int, category: str = "best-recruiter") -> list[Nomination]:
    """Somebody for each count, with that many votes."""
    found = [builders.approved(to=builders.category(category)) for _ in counts]
    for nomination, count in zip(found, counts, strict=True):
        for _ in range(count):
            builders.vote(nomination)
    return found


def places() -> Places:
    """What stands frozen, the best first."""
    rows = Result.objects.order_by("category", "rank", "-votes", "nominee__created_at")
    return [(str(row.nominee.pk), row.rank, row.of, row.total_votes, row.is_tied) for row in rows]


def refused(call: Callable[[], Any]) -> str:
    """The code of a refusal."""
    with pytest.raises(ValidationError) as caught, transaction.atomic():
        call()
    return str(caught.value.code)


def publish(season: Season | None = None) -> int:
    """By staff."""
    return services.publish_results(season or closed(), by=builders.superuser())


@pytest.mark.django_db
class TestFreezing:
    """What is written, and when."""

    def test_every_standing_nominee_gets_a_row_and_ties_share_a_rank(self) -> None:
        first, second, third, fourth = with_votes(3, 1, 1, 0)
        services.reject_nomination(with_votes(2)[0], by=builders.superuser(), reason="No.")
        boss = builders.superuser()
        services.add_manual_votes(first.nominee, first.category, count=4, reason="By post.", by=boss)
        assert publish() == 4
        assert places() == [
            (str(first.nominee_id), 1, 4, 7, False),
            (str(second.nominee_id), 2, 4, 1, True),
            (str(third.nominee_id), 2, 4, 1, True),
            (str(fourth.nominee_id), 4, 4, 0, False),
        ]
        frozen = selectors.frozen(builders.season())
        assert frozen is not None
        assert (frozen.places, frozen.categories, frozen.at) == (4, 1, builders.season().results_published_at)

    def test_results_wait_for_the_end_of_voting_and_for_somebody_who_stands(self) -> None:
        season = builders.season()
        assert refused(lambda: publish(closed())) == "too_early"
        with_votes_later = builders.season(voting_close_at=None)
        builders.approved()
        assert refused(lambda: publish(with_votes_later)) == "too_early"
        builders.season(voting_open_at=timezone.now() + timedelta(days=1), voting_close_at=None)
        assert refused(lambda: publish(season)) == "too_early"
        assert (selectors.frozen_at(builders.season()), Result.objects.count()) == (None, 0)

    def test_results_are_published_once(self) -> None:
        with_votes(1)
        publish()
        assert refused(publish) == "already_published"

    def test_waiting_votes_are_given_up_and_wait_again_after_a_withdrawal(self, client: Client) -> None:
        (nomination,) = with_votes(1)
        builders.season(vote_verification=Season.Verification.EMAIL)
        held, old = builders.vote(nomination), builders.vote(nomination)
        Vote.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=8))
        publish()
        assert set(Vote.objects.values_list("state", "reason")) == {("counted", ""), ("invalid", "unverified")}
        assert client.get(f"/vote/confirm/{verification_token(held)}").status_code == 403
        assert client.post(f"/vote/confirm/{verification_token(held)}").status_code == 403
        assert services.withdraw_results(builders.season(), by=builders.superuser()) == 1
        assert Vote.objects.get(state="held") == held
        assert builders.season().results_published_at is None
        assert client.post(f"/vote/confirm/{verification_token(held)}").status_code == 302
        assert publish() == 1
        assert (Result.objects.get().votes, services.verify_votes()) == (2, "")

    def test_the_clock_freezes_what_is_due_and_only_that(self) -> None:
        with_votes(1)
        at = timezone.now() + timedelta(minutes=10)
        season = closed(results_published_at=at)
        assert (services.publish_due_results(), selectors.frozen_at(season)) == (0, None)
        with time_machine.travel(at + timedelta(seconds=5), tick=False):
            builders.season(voting_close_at=timezone.now() + timedelta(days=1))
            assert services.publish_due_results() == 0
            builders.season(voting_close_at=at)
            assert (services.publish_due_results(), services.publish_due_results()) == (1, 0)
        assert (Result.objects.count(), builders.season().results_published_at) == (1, at)
        task = Schedule.objects.get(func="nominations.tasks.publish_due_results")
        assert (task.schedule_type, task.minutes) == (Schedule.MINUTES, 1)

    def test_publishing_early_moves_the_date_to_now(self) -> None:
        with_votes(1)
        before = timezone.now()
        publish(closed(results_published_at=before + timedelta(days=3)))
        at = builders.season().results_published_at
        assert at is not None
        assert before <= at <= timezone.now()


def told(category: str = "best-recruiter") -> tuple[Any, Any, Any]:
    """What anybody reads of totals: podium, nominees, stats."""
    podium = [
        (row["slug"], row["rank"], row["total_votes"]) for row in said(get(f"/api/podium?category={category}"))[1]
    ]
    listed = said(get("/api/nominees?ordering=rank"))[1]["results"]
    nominees = [(row["slug"], row["rank"], row["total_votes"]) for row in listed]
    stats = said(get("/api/stats"))[1]
    return podium, nominees, (stats["nominees"], stats["votes"])


@pytest.mark.django_db
class TestReading:
    """From the moment of freezing on."""

    def test_nothing_that_happens_later_changes_the_results(self) -> None:
        first, second, third = with_votes(3, 2, 1)
        boss = builders.superuser()
        publish()
        before = told()
        assert before[0] == [(row.nominee.slug, rank, 4 - rank) for rank, row in enumerate((first, second, third), 1)]
        assert before[2] == (3, 6)
        services.invalidate_votes(Vote.objects.filter(nominee=first.nominee), reason="staff", note="x", by=boss)
        services.add_manual_votes(third.nominee, third.category, count=50, reason="Late.", by=boss)
        later = builders.approved()
        Tally.objects.create(
            season=later.season, category=later.category, nominee=later.nominee, votes=0, manual_votes=9
        )
        assert told() == before
        assert said(get(f"/api/nominees/{third.nominee.slug}"))[1]["total_votes"] == 1
        assert said(get(f"/api/nominees/{later.nominee.slug}"))[1]["categories"] == []
        live = selectors.live_boards(builders.season())[third.category_id]
        assert live[0].nominee_id == third.nominee_id
        assert selectors.what_if(builders.season(), third.category, {}).before[0].nominee_id == third.nominee_id

    def test_who_is_suspended_later_keeps_the_place_without_an_address(self) -> None:
        first, second = with_votes(2, 1)
        publish()
        services.withdraw_nomination(first, by=builders.superuser())
        rows = said(get("/api/podium?category=best-recruiter"))[1]
        assert [(row["name"], row["rank"], row["live_url"]) for row in rows] == [
            (first.nominee.name, 1, ""),
            (second.nominee.name, 2, second.nominee.live_url),
        ]
        assert [row["rank"] for row in said(get("/api/nominees"))[1]["results"]] == [2]

    @pytest.mark.parametrize(
        ("visibility", "before", "after"),
        [
            ("shown", [(1, 5), (2, 4), (3, 3), (4, 2)], [(1, 5), (2, 4), (3, 3), (4, 2)]),
            ("rank_only", [(1, None), (2, None), (3, None), (4, None)], [(1, None), (2, None), (3, None), (4, None)]),
            ("hidden", [(None, None)] * 4, [(1, None), (2, None), (3, None), (None, None)]),
        ],
    )
    def test_ranks_are_told_at_the_end_and_totals_only_where_the_season_shows_them(
        self, visibility: str, before: list[Any], after: list[Any]
    ) -> None:
        (nomination, *_others) = with_votes(5, 4, 3, 2)
        builders.season(totals_visibility=visibility)

        def seen() -> list[Any]:
            season = builders.season()
            board = selectors.seen(season, selectors.leaderboard(season, nomination.category))
            return [(row.rank, row.total_votes) for _nominee, _place, row in board]

        def on_podium() -> list[Any]:
            rows = said(get("/api/podium?category=best-recruiter"))[1]
            return [(row["rank"], row["total_votes"]) for row in rows]

        assert (seen(), on_podium()) == (before, [pair for pair in before[:3] if pair[0]])
        publish()
        assert (seen(), on_podium()) == (after, after[:3])

    def test_frozen_boards_take_as_many_queries_for_one_nominee_as_for_many(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        many = with_votes(1, 1, 0, category="a")[0].category_id
        (nomination,) = with_votes(1, category="b")
        publish()
        season = builders.season()
        with django_assert_num_queries(2):
            found = {pk: len(board) for pk, board in selectors.boards(season).items()}
        assert found == {many: 3, nomination.category_id: 1}
        with django_assert_num_queries(4):
            assert len(selectors.standings(nomination.nominee, season)) == 1
        with django_assert_num_queries(3):
            assert len(selectors.seen(season, selectors.leaderboard(season, nomination.category))) == 1

    def test_withdrawn_results_move_again(self) -> None:
        first, second = with_votes(2, 1)
        publish()
        services.add_manual_votes(second.nominee, second.category, count=5, reason="Late.", by=builders.superuser())
        services.withdraw_results(builders.season(), by=builders.superuser())
        assert told()[0] == [(second.nominee.slug, 1, 6), (first.nominee.slug, 2, 2)]
        assert refused(lambda: services.withdraw_results(builders.season(), by=builders.superuser())) == (
            "already_withdrawn"
        )


@pytest.mark.django_db
class TestScreens:
    """What staff see and press."""

    def test_publishing_is_previewed_with_ties_empty_categories_and_waiting_votes(self, staff_client: Client) -> None:
        first, _second, _third = with_votes(2, 1, 1)
        (lonely,) = with_votes(0, category="best-boss")
        builders.season(vote_verification=Season.Verification.EMAIL)
        builders.vote(first)
        season = closed()
        address = f"/admin/nominations/season/{season.pk}"
        page = staff_client.get(f"{address}/publish/")
        assert [board.category for board in page.context["without_votes"]] == [lonely.category]
        assert [len(board.ties) for board in page.context["with_ties"]] == [1]
        assert page.context["consequences"][1] == "1 vote that nobody has confirmed will not count any more."
        assert Result.objects.count() == 0
        answer = staff_client.post(f"{address}/publish/", follow=True)
        assert "are published: 4 places frozen." in answer.content.decode()
        assert "4 places in 2 categories" in answer.content.decode()
        assert staff_client.get(f"{address}/withdraw/").status_code == 200
        answer = staff_client.post(f"{address}/withdraw/", follow=True)
        assert "are withdrawn: 4 places no longer frozen." in answer.content.decode()
        said_of = list(LogEntry.objects.order_by("pk").values_list("object_id", flat=True))
        assert (said_of, Result.objects.count()) == ([str(season.pk)] * 2, 0)

    def test_open_voting_is_named_and_cannot_be_published(self, staff_client: Client) -> None:
        season = with_votes(1)[0].season
        address = f"/admin/nominations/season/{season.pk}/publish/"
        assert "Voting is open and has no end" in staff_client.get(address).content.decode()
        assert "Voting is open and has no end" in staff_client.post(address).content.decode()
        assert Result.objects.count() == 0

    def test_list_is_searched_and_exported_as_it_is_filtered(self, staff_client: Client) -> None:
        (first,), (other,) = with_votes(1), with_votes(1, category="best-boss")
        publish()
        address = "/admin/nominations/result/"
        assert staff_client.get(address, {"q": first.nominee.last_name}).context["cl"].result_count == 1
        sheet = staff_client.get(f"{address}export/", {"category__id__exact": other.category_id})
        lines = list(csv.DictReader(io.StringIO(b"".join(sheet.streaming_content).decode())))  # type: ignore[attr-defined]
        assert [(row["category"], row["rank"], row["nominee"], row["total_votes"]) for row in lines] == [
            (other.category.label, "1", other.nominee.name, "1")
        ]

    def test_rights_are_those_of_seasons_and_of_results(self) -> None:
        season = with_votes(1)[0].season
        reader = builders.logged_in(builders.staff("nominations.view_season", "nominations.view_result"))
        for page in ("publish", "withdraw"):
            assert reader.post(f"/admin/nominations/season/{season.pk}/{page}/").status_code == 403
        seen = reader.get(f"/admin/nominations/season/{season.pk}/change/").context["actions"]
        assert [label for label, _address, _look in seen] == ["History"]
        assert reader.get("/admin/nominations/result/export/").status_code == 200
        other = builders.logged_in(builders.staff("nominations.view_season"))
        assert other.get("/admin/nominations/result/export/").status_code == 403

    def test_state_says_what_will_happen(self, staff_client: Client) -> None:
        season, at = with_votes(1)[0].season, datetime(2031, 5, 1, 9, tzinfo=UTC)
        address = f"/admin/nominations/season/{season.pk}/change/"
        closed(results_published_at=at)
        assert "published by themselves on 01 May 2031, 09:00 UTC" in staff_client.get(address).content.decode()
        builders.season(results_published_at=timezone.now())
        assert "waiting for the worker" in staff_client.get(address).content.decode()
        services.publish_due_results()
        assert "1 place in 1 category" in staff_client.get(address).content.decode()

    def test_whoever_is_taken_down_keeps_the_place_and_no_picture(self, tmp_path: Path, settings: Settings) -> None:
        settings.MEDIA_ROOT = tmp_path
        (nomination,) = with_votes(1)
        nomination.nominee.image.save("x.webp", ContentFile(b"picture"))
        publish()
        services.withdraw_nomination(nomination, by=builders.superuser())
        for path in ("/", "/leaderboard", "/api/podium?category=best-recruiter"):
            page = get(path).content.decode()
            assert (nomination.nominee.name in page, "x.webp" in page, "/portrait" in page) == (True, False, False)

    def test_export_of_what_cannot_be_asked_is_not_found(self, staff_client: Client) -> None:
        assert staff_client.get("/admin/nominations/result/export/?is_tied__exact=x").status_code == 404

    def test_later_votes_by_hand_are_warned_of(self, staff_client: Client) -> None:
        (nomination,) = with_votes(1)
        publish()
        sent = {"nominee": nomination.nominee_id, "category": nomination.category_id, "count": 3, "reason": "Post."}
        page = staff_client.post("/admin/nominations/manualvote/add/", sent).content.decode()
        assert "The published results stay as they are" in page


def keep_voting(nomination: Nomination, until: datetime, codes: list[str]) -> None:
    """One voter after another, through the API."""
    place = {"category": nomination.category.slug, "nominee": nomination.nominee.slug}
    while timezone.now() < until:
        status, answer = said(post("/api/votes", {**place, "voter": builders.person()}))
        codes.append(answer.get("code", str(status)))


def keep_publishing() -> None:
    """Until it is done."""
    while not Result.objects.exists():
        with suppress(ValidationError):
            services.publish_results(builders.season(), by=None)


def side_by_side(*calls: Callable[[], None]) -> None:
    """Each in a thread of its own, to the end."""

    def run(call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            connection.close()

    threads = [Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.usefixtures("really_committed")
def test_vote_in_the_last_second_is_in_the_results_or_refused() -> None:
    """Votes pour in while the window closes and the results are frozen: nothing comes in between."""
    one, two = builders.approved(), builders.approved()
    for _round in range(3):
        codes: list[str] = []
        ends_at = timezone.now() + timedelta(seconds=0.4)
        builders.season(voting_close_at=ends_at)
        voting = [partial(keep_voting, row, ends_at + timedelta(seconds=0.15), codes) for row in (one, two, one)]
        side_by_side(*voting, keep_publishing)
        # A busy machine may have been too late for any.
        assert set(codes) - {"201"} == {"voting_closed"}
        frozen = dict(Result.objects.exclude(votes=0).values_list("nominee", "votes"))
        assert frozen == dict(Tally.objects.values_list("nominee", "votes"))
        assert (sum(frozen.values()), services.verify_votes()) == (Vote.objects.counted().count(), "")
        services.withdraw_results(builders.season(), by=builders.superuser())
