"""Nominating on the public pages."""

import re

import pytest
from django.test import Client

from crm.models import User
from nominations import services
from nominations.models import Category, Nomination, Nominee, Season, Vote
from tests.nominations.public import (
    FORM,
    WHY,
    closed,
    make_category,
    make_live,
    make_season,
    sent_nomination,
    sent_vote,
    text_of,
)

pytestmark = pytest.mark.django_db


def test_nominate_offers_each_category_with_its_kind(client: Client, season: Season, category: Category) -> None:
    make_category("best-firm", "Best Firm", "company")
    page = client.get("/nominate").content.decode()
    assert re.findall(r'href="(/nominate\?[^"]*)"', page) == [
        "/nominate?category=best-firm",
        "/nominate?category=best-recruiter",
    ]
    assert re.findall(r"For a \w+", page) == ["For a company", "For a person"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("person", ["first_name", "last_name", "job_title", "company"]),
        ("company", ["company_name", "website", "industry", "company_size"]),
    ],
)
def test_the_form_has_the_fields_of_the_kind(client: Client, season: Season, kind: str, names: list[str]) -> None:
    make_category("some", "Some", kind)
    page = client.get("/nominate?category=some").content.decode()
    own = set(re.findall(r'name="nominee-(\w+)"', page))
    both = {"email", "linkedin_url", "phone", "country", "bio", "achievements", "image"}
    assert own == {*names, *both}


def test_an_unknown_category_offers_the_known_ones(client: Client, season: Season, category: Category) -> None:
    response = client.get("/nominate?category=none")
    assert response.status_code == 404
    assert "/nominate?category=best-recruiter" in response.content.decode()


def test_a_nomination_is_stored_and_thanked_for(client: Client, season: Season, category: Category) -> None:
    response = client.post(FORM, sent_nomination(**{"nominee-country": "Ghana", "nominator-phone": "07306 506797"}))
    assert (response.status_code, response["Location"]) == (302, "/nominate/thanks")
    nomination = Nomination.objects.get()
    assert (nomination.state, nomination.source, nomination.why) == ("submitted", "page", WHY)
    assert (nomination.nominee.name, nomination.nominee.country) == ("Maya O'Kafor", "Ghana")
    assert (nomination.nominator.email, nomination.nominator.phone) == ("ada@example.org", "+447306506797")
    thanks = client.get("/nominate/thanks").content.decode()
    assert "Maya O&#x27;Kafor" in thanks
    assert 'href="/nominate">Nominate someone else' in " ".join(thanks.split())


def test_a_company_is_nominated_with_its_website(client: Client, season: Season) -> None:
    make_category("best-firm", "Best Firm", "company")
    sent = sent_nomination(
        category="best-firm", **{"nominee-company_name": "Sea & Sky", "nominee-website": "sea.example"}
    )
    client.post("/nominate?category=best-firm", sent)
    nominee = Nominee.objects.get()
    assert (nominee.kind, nominee.company_name, nominee.website) == ("company", "Sea & Sky", "https://sea.example")


def test_thanks_without_a_nomination_leads_to_the_form(client: Client) -> None:
    assert client.get("/nominate/thanks")["Location"] == "/nominate"


def test_a_form_sent_twice_is_one_nomination(client: Client, season: Season, category: Category) -> None:
    answers = [client.post(FORM, sent_nomination()) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == ["/nominate/thanks"] * 2
    assert Nomination.objects.count() == 1


def test_a_form_taken_back_and_changed_is_a_second_nomination(
    client: Client, season: Season, category: Category
) -> None:
    client.post(FORM, sent_nomination())
    client.post(FORM, sent_nomination(**{"nominee-first_name": "Zoë"}))
    assert set(Nominee.objects.values_list("first_name", flat=True)) == {"Maya", "Zoë"}


def test_the_same_nominee_again_is_refused_in_words(client: Client, season: Season, category: Category) -> None:
    client.post(FORM, sent_nomination())
    response = client.post(FORM, sent_nomination(key="1" * 32))
    assert response.status_code == 409
    assert "You have already nominated them in this category." in text_of(response)
    assert Nomination.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("nominee-first_name", "", "Please fill this in."),
        ("nominee-email", "nope", "Enter a valid email address."),
        ("nominee-linkedin_url", "https://evil.example/in/x", "Enter a LinkedIn address"),
        ("nominee-phone", "12", "This phone number is too short"),
        ("nominator-email", "", "Please fill this in."),
        ("nominator-linkedin_url", "linkedin.com", "Enter a LinkedIn address"),
        ("nominator-phone", "word", "Enter a phone number"),
        ("why", "", "Please fill this in."),
        ("why", "x" * 1001, "Ensure this value has at most 1000 characters (it has 1001)."),
    ],
)
def test_an_error_stands_beside_its_field_and_in_the_summary(
    client: Client, season: Season, category: Category, name: str, value: str, message: str
) -> None:
    response = client.post(FORM, sent_nomination(**{name: value}))
    page = response.content.decode()
    assert response.status_code == 400
    assert re.findall(r'<a href="#([^"]*)">', page.split('role="alert"')[1].split("</ul>")[0]) == [f"id_{name}"]
    (control,) = re.findall(rf'<(?:input|textarea)[^>]*name="{name}"[^>]*>', page)
    assert 'aria-invalid="true"' in control
    assert f"id_{name}_error" in re.findall(r'aria-describedby="([^"]*)"', control)[0].split()
    assert message in page.split(f'id="id_{name}_error"')[1].split("</p>")[0]
    assert not Nomination.objects.exists()


def test_errors_keep_what_was_typed_and_unfold_what_is_wrong(
    client: Client, season: Season, category: Category
) -> None:
    sent = sent_nomination(**{"nominator-email": "", "nominee-phone": "12"})
    page = client.post(FORM, sent).content.decode()
    assert 'value="O&#x27;Kafor"' in page
    assert f">\n{WHY}</textarea>" in page
    assert re.findall(r'<details class="fold"\s*(open)?\s*>', page) == ["open", ""]


def test_a_line_break_counts_as_one_character(client: Client, season: Season, category: Category) -> None:
    why = "\r\n".join(["x" * 9] * 100) + "x"
    assert client.post(FORM, sent_nomination(why=why)).status_code == 302
    assert len(Nomination.objects.get().why) == 1000


@pytest.mark.parametrize("scheme", ["ftp://a.example", "javascript:alert(1)"])
def test_a_website_is_http_only(client: Client, season: Season, scheme: str) -> None:
    make_category("best-firm", "Best Firm", "company")
    sent = sent_nomination(category="best-firm", **{"nominee-company_name": "X", "nominee-website": scheme})
    assert client.post("/nominate?category=best-firm", sent).status_code == 400


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("post", 403)])
def test_a_closed_season_says_so_and_has_no_form(client: Client, category: Category, method: str, status: int) -> None:
    make_season(**closed(nominations_closed_message="Come back in May."))
    response = getattr(client, method)(FORM, sent_nomination())
    assert response.status_code == status
    assert "Come back in May." in text_of(response)
    assert "<form" not in response.content.decode()
    assert not Nomination.objects.exists()


def test_nominating_without_a_season_is_404(client: Client, category: Category) -> None:
    assert [client.get("/nominate").status_code, client.post(FORM, sent_nomination()).status_code] == [404, 404]


def test_forms_need_their_csrf_token(staff: User, season: Season, category: Category) -> None:
    strict, path = Client(enforce_csrf_checks=True), f"/nominee/{make_live(staff, category).slug}"
    assert strict.post(FORM, sent_nomination()).status_code == 403
    assert strict.post(path, sent_vote()).status_code == 403
    assert (Nomination.objects.count(), Vote.objects.count()) == (1, 0)


def test_a_similar_name_is_asked_about_once(client: Client, staff: User, season: Season, category: Category) -> None:
    known = make_live(staff, category)
    services.submit_nomination(
        category,
        nominator={"first_name": "A", "last_name": "B", "email": "b@example.org"},
        nominee={"kind": "person", "first_name": "Maya", "last_name": "Okaforr"},
        why=WHY,
        source=Nomination.Source.API,
    )
    sent = sent_nomination(**{"nominator-email": "new@example.org"})
    asked = client.post(FORM, sent)
    page = asked.content.decode()
    assert (asked.status_code, Nomination.objects.count()) == (200, 2)
    assert re.findall(r'name="known"\s+value="([^"]*)"', page) == ["maya-okafor", "nobody"]
    assert 'value="O&#x27;Kafor"' in page
    assert "maya0@example.org" not in page
    assert client.post(FORM, {**sent, "known": "maya-okaforr"}).status_code == 200
    assert client.post(FORM, {**sent, "known": "maya-okafor"})["Location"] == "/nominate/thanks"
    assert known.nominations.count() == 2
    another = {**sent, "known": "nobody", "nominator-email": "newer@example.org"}
    assert client.post(FORM, another).status_code == 302
    assert Nominee.objects.filter(last_name="O'Kafor").count() == 1


def test_nobody_is_asked_about_a_name_when_an_address_tells(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    known = make_live(staff, category)
    sent = sent_nomination(**{"nominee-email": "MAYA0@example.org", "nominator-email": "new@example.org"})
    assert client.post(FORM, sent).status_code == 302
    assert known.nominations.count() == 2
