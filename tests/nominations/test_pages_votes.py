"""Voting on a nominee's page."""

import re

import pytest
from django.test import Client

from crm.models import User
from nominations import services
from nominations.models import Category, Nominee, Season, Vote
from tests.nominations.public import make_category, make_live, make_season, sent_vote, text_of

pytestmark = pytest.mark.django_db


def test_a_vote_counts_and_is_confirmed_once(client: Client, staff: User, season: Season, category: Category) -> None:
    make_live(staff, category)
    response = client.post("/nominee/maya-okafor", sent_vote(), headers={"user-agent": "Browser"})
    assert (response.status_code, response["Location"]) == (302, "/nominee/maya-okafor#vote")
    vote = Vote.objects.get()
    assert (vote.voter.email, vote.ip_prefix, vote.user_agent) == ("tom@example.org", "127.0.0.0/24", "Browser")
    assert "Your vote counted" in text_of(client.get("/nominee/maya-okafor"))
    assert "Your vote counted" not in text_of(client.get("/nominee/maya-okafor"))


def test_a_vote_sent_twice_is_confirmed_twice_and_counts_once(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    make_live(staff, category)
    assert [client.post("/nominee/maya-okafor", sent_vote()).status_code for _ in range(2)] == [302, 302]
    assert Vote.objects.count() == 1


def test_a_second_vote_in_the_category_is_refused_in_words(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    make_live(staff, category)
    make_live(staff, category, 1)
    client.post("/nominee/maya-okafor", sent_vote())
    response = client.post("/nominee/maya-okafor1", sent_vote(key="1" * 32))
    assert response.status_code == 409
    assert "You have already voted in this category" in text_of(response)
    assert 'name="voter-email"' not in response.content.decode()
    assert Vote.objects.count() == 1


def test_one_who_stands_in_two_categories_asks_which(client: Client, staff: User, season: Season) -> None:
    for number, slug in enumerate(("one", "two")):
        make_live(staff, make_category(slug, slug.title()), number, email="maya@example.org")
    page = client.get("/nominee/maya-okafor").content.decode()
    assert re.findall(r'type="radio" name="category" value="(\w+)"', page) == ["one", "two"]
    assert client.post("/nominee/maya-okafor", sent_vote(category="")).status_code == 400
    assert client.post("/nominee/maya-okafor", sent_vote(category="best-recruiter")).status_code == 400
    assert client.post("/nominee/maya-okafor", sent_vote(category="two")).status_code == 302
    assert Vote.objects.get().category.slug == "two"


def test_a_vote_without_an_address_names_the_field(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    make_live(staff, category)
    response = client.post("/nominee/maya-okafor", sent_vote(**{"voter-email": ""}))
    assert response.status_code == 400
    assert '<a href="#id_voter-email">' in response.content.decode()
    assert 'value="O&#x27;Brien"' in response.content.decode()


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("post", 403)])
def test_closed_voting_says_so_and_has_no_form(
    client: Client, staff: User, category: Category, method: str, status: int
) -> None:
    make_season(voting_open_at=None, voting_closed_message="The votes are being counted.")
    make_live(staff, category)
    response = getattr(client, method)("/nominee/maya-okafor", sent_vote())
    assert response.status_code == status
    assert "The votes are being counted." in text_of(response)
    assert "<form" not in response.content.decode()
    assert not Vote.objects.exists()


def test_a_page_outlives_its_season(client: Client, staff: User, season: Season, category: Category) -> None:
    make_live(staff, category)
    Season.objects.update(is_current=False)
    assert client.get("/nominee/maya-okafor").status_code == 200
    make_season(name="Laurel 2027")
    assert "Not standing this season" in text_of(client.get("/nominee/maya-okafor"))


def test_a_browser_is_told_what_it_voted_for_and_asked_about_the_rest(
    client: Client, staff: User, season: Season
) -> None:
    one, two = make_category("one", "One"), make_category("two", "Two")
    make_live(staff, one, 0, email="maya@example.org")
    make_live(staff, two, 1, email="maya@example.org")
    make_live(staff, one, 2)
    path = "/nominee/maya-okafor"
    client.post(path, sent_vote(category="one"))
    assert "Your vote counted" in text_of(client.get(path))
    assert client.get(path).content.decode().count('name="category" value="two"') == 1
    assert "already voted in this category: One : your vote went to Maya Okafor ." in text_of(client.get(path))
    other = client.get("/nominee/maya-okafor2")
    assert "You have already voted in this category One : your vote went to Maya Okafor ." in text_of(other)
    assert "<form" not in other.content.decode()
    assert 'name="voter-email"' in client.get("/nominee/maya-okafor2?voter=new").content.decode()
    assert "already voted" not in text_of(Client().get(path))
    Vote.objects.update(state="invalid", reason="unverified")
    assert "already voted" not in text_of(client.get(path))


def test_whoever_is_out_takes_no_votes_and_a_merged_one_leads_to_the_survivor(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    rows = [make_live(staff, category, number) for number in range(3)]
    for loser, survivor in (rows[0:2], rows[1:3]):
        Nominee.objects.filter(pk=loser.pk).update(state="merged", merged_into=survivor)
    for path in ("/nominee/maya-okafor", "/nominee/maya-okafor/card.png"):
        moved = client.get(path)
        assert (moved.status_code, moved["Location"]) == (301, path.replace("okafor", "okafor2"))
    assert client.post("/nominee/maya-okafor", sent_vote()).status_code == 301
    services.withdraw_nomination(rows[2].nominations.get(), by=staff)
    assert [
        client.get("/nominee/maya-okafor").status_code,
        client.post("/nominee/maya-okafor2", sent_vote()).status_code,
    ] == [410, 410]
    assert not Vote.objects.exists()
