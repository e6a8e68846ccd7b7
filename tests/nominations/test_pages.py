"""The public pages: what people see, what they can send, and what they are told when they cannot."""

import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoAssertNumQueries, Settings

from crm.models import User
from nominations import services
from nominations.models import Category, CategoryGroup, Nomination, Nominee, Season, Vote

pytestmark = pytest.mark.django_db
WHY = "She found work for nine of us."
FORM = "/nominate?category=best-recruiter"


@pytest.fixture(autouse=True)
def _surroundings(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.PUBLIC_BASE_URL = "https://awards.example"
    settings.THROTTLE_RATES = {"public": "", "lookup": ""}


@pytest.fixture
def season() -> Season:
    return make_season()


@pytest.fixture
def category() -> Category:
    return make_category()


@pytest.fixture
def staff() -> User:
    return User.objects.create_superuser("staff@laurel.test", "x")


def make_season(**fields: Any) -> Season:
    now = timezone.now()
    window = {"nominations_open_at": now - timedelta(days=1), "voting_open_at": now - timedelta(days=1)}
    return Season.objects.create(**{"name": "Laurel 2026", "is_current": True, **window, **fields})


def make_category(slug: str = "best-recruiter", label: str = "Best Recruiter", kind: str = "person") -> Category:
    group = CategoryGroup.objects.get_or_create(name="Staffing")[0]
    return Category.objects.create(slug=slug, label=label, kind=kind, group=group)


def make_live(staff: User, category: Category, number: int = 0, why: str = WHY, **fields: Any) -> Nominee:
    """A nominee whom somebody has nominated and staff have approved."""
    name = {"first_name": "Maya", "last_name": f"Okafor{number or ''}"}
    if category.kind == "company":
        name = {"company_name": "ABC Company Ltd."}
    nomination = services.submit_nomination(
        category,
        nominator={"first_name": "Ada", "last_name": "Nwosu", "email": f"ada{number}@example.org"},
        nominee={"kind": category.kind, "email": f"maya{number}@example.org", **name, **fields},
        why=why,
        source=Nomination.Source.API,
    )
    return services.approve_nomination(nomination, by=staff).nominee


def sent_nomination(**fields: Any) -> dict[str, Any]:
    return {
        "category": "best-recruiter",
        "key": "0" * 32,
        "why": WHY,
        "nominee-first_name": "Maya",
        "nominee-last_name": "O'Kafor",
        "nominator-first_name": "Ada",
        "nominator-last_name": "Nwosu",
        "nominator-email": "Ada@Example.org",
        **fields,
    }


def sent_vote(**fields: Any) -> dict[str, Any]:
    return {
        "category": "best-recruiter",
        "key": "0" * 32,
        "voter-first_name": "Tom",
        "voter-last_name": "O'Brien",
        "voter-email": "tom@example.org",
        **fields,
    }


def picture(form: str = "PNG", size: tuple[int, int] = (40, 20), **options: Any) -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", size, "green").save(out, form, **options)
    return SimpleUploadedFile("me.png", out.getvalue())


def text_of(response: Any) -> str:
    """The page without tags, white space folded."""
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def closed(**fields: Any) -> dict[str, Any]:
    return {"nominations_open_at": None, "voting_open_at": None, **fields}


# --- Home -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("windows", "targets"),
    [
        ({}, ["/nominate", "#nominees"]),
        ({"voting_open_at": None}, ["/nominate", "#nominees"]),
        ({"nominations_open_at": None}, ["#nominees"]),
    ],
)
def test_home_calls_to_what_is_open(
    client: Client, staff: User, category: Category, windows: dict[str, Any], targets: list[str]
) -> None:
    season = make_season()
    make_live(staff, category)
    Season.objects.filter(pk=season.pk).update(**windows)
    page = client.get("/").content.decode()
    assert re.findall(r'class="button [^"]*"\s*href="([^"]*)"', page) == targets
    assert ("?category=best-recruiter" in page) is ("/nominate" in targets)


def test_home_shows_live_nominees_and_no_others(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    live, gone = make_live(staff, category), make_live(staff, category, 1)
    services.withdraw_nomination(gone.nominations.get(), by=staff)
    client.post(FORM, sent_nomination())
    assert re.findall(r'href="(/nominee/[^"]*)"', client.get("/").content.decode()) == [f"/nominee/{live.slug}"]


def test_home_names_when_a_closed_phase_opens(client: Client, category: Category) -> None:
    opens_at = timezone.now() + timedelta(days=400)
    make_season(**closed(nominations_open_at=opens_at))
    text = text_of(client.get("/"))
    assert f"Opens {opens_at.day} {opens_at:%B} {opens_at.year}" in text
    assert "Not open yet" in text


def test_home_without_a_season_says_so(client: Client) -> None:
    response = client.get("/")
    assert (response.status_code, "Between two seasons" in text_of(response)) == (200, True)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("path", "queries"), [("/", 4), ("/nominate", 2), ("/nominate?category=c0", 2), ("/nominee/maya-okafor", 6)]
)
def test_a_page_asks_the_database_a_constant_number_of_times(
    client: Client,
    staff: User,
    season: Season,
    django_assert_num_queries: DjangoAssertNumQueries,
    path: str,
    queries: int,
    rows: int,
) -> None:
    for category in [make_category(f"c{number}", f"C {number}") for number in range(rows)]:
        for number in range(rows):
            make_live(staff, category, number)
    with django_assert_num_queries(queries):
        assert client.get(path).status_code == 200


# --- Nominate -------------------------------------------------------------------------------------------------------
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


# --- Pictures -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_kept_small_and_without_metadata(
    client: Client, season: Season, category: Category, form: str
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    exif[0x0112] = 6
    upload = picture(form, (2400, 1000), exif=exif, icc_profile=b"profile")
    client.post(FORM, sent_nomination(**{"nominee-image": upload}))
    name = str(Nominee.objects.get().image.name)
    assert re.fullmatch(r"nominees/[0-9a-f-]{36}\.webp", name)
    with Nominee.objects.get().image.open() as file, Image.open(file) as kept:
        assert (kept.format, kept.size, dict(kept.getexif())) == ("WEBP", (500, 1200), {})
        assert {"exif", "icc_profile", "xmp"} & set(kept.info) == set()
    assert reverse("media", args=[name]) == f"/media/{name}"


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        (SimpleUploadedFile("me.png", b"<svg onload='alert(1)'/>"), "JPEG, PNG or WebP file"),
        (picture("GIF"), "JPEG, PNG or WebP file"),
        (SimpleUploadedFile("me.png", picture().read()[:50]), "JPEG, PNG or WebP file"),
        (picture("PNG", (8000, 7000)), "JPEG, PNG or WebP file"),
        (SimpleUploadedFile("me.png", bytes(5 * 1024 * 1024 + 1)), "larger than 5 MB"),
    ],
)
def test_what_is_not_a_picture_is_refused(
    client: Client, season: Season, category: Category, upload: SimpleUploadedFile, message: str
) -> None:
    upload.seek(0)
    response = client.post(FORM, sent_nomination(**{"nominee-image": upload}))
    assert (response.status_code, Nominee.objects.count()) == (400, 0)
    assert message in response.content.decode().split('id="id_nominee-image_error"')[1].split("</p>")[0]
    assert "choose the picture again" in text_of(response)


# --- Nominee --------------------------------------------------------------------------------------------------------
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
    assert "og:image" not in meta
    assert '<link rel="canonical" href="https://awards.example/nominee/maya-okafor">' in page
    nominee.image.save("x.webp", picture("WEBP"))
    page = client.get("/nominee/maya-okafor").content.decode()
    assert f'content="https://awards.example/media/{nominee.image.name}"' in page


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
    client.post(FORM, sent_nomination(**{"nominee-first_name": evil}))
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


# --- Votes ----------------------------------------------------------------------------------------------------------
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


# --- All pages ------------------------------------------------------------------------------------------------------
def test_pages_and_api_share_an_address_s_turns(
    client: Client, staff: User, season: Season, category: Category, settings: Settings
) -> None:
    make_live(staff, category)
    settings.THROTTLE_RATES = {"public": "2/min"}
    first = client.post(FORM, {})
    second = client.post("/api/nominations", {}, content_type="application/json")
    refused = [client.post(path, {}) for path in (FORM, "/nominee/maya-okafor")]
    assert [first.status_code, second.status_code] == [400, 400]
    assert [(page.status_code, 1 <= int(page["Retry-After"]) <= 30) for page in refused] == [(429, True)] * 2
    assert client.get(FORM).status_code == 200


def test_pages_have_one_heading_no_inline_code_and_labelled_fields(
    client: Client, staff: User, season: Season, category: Category
) -> None:
    make_live(staff, category, image=SimpleUploadedFile("x.webp", picture("WEBP").read()))
    make_live(staff, category, 1)
    client.post(FORM, sent_nomination())
    answers = [
        *map(client.get, ("/", "/nominate", FORM, "/nominate?category=none", "/nominate/thanks")),
        *map(client.get, ("/nominee/maya-okafor", "/nominee/maya-okafor1", "/nominee/nobody")),
        client.post(FORM, {}),
        client.post("/nominee/maya-okafor", {}),
    ]
    for response in answers:
        page = response.content.decode()
        assert len(re.findall(r"<h1[ >]", page)) == 1
        assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)|javascript:", page) == []
        assert set(re.findall(r'(?:src|href)="(?:https?:)?//([^/"]*)', page)) <= {
            "www.linkedin.com", "x.com", "wa.me", "awards.example"
        }  # fmt: skip
        labels = set(re.findall(r'<label[^>]*for="([^"]*)"', page))
        controls = re.findall(r'<(?:input|textarea|select)(?![^>]*type="hidden")[^>]*id="([^"]*)"', page)
        assert set(controls) <= labels
        assert len(re.findall(r' id="([^"]*)"', page)) == len(set(re.findall(r' id="([^"]*)"', page)))
