"""Casting a vote through the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from pytest_django import Settings

from loops_sync.models import OutboxEntry
from nominations import services
from nominations.models import Category, Nomination, Nominee, Season, Vote, Voter
from tests import builders
from tests.door import post, refusal, said

pytestmark = pytest.mark.django_db
OPENS, CLOSES = datetime(2026, 5, 1, 9, tzinfo=UTC), datetime(2026, 6, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def standing() -> Nomination:
    """Somebody who can be voted for."""
    return builders.approved(of=builders.nominee(last_name="Star"))


def cast(nomination: Nomination, *, headers: dict[str, str] | None = None, **body: Any) -> HttpResponse:
    """A vote of somebody new, unless the body says otherwise."""
    sent = {"category": nomination.category.slug, "nominee": nomination.nominee.slug, "voter": builders.person()}
    return post("/api/votes", {**sent, **body}, **(headers or {}))


def test_vote_is_answered_with_the_total(standing: Nomination) -> None:
    cast(standing)
    status, body = said(cast(standing))
    newest = Vote.objects.order_by("-created_at").first()
    assert newest is not None
    assert (status, body) == (
        201,
        {
            "id": str(newest.pk),
            "state": "counted",
            "nominee": "nia-star",
            "category": "best-recruiter",
            "total_votes": 2,
        },
    )


@pytest.mark.parametrize("visibility", ["rank_only", "hidden"])
def test_total_is_not_told_where_the_season_does_not_show_it(standing: Nomination, visibility: str) -> None:
    builders.season(totals_visibility=visibility)
    status, body = said(cast(standing))
    assert (status, body["total_votes"]) == (201, None)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [(OPENS - SECOND, False), (OPENS, True), (CLOSES - SECOND, True), (CLOSES, False)],
)
def test_voting_opens_and_closes_to_the_second(standing: Nomination, at: datetime, is_open: bool) -> None:
    builders.season(voting_open_at=OPENS, voting_close_at=CLOSES, voting_closed_message="See you.")
    with time_machine.travel(at, tick=False):
        response = cast(standing)
    if is_open:
        assert response.status_code == 201
    else:
        assert said(response) == (403, {"detail": "See you.", "code": "voting_closed"})
    assert Vote.objects.count() == int(is_open)


def test_closed_voting_is_told_before_anything_about_the_nominee(standing: Nomination) -> None:
    builders.season(voting_open_at=None)
    assert refusal(cast(standing, nominee="nobody")) == (403, "voting_closed")


def test_one_voter_has_one_vote_in_a_category(standing: Nomination) -> None:
    rival, voter = builders.approved(), builders.person()
    assert cast(standing, voter=voter).status_code == 201
    before = OutboxEntry.objects.count()
    assert refusal(cast(standing, voter=voter)) == (409, "already_voted")
    again = {**voter, "email": f" {voter['email'].upper()} ", "company": "New"}
    assert refusal(cast(rival, voter=again)) == (409, "already_voted")
    assert (Vote.objects.count(), Voter.objects.count(), OutboxEntry.objects.count()) == (1, 1, before)
    assert Voter.objects.get().company == ""


def test_one_voter_may_vote_in_every_category_and_season(standing: Nomination) -> None:
    voter = builders.person()
    elsewhere = builders.approved(to=builders.category("best-leader"))
    assert [cast(standing, voter=voter).status_code, cast(elsewhere, voter=voter).status_code] == [201, 201]
    builders.season(is_current=False)
    builders.season(name="2027")
    assert cast(builders.approved(), voter=voter).status_code == 201


def test_invalid_vote_frees_the_voter(standing: Nomination) -> None:
    voter = builders.person()
    cast(standing, voter=voter)
    services.invalidate_votes(Vote.objects.all(), reason="staff", note="No.", by=builders.superuser())
    status, body = said(cast(standing, voter=voter))
    assert (status, body["total_votes"]) == (201, 1)


def test_database_holds_one_counted_vote(standing: Nomination) -> None:
    vote = builders.vote(standing)
    with pytest.raises(IntegrityError), transaction.atomic():
        Vote.objects.bulk_create(
            [Vote(season=vote.season, category=vote.category, nominee=vote.nominee, voter=vote.voter)]
        )


def not_live(response: HttpResponse) -> bool:
    """The one answer for everybody who cannot be voted for."""
    return said(response) == (404, {"detail": "There is no such nominee in this category.", "code": "not_live"})


def test_who_is_not_live_cannot_be_voted_for(standing: Nomination) -> None:
    draft = builders.submitted().nominee
    Nominee.objects.filter(pk=draft.pk).update(slug="draft")
    assert not_live(cast(standing, nominee="draft"))
    assert not_live(cast(standing, nominee="nobody"))
    assert not_live(cast(standing, nominee="Nia-Star"))
    assert not_live(cast(standing, category=builders.category("best-leader").slug))
    services.withdraw_nomination(standing, by=builders.superuser())
    assert not_live(cast(standing))
    Nominee.objects.filter(pk=standing.nominee_id).update(state="merged", merged_into=builders.approved().nominee)
    assert not_live(cast(standing))
    assert (Vote.objects.count(), Voter.objects.count()) == (0, 0)


def test_nominee_of_an_earlier_season_cannot_be_voted_for(standing: Nomination) -> None:
    builders.season(is_current=False)
    builders.season(name="2027")
    assert not_live(cast(standing))


def test_nominee_can_be_voted_for_only_where_the_approval_stands(standing: Nomination) -> None:
    elsewhere = builders.submitted(to=builders.category("best-leader"), of={"kind": "person", **NAMED})
    first = builders.approved(of={"kind": "person", **NAMED})
    assert first.nominee_id == elsewhere.nominee_id
    elsewhere.refresh_from_db()
    assert not_live(cast(elsewhere))
    assert cast(first).status_code == 201


NAMED = {"first_name": "Two", "last_name": "Hats", "email": "two@x.example"}


def test_unknown_and_switched_off_categories_are_named(standing: Nomination) -> None:
    assert said(cast(standing, category="nope")) == (400, {"category": ["There is no such category."]})
    Category.objects.update(is_active=False)
    assert said(cast(standing)) == (400, {"category": ["This category takes no votes."]})


@pytest.mark.parametrize(
    ("address", "prefix"), [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("", "")]
)
def test_vote_keeps_the_neighbourhood_of_its_address_and_the_browser(
    standing: Nomination, address: str, prefix: str
) -> None:
    body = {"category": standing.category.slug, "nominee": "nia-star", "voter": builders.person()}
    post("/api/votes", body, address=address, User_Agent="x" * 400)
    vote = Vote.objects.get()
    assert (vote.ip_prefix, vote.user_agent) == (prefix, "x" * 300)


def test_vote_behind_our_proxy_keeps_the_voters_neighbourhood(standing: Nomination, settings: Settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    cast(standing, headers={"X_Forwarded_For": "10.9.9.9, 192.0.2.77"})
    assert Vote.objects.get().ip_prefix == "192.0.2.0/24"


def test_vote_does_not_believe_a_forwarded_address(standing: Nomination) -> None:
    cast(standing, headers={"X_Forwarded_For": "192.0.2.77"})
    assert Vote.objects.get().ip_prefix == "127.0.0.0/24"


def test_known_voter_is_completed_and_never_overwritten(standing: Nomination) -> None:
    voter = builders.person(company="First Ltd")
    cast(standing, voter=voter)
    elsewhere = builders.approved(to=builders.category("best-leader"))
    cast(elsewhere, voter={**voter, "company": "Evil", "first_name": "Eve", "country": "UK"})
    known = Voter.objects.get()
    assert (known.first_name, known.company, known.country) == (voter["first_name"], "First Ltd", "UK")


def test_vote_without_a_season_says_so(standing: Nomination) -> None:
    Season.objects.update(is_current=False)
    assert refusal(cast(standing)) == (404, "no_season")
