"""What anybody may read."""

import pytest
from django.test import Client

from nominations import services
from tests import builders

pytestmark = pytest.mark.django_db


def test_a_live_nominee_shows_its_story_and_no_address(client: Client) -> None:
    nomination = builders.approved(of=builders.nominee(bio="Kind.", phone="07306 506797"), why="Because.")
    builders.vote(nomination)
    body = client.get(f"/api/nominees/{nomination.nominee.slug}").json()
    assert (body["name"], body["bio"], body["why"]) == (nomination.nominee.name, "Kind.", ["Because."])
    assert body["live_url"] == f"https://awards.example/nominee/{nomination.nominee.slug}"
    place = {"total_votes": 1, "rank": 1, "trending": "Top 10%"}
    assert body["categories"] == [{"category": "best-recruiter", "label": "Best Recruiter", **place}]
    assert {name: body[name] for name in place} == place
    assert not {"email", "phone", "phone_raw", "state", "id"} & set(body)


def test_totals_are_hidden_when_the_season_says_so(client: Client) -> None:
    nomination = builders.approved()
    builders.season(totals_visibility="hidden")
    body = client.get(f"/api/nominees/{nomination.nominee.slug}").json()
    assert body["categories"][0]["total_votes"] is None


def test_a_nominee_that_is_not_live_is_missing_and_a_suspended_one_is_gone(client: Client) -> None:
    nomination = builders.approved()
    slug = nomination.nominee.slug
    services.reject_nomination(nomination, by=builders.superuser(), reason="No.")
    for address, status, code in ((slug, 410, "gone"), ("nobody", 404, "not_live")):
        answer = client.get(f"/api/nominees/{address}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_stats_count_the_season(client: Client) -> None:
    builders.vote(builders.approved())
    builders.submitted()
    assert client.get("/api/stats").json() == {"nominees": 1, "nominations": 2, "votes": 1, "categories": 1}
