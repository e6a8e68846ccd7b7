"""What votes add up to, and who is ahead."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from loops_sync.models import OutboxEntry
from nominations import selectors, services
from nominations.models import ManualVote, Nomination, Tally, Vote, Voter, VoteRuling
from nominations.services import add_manual_votes, merge_votes, unmerge_votes, verify_votes
from tests import builders
from tests.door import get, post, refusal, said

CASES = [(1, "Top 10%"), (2, "Top 25%"), (3, "Top 50%"), (4, "Top 50%"), (5, "Rising"), (8, "Rising")]


def total(nomination: Nomination) -> tuple[int, int, int]:
    """Votes, manual votes, total."""
    tally = Tally.objects.get(nominee=nomination.nominee, category=nomination.category)
    return tally.votes, tally.manual_votes, tally.total_votes


def with_votes(count: int, **kwargs: Any) -> Nomination:
    """Somebody approved who has that many."""
    nomination = builders.approved(**kwargs)
    for _ in range(count):
        builders.vote(nomination)
    return nomination


@pytest.mark.django_db
class TestSums:
    """The numbers."""

    def test_120_votes_and_36_manual_ones_show_156(self) -> None:
        nomination = builders.approved()
        voters = Voter.objects.bulk_create(
            Voter(email=f"v{number}@x.example", first_name="V", last_name="X") for number in range(119)
        )
        places = {"season": nomination.season, "category": nomination.category, "nominee": nomination.nominee}
        Vote.objects.bulk_create(Vote(**places, voter=voter) for voter in voters)
        Tally.objects.create(**places, votes=119)
        builders.vote(nomination)
        address = f"/api/nominees/{nomination.nominee.slug}"
        body = {"category": "best-recruiter", "count": 36, "reason": "By post."}
        answer = said(post(f"{address}/manual-votes", body, by=builders.superuser()))
        assert answer == (201, {"votes": 120, "manual_votes": 36, "total_votes": 156})
        shown = said(get(address))[1]
        assert (shown["total_votes"], shown["rank"], shown["trending"]) == (156, 1, "Top 10%")
        assert shown["categories"][0]["total_votes"] == 156
        assert said(get("/api/stats"))[1]["votes"] == 156
        assert verify_votes() == ""

    def test_manual_votes_may_be_taken_away_but_the_total_is_never_below_zero(self) -> None:
        nomination, boss = with_votes(2), builders.superuser()
        add_manual_votes(nomination.nominee, nomination.category, count=-2, reason="Twice.", by=boss)
        assert total(nomination) == (2, -2, 0)
        with pytest.raises(ValidationError) as refused:
            add_manual_votes(nomination.nominee, nomination.category, count=-1, reason="More.", by=boss)
        assert list(refused.value.message_dict) == ["count"]
        with pytest.raises(ValidationError) as refused:
            services.invalidate_votes(Vote.objects.all(), reason="staff", note="No.", by=boss)
        assert refused.value.code == "total_below_zero"
        assert (total(nomination), Vote.objects.counted().count(), VoteRuling.objects.count()) == ((2, -2, 0), 2, 0)
        assert ManualVote.objects.get().staff_name == boss.email

    def test_database_holds_the_sums_and_keeps_what_was_written(self) -> None:
        nomination = with_votes(1)
        add_manual_votes(nomination.nominee, nomination.category, count=3, reason="Post.", by=builders.superuser())
        for change in (
            lambda: Tally.objects.update(votes=-1),
            lambda: Tally.objects.update(manual_votes=-2),
            lambda: ManualVote.objects.update(count=4),
            lambda: ManualVote.objects.all().delete(),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                change()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"count": 0, "reason": "x"}, "count"),
            ({"count": 1, "reason": " "}, "reason"),
            ({"count": 1.5, "reason": "x"}, "count"),
            ({"count": 10_000_000, "reason": "x"}, "count"),
        ],
    )
    def test_nonsense_by_hand_is_named(self, body: dict[str, Any], field: str) -> None:
        nomination = builders.approved()
        sent = {"category": "best-recruiter", **body}
        answer = post(f"/api/nominees/{nomination.nominee.slug}/manual-votes", sent, by=builders.superuser())
        assert (answer.status_code, list(said(answer)[1])) == (400, [field])

    def test_manual_votes_are_for_who_stands_there_and_by_who_may(self) -> None:
        nomination = builders.approved()
        other = builders.category("best-leader").slug
        address = f"/api/nominees/{nomination.nominee.slug}/manual-votes"
        sent = {"category": other, "count": 1, "reason": "x"}
        assert refusal(post(address, sent, by=builders.superuser())) == (404, "not_live")
        viewer = builders.staff("nominations.view_vote", "nominations.judge_vote")
        assert refusal(post(address, sent, by=viewer)) == (403, "permission_denied")

    def test_proof_names_the_first_tally_that_differs(self, capsys: pytest.CaptureFixture[str]) -> None:
        nomination = with_votes(2)
        call_command("verify_votes")
        assert "1 tallies agree" in capsys.readouterr().out
        Tally.objects.update(votes=3)
        with pytest.raises(SystemExit) as ended:
            call_command("verify_votes")
        said_so = capsys.readouterr().err
        assert (ended.value.code, str(nomination.nominee) in said_so, "says 3" in said_so) == (1, True, True)
        Tally.objects.all().delete()
        assert "no tally" in verify_votes()


@pytest.mark.django_db
class TestStandings:
    """Ranks, labels and who may see them."""

    @pytest.mark.parametrize(("rank", "label"), CASES)
    def test_labels_round_up(self, rank: int, label: str) -> None:
        assert selectors.trending_of(rank, 8) == label

    def test_ties_share_a_rank(self) -> None:
        two = [with_votes(2, of=builders.nominee(last_name=name)) for name in ("B", "A")]
        with_votes(1, of=builders.nominee(last_name="C"))
        builders.approved()
        rows = said(get("/api/podium?category=best-recruiter"))[1]
        assert [(row["name"], row["rank"], row["tied"], row["total_votes"]) for row in rows] == [
            ("Nia A", 1, True, 2),
            ("Nia B", 1, True, 2),
            ("Nia C", 3, False, 1),
        ]
        services.withdraw_nomination(two[0], by=builders.superuser())
        rows = said(get("/api/podium?category=best-recruiter"))[1]
        assert [(row["rank"], row["tied"]) for row in rows] == [(1, False), (2, False)]

    def test_podium_needs_a_category(self) -> None:
        builders.season()
        assert said(get("/api/podium")) == (400, {"category": ["This field is required."]})
        assert said(get("/api/podium?category=x")) == (400, {"category": ["There is no such category."]})

    def test_nominee_of_two_categories_shows_the_sum_and_its_best_place(self) -> None:
        of = builders.nominee(last_name="Two")
        first, second = with_votes(1, of=of), with_votes(3, of=of, to=builders.category("best-leader"))
        with_votes(2)
        row = next(row for row in said(get("/api/nominees"))[1]["results"] if row["name"] == "Nia Two")
        assert (row["total_votes"], row["rank"], sorted(row["categories"])) == (
            4,
            1,
            ["best-leader", "best-recruiter"],
        )
        row = said(get("/api/nominees?category=best-recruiter&q=two"))[1]["results"][0]
        assert (row["total_votes"], row["rank"], len(row["categories"])) == (1, 2, 2)
        assert (first.nominee_id, total(second)[2]) == (second.nominee_id, 3)

    @pytest.mark.parametrize(
        ("visibility", "seen", "order", "on_podium"),
        [
            ("shown", (2, 1, "Top 10%"), ["Z", "A"], [(1, 2), (2, 1)]),
            ("rank_only", (None, 1, "Top 10%"), ["Z", "A"], [(1, None), (2, None)]),
            ("hidden", (None, None, None), ["A", "Z"], []),
        ],
    )
    def test_season_decides_what_is_seen_everywhere(
        self, visibility: str, seen: tuple[Any, ...], order: list[str], on_podium: list[Any]
    ) -> None:
        star = with_votes(2, of=builders.nominee(last_name="Z"))
        with_votes(1, of=builders.nominee(last_name="A"))
        builders.season(totals_visibility=visibility)
        rows = said(get("/api/nominees?ordering=-total_votes"))[1]["results"]
        assert [row["name"][-1] for row in rows] == order
        listed = next(row for row in rows if row["name"][-1] == "Z")
        own = said(get(f"/api/nominees/{star.nominee.slug}"))[1]
        for row in (listed, own, own["categories"][0]):
            assert (row["total_votes"], row["rank"], row["trending"]) == seen
        podium = said(get("/api/podium?category=best-recruiter"))[1]
        assert [(row["rank"], row["total_votes"]) for row in podium] == on_podium
        assert said(get("/api/stats"))[1]["votes"] == (3 if visibility == "shown" else None)

    def test_directory_filters_orders_and_pages(self, client: Client) -> None:
        for name, country in (("Ann", "Spain"), ("bob", "France"), ("Cem", "Spain")):
            builders.approved(of=builders.nominee(first_name=name, last_name="X", country=country))
        builders.submitted()
        names = {
            "": ["Ann X", "bob X", "Cem X"],
            "ordering=-name": ["Cem X", "bob X", "Ann X"],
            "ordering=nonsense": ["Ann X", "bob X", "Cem X"],
            "country=spain": ["Ann X", "Cem X"],
            "q=bo": ["bob X"],
            "q=example.com": [],
            "kind=company": [],
            "category=none": [],
            "page_size=2&page=2": ["Cem X"],
        }
        for query, expected in names.items():
            assert [row["name"] for row in said(get(f"/api/nominees?{query}"))[1]["results"]] == expected, query
        assert get("/api/nominees?page=9").status_code == 404
        assert get("/api/nominees?kind=animal").status_code == 400


@pytest.mark.django_db
class TestMerging:
    """The primitives that a merge of nominees is made of."""

    def test_merge_moves_every_sum_and_unmerge_restores_it(self) -> None:
        boss = builders.superuser()
        loser, survivor = with_votes(3), with_votes(2)
        add_manual_votes(loser.nominee, loser.category, count=-2, reason="x", by=boss)
        add_manual_votes(survivor.nominee, survivor.category, count=5, reason="x", by=boss)
        before = OutboxEntry.objects.filter(event_type="vote_changed").count()
        assert merge_votes(loser.nominee, survivor.nominee, by=boss) == 3
        assert (total(loser), total(survivor)) == ((0, 0, 0), (5, 3, 8))
        assert verify_votes() == ""
        assert Vote.objects.filter(original_nominee=loser.nominee).count() == 3
        assert OutboxEntry.objects.filter(event_type="vote_changed").count() == before + 3
        builders.vote(survivor)
        assert unmerge_votes(loser.nominee, survivor.nominee, by=boss) == 3
        assert (total(loser), total(survivor), verify_votes()) == ((3, -2, 1), (3, 5, 8), "")
        assert Vote.objects.filter(original_nominee__isnull=False).count() == 0

    def test_merges_in_a_row_are_taken_back_in_turn(self) -> None:
        first, second, third = (with_votes(count) for count in (1, 2, 4))
        boss = builders.superuser()
        merge_votes(first.nominee, second.nominee, by=boss)
        merge_votes(second.nominee, third.nominee, by=boss)
        assert [total(row)[2] for row in (first, second, third)] == [0, 0, 7]
        unmerge_votes(second.nominee, third.nominee, by=boss, originals=[first.nominee])
        assert [total(row)[2] for row in (first, second, third)] == [0, 3, 4]
        unmerge_votes(first.nominee, second.nominee, by=boss)
        assert ([total(row)[2] for row in (first, second, third)], verify_votes()) == ([1, 2, 4], "")

    def test_voter_of_both_keeps_one(self) -> None:
        """Two counted votes never meet, but a held one may meet another."""
        builders.season(vote_verification="email")
        loser, survivor, voter = builders.approved(), builders.approved(), builders.person()
        old, young = (services.cast_vote(row.category, row.nominee, voter=voter) for row in (survivor, loser))
        services.confirm_vote(services.verification_token(young))
        merge_votes(loser.nominee, survivor.nominee, by=None)
        states = {vote.pk: (vote.state, vote.reason) for vote in Vote.objects.all()}
        assert states == {old.pk: ("invalid", "merged_duplicate"), young.pk: ("counted", "")}
        assert (total(survivor)[0], verify_votes()) == (1, "")
        unmerge_votes(loser.nominee, survivor.nominee, by=None)
        states = {vote.pk: (vote.state, vote.reason) for vote in Vote.objects.all()}
        assert states == {old.pk: ("held", "unverified"), young.pk: ("counted", "")}
        assert (total(loser)[0], total(survivor)[0], verify_votes()) == (1, 0, "")
