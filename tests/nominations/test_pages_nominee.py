"""A nominee's own page."""

import re
from typing import Any

import pytest
from django.test import Client

from crm.models import User
from nominations import services
from nominations.models import Category, Nomination, Nominee, Season
from nominations.pages.pictures import card_of
from tests.nominations.public import (
    FORM,
    WHY,
    make_category,
    make_live,
    make_season,
    sent_nomination,
    sent_vote,
    text_of,
)

pytestmark = pytest.mark.django_db


def test_a_live_page_tells_the_story(client: Client, staff: User, season: Season, category: Category) -> None:
    described: dict[str, Any] = {
        "job_title": "Director",
        "company": "Northbound",
        "bio": "Born in Leeds.",
        "achievements": "A prize.",
    }
    nominee = make_live(staff, category, linkedin_url="linkedin.com/in/maya", **described)
    services.cast_vote(category, nominee, voter={"email": "v@example.org", "first_name": "A", "last_name": "B"})
    response = client.get("/nominee/maya-okafor")
    text = text_of(response)
    for said in ("Maya Okafor", "Director, Northbound", WHY, "Born in Leeds.", "A prize.", "Best Recruiter 1 vote"):
        assert said in text
    assert '<a href="https://www.linkedin.com/in/maya" rel="nofollow noopener">' in response.content.decode()


def test_a_live_page_tells_other_sites_what_it_is(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    nominee = make_live(staff, category)
    page = client.get("/nominee/maya-okafor").content.decode()
    meta = dict(re.findall(r'<meta (?:property|name)="([^"]*)"\s+content="([^"]*)"', page))
    assert meta["og:title"] == "Maya Okafor – nominee in the Laurel Awards"
    assert meta["og:url"] == "https://awards.example/nominee/maya-okafor"
    assert meta["og:description"] == meta["twitter:description"] == meta["description"] == WHY
    card = f"https://awards.example/nominee/maya-okafor/card.png?v={card_of(nominee, season).version}"
    assert meta["og:image"] == meta["twitter:image"] == card
    assert (meta["og:image:width"], meta["og:image:height"]) == ("1200", "630")
    assert meta["og:image:alt"] == "Maya Okafor, Nominee · Laurel 2026: Best Recruiter"
    assert meta["twitter:card"] == "summary_large_image"
    assert '<link rel="canonical" href="https://awards.example/nominee/maya-okafor">' in page


def test_a_company_shows_its_facts(client: Client, staff: User, season: Season) -> None:
    firm = make_category("best-firm", "Best Firm", "company")
    make_live(staff, firm, industry="Staffing", company_size="51-200", country="Ghana", website="http://abc.example")
    page = client.get("/nominee/abc-company-ltd").content.decode()
    facts = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>\s*(?:<a[^>]*>)?([^<]*?)\s*<", page)
    assert facts == [("Country", "Ghana"), ("Company size", "51-200"), ("Website", "http://abc.example")]
    assert "Staffing" in text_of(client.get("/nominee/abc-company-ltd"))


def test_a_link_that_is_not_a_web_address_is_not_a_link(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    nominee = make_live(staff, category)
    Nominee.objects.filter(pk=nominee.pk).update(website="javascript:alert(1)")
    assert "javascript:" not in client.get("/nominee/maya-okafor").content.decode()


@pytest.mark.parametrize("visibility", ["rank_only", "hidden"])
def test_totals_are_hidden_when_the_season_hides_them(
    client: Client, staff: User, category: Category, visibility: str
) -> None:
    make_season(totals_visibility=visibility)
    make_live(staff, category)
    assert "0 votes" not in text_of(client.get("/nominee/maya-okafor"))


def test_only_approved_words_are_shown(client: Client, staff: User, season: Season, category: Category) -> None:
    make_live(staff, category)
    client.post(FORM, sent_nomination(why="Not decided yet.", **{"nominee-email": "maya0@example.org"}))
    assert Nomination.objects.count() == 2
    assert "Not decided yet." not in client.get("/nominee/maya-okafor").content.decode()


def test_what_people_write_is_text(client: Client, staff: User, season: Season, category: Category) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    fields: dict[str, Any] = dict.fromkeys(("job_title", "company", "country", "bio", "achievements"), evil)
    nominee = make_live(staff, category, why=evil, **fields)
    Nominee.objects.filter(pk=nominee.pk).update(first_name=evil)
    client.post(FORM, sent_nomination(known="nobody", **{"nominee-first_name": evil}))
    wrong = client.post(FORM, sent_nomination(**{"nominee-first_name": evil, "why": evil, "nominator-email": evil}))
    for response in (*map(client.get, ("/", "/nominate/thanks", f"/nominee/{nominee.slug}")), wrong):
        page = response.content.decode()
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert "<img src=x" not in page


def test_a_nominee_who_is_not_live_has_no_page(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    nominee = make_live(staff, category)
    services.withdraw_nomination(nominee.nominations.get(), by=staff)
    gone, unknown = client.get("/nominee/maya-okafor"), client.get("/nominee/nobody")
    Nominee.objects.update(state="draft")
    assert [gone.status_code, unknown.status_code, client.get("/nominee/maya-okafor").status_code] == [410, 404, 404]
    assert "This page has been retired" in text_of(gone)
    assert client.post("/nominee/maya-okafor", sent_vote()).status_code == 404
