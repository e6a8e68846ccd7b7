"""Suspicious groups of votes, and what staff do about them."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from loops_sync.models import OutboxEntry
from nominations import selectors, services
from nominations.models import Nomination, Tally, Vote, VoteRuling
from nominations.services import verify_votes
from tests import builders

pytestmark = pytest.mark.django_db
LIST, REVIEW = "/admin/nominations/vote/clusters/", "/admin/nominations/vote/clusters/review/"


def votes(nomination: Nomination, count: int, *, address: str = "", domain: str = "", apart: int = 7) -> None:
    """So many, minutes apart, each from a network and a domain of its own unless they are given."""
    base = timezone.now() - timedelta(days=2)
    start = Vote.objects.count()
    for number in range(start, start + count):
        voter = builders.person(email=f"v{number}@{domain or f'd{number}.example'}")
        at = base + timedelta(minutes=apart * number)
        with time_machine.travel(at, tick=False):
            services.cast_vote(
                nomination.category, nomination.nominee, voter=voter, address=address or f"10.{number}.0.1"
            )


@pytest.fixture
def two() -> tuple[Nomination, Nomination]:
    """A star with seven votes, six of them from one network, and a rival with two."""
    builders.season(voting_open_at=timezone.now() - timedelta(days=9))
    star, rival = (builders.approved(of=builders.nominee(last_name=name)) for name in ("Star", "Rival"))
    votes(star, 6, address="192.0.2.7")
    votes(star, 1)
    votes(rival, 2)
    return star, rival


def address_of(nomination: Nomination, kind: str = "network", value: str = "192.0.2.0/24") -> str:
    """The page of a group."""
    names = f"season={nomination.season_id}&category={nomination.category_id}&nominee={nomination.nominee_id}"
    return f"{REVIEW}?{names}&kind={kind}&value={quote(value)}"


def test_groups_are_found_by_network_domain_and_minute(two: Any) -> None:
    star, rival = two
    votes(rival, 5, domain="firm.example")
    votes(star, 6, domain="gmail.com")
    votes(star, 7, apart=0)
    found = selectors.clusters(star.season)
    seen = [(row.kind, row.value.split("/")[0], row.nominee_id, row.size) for row in found if row.kind != "burst"]
    assert seen == [("network", "192.0.2.0", star.nominee_id, 6), ("domain", "firm.example", rival.nominee_id, 5)]
    burst = next(row for row in found if row.kind == "burst")
    # One of the first six was cast in that minute, too.
    assert (burst.size, burst.share) == (8, 40)
    same = selectors.cluster_votes(star.season, star.category, star.nominee, kind="burst", value=burst.value)
    assert same.count() == 8
    assert selectors.clusters(star.season, nominee=rival.nominee)[0].value == "firm.example"


def test_minutes_that_follow_each_other_are_one_burst(two: Any) -> None:
    star, _rival = two
    noon = timezone.now().replace(hour=12, minute=0, second=0) - timedelta(days=3)
    for number in range(12):
        with time_machine.travel(noon + timedelta(seconds=10 * number), tick=False):
            builders.vote(star)
    burst = next(row for row in selectors.clusters(star.season) if row.kind == "burst")
    assert (burst.size, burst.first_at, burst.last_at) == (12, noon, noon + timedelta(seconds=110))


def test_groups_take_the_same_queries_however_many(
    two: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    star, rival = two
    with django_assert_num_queries(4):
        selectors.clusters(star.season)
    votes(rival, 9, domain="firm.example", address="198.51.100.1")
    with django_assert_num_queries(4):
        assert len(selectors.clusters(star.season)) == 3


def test_group_is_shown_with_and_without_then_taken_out_then_put_back(two: Any, staff_client: Client) -> None:
    star, rival = two
    listed = staff_client.get(LIST).content.decode()
    assert "One network: 192.0.2.0/24" in listed
    assert "86 %" in listed
    page = staff_client.get(address_of(star))
    names = [[str(nominee) for nominee, _place in pair] for pair in page.context["podium_rows"]]
    assert names == [["Nia Star", "Nia Rival"], ["Nia Rival", "Nia Star"]]
    assert Vote.objects.counted().count() == 9
    told = OutboxEntry.objects.filter(event_type="vote_changed").count()
    sent = {"reason": "cluster", "note": "One office.", "expected": 6}
    assert staff_client.post(address_of(star), sent).status_code == 302
    assert (Tally.objects.get(nominee=star.nominee).votes, verify_votes()) == (1, "")
    assert set(Vote.objects.filter(state="invalid").values_list("reason", flat=True)) == {"cluster"}
    assert OutboxEntry.objects.filter(event_type="vote_changed").count() == told + 6
    ruling = VoteRuling.objects.get()
    assert (ruling.size, ruling.note, str(star.nominee) in ruling.about) == (6, "One office.", True)
    undo = f"/admin/nominations/voteruling/{ruling.pk}/undo/"
    assert "Restore the votes" in staff_client.get(undo).content.decode()
    staff_client.post(undo, {"note": "They are real."})
    assert (Tally.objects.get(nominee=star.nominee).votes, verify_votes()) == (7, "")
    staff_client.post(undo, {"note": "Again."})
    assert (VoteRuling.objects.count(), Tally.objects.get(nominee=star.nominee).votes) == (2, 7)


def test_group_that_grew_since_the_preview_is_not_taken_out(two: Any, staff_client: Client) -> None:
    star, _rival = two
    votes(star, 1, address="192.0.2.8")
    page = staff_client.post(address_of(star), {"reason": "cluster", "note": "x", "expected": 6})
    assert "There are 7 votes now, not 6" in page.content.decode()
    assert Vote.objects.counted().count() == 10


def test_ruling_needs_a_reason(two: Any, staff_client: Client) -> None:
    star, _rival = two
    assert "Say why." in staff_client.post(address_of(star), {"reason": "cluster", "expected": 6}).content.decode()
    with pytest.raises(ValidationError) as refused:
        services.invalidate_votes(Vote.objects.all(), reason="staff", note=" ", by=builders.superuser())
    assert (refused.value.code, Vote.objects.counted().count()) == ("reason_required", 9)


@pytest.mark.parametrize("odd", ["", "?kind=x", "?season=x", "?kind=burst&value=now"])
def test_group_that_is_none_is_missing(two: Any, staff_client: Client, odd: str) -> None:
    assert staff_client.get(f"{REVIEW}{odd}").status_code == 404
    assert staff_client.get(address_of(two[0], "burst", "then/now")).status_code == 404


def test_pages_need_their_permissions(two: Any) -> None:
    star, _rival = two
    viewer, nobody = (builders.logged_in(builders.staff(*rights)) for rights in (["nominations.view_vote"], []))
    assert (viewer.get(LIST).status_code, nobody.get(LIST).status_code) == (200, 403)
    assert viewer.get(address_of(star)).status_code == 403
    assert viewer.post("/admin/nominations/vote/judge/", {}).status_code == 403
    assert viewer.get("/admin/nominations/manualvote/add/").status_code == 403
    assert "Review" not in viewer.get(LIST).content.decode().split("<tbody>")[1]


def test_ticked_votes_are_previewed_then_invalidated_and_restored(two: Any, staff_client: Client) -> None:
    star, _rival = two
    changelist = "/admin/nominations/vote/"
    ids = [str(pk) for pk in Vote.objects.values_list("pk", flat=True)[:2]]
    page = staff_client.post(changelist, {"action": "invalidate_selected", "_selected_action": ids})
    assert "Invalidate 2" in page.content.decode()
    assert Vote.objects.counted().count() == 9
    sent = {"decision": "invalidate", "ids": ",".join(ids), "reason": "self_vote", "note": "Their own."}
    assert staff_client.post("/admin/nominations/vote/judge/", sent).status_code == 302
    assert Vote.objects.filter(state="invalid", reason="self_vote").count() == 2
    page = staff_client.post(changelist, {"action": "restore_selected", "_selected_action": ids})
    assert "Restore 2" in page.content.decode()
    staff_client.post("/admin/nominations/vote/judge/", {"decision": "restore", "ids": ",".join(ids), "note": "No."})
    assert (Vote.objects.counted().count(), verify_votes()) == (9, "")
    assert "Every tally agrees" in staff_client.post("/admin/nominations/vote/verify/", follow=True).content.decode()
    Tally.objects.update(votes=50)
    assert "the tally says 50" in staff_client.post("/admin/nominations/vote/verify/").content.decode()


def test_who_has_voted_anew_stays_out_when_a_ruling_is_undone(two: Any) -> None:
    star, rival = two
    boss = builders.superuser()
    ruling = services.invalidate_votes(Vote.objects.filter(nominee=star.nominee), reason="staff", note="x", by=boss)
    first = Vote.objects.filter(nominee=star.nominee).select_related("voter").first()
    assert first is not None
    again = {"email": first.voter.email, "first_name": "V", "last_name": "X"}
    services.cast_vote(rival.category, rival.nominee, voter=again)
    assert services.undo_ruling(ruling, note="y", by=boss).size == 6
    assert (Tally.objects.get(nominee=star.nominee).votes, verify_votes()) == (6, "")
    first.refresh_from_db()
    assert first.state == "invalid"


def test_rulings_are_append_only(two: Any) -> None:
    services.invalidate_votes(Vote.objects.all(), reason="staff", note="x", by=builders.superuser())
    with pytest.raises(IntegrityError), transaction.atomic():
        VoteRuling.objects.update(note="y")
    with pytest.raises(IntegrityError), transaction.atomic():
        VoteRuling.objects.all().delete()


def test_list_of_votes_filters_and_finds_the_beginning_of_an_address(two: Any, staff_client: Client) -> None:
    star, _rival = two
    address = "/admin/nominations/vote/"
    assert staff_client.get(f"{address}?q=V99@D").context["cl"].result_count == 0
    assert staff_client.get(f"{address}?q=V6@D6").context["cl"].result_count == 1
    for query, count in ((f"nominee={star.nominee_id}", 7), ("state__exact=held", 0), ("reason__exact=staff", 0)):
        assert staff_client.get(f"{address}?{query}").context["cl"].result_count == count
    assert staff_client.get(f"{address}?nominee=x").status_code == 302
    assert [tab.count for tab in staff_client.get(address).context["tabs"]] == [9, 9, 0, 0]
    vote = Vote.objects.first()
    assert vote is not None
    assert staff_client.get(f"{address}{vote.pk}/change/").status_code == 200


def test_manual_votes_are_previewed_with_the_podium_before_and_after(two: Any, staff_client: Client) -> None:
    star, rival = two
    address = "/admin/nominations/manualvote/add/"
    sent = {"nominee": rival.nominee_id, "category": rival.category_id, "count": 9, "reason": "By post."}
    page = staff_client.post(address, {**sent, "_preview": "1"})
    names = [[str(nominee) for nominee, _place in pair] for pair in page.context["podium_rows"]]
    assert names == [["Nia Star", "Nia Rival"], ["Nia Rival", "Nia Star"]]
    assert page.context["total_after"] == 11
    assert Tally.objects.get(nominee=rival.nominee).total_votes == 2
    assert staff_client.post(address, {**sent, "_confirm": "1"}).status_code == 302
    assert Tally.objects.get(nominee=rival.nominee).total_votes == 11
    page = staff_client.post(address, {**sent, "count": -20, "_confirm": "1"})
    assert "cannot be less than 0" in page.content.decode()
    assert Tally.objects.get(nominee=rival.nominee).total_votes == 11
    assert "+9" in staff_client.get("/admin/nominations/manualvote/").content.decode()
