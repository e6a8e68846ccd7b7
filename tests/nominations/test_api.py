"""Submitting, listing and reading nominations through the API."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import User
from nominations import services
from nominations.models import Category, DecisionLog, Nomination, Nominator, Nominee, Season
from tests import builders
from tests.door import bearer, get, post, refusal, said

pytestmark = pytest.mark.django_db
LIST = "/api/nominations"
OPENS, CLOSES = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def viewer() -> User:
    """Staff who may look."""
    return builders.staff("nominations.view_nomination")


def names(path: str, by: User) -> list[str]:
    """The nominees of a list, in its order."""
    return [row["nominee"]["name"] for row in json.loads(get(path, by=by).content)["results"]]


def named(last: str, **fields: Any) -> Nomination:
    """A nomination of somebody of that last name."""
    return builders.submitted(of=builders.nominee(last_name=last), **fields)


# --- submitting ----------------------------------------------------------------------------------------------------
def test_submission_is_answered_with_what_was_sent_and_no_more() -> None:
    builders.submitted(by={**builders.person(), "email": "ann@x.example", "company": "Secret Ltd"})
    sent = builders.submission(nominator=builders.person(email="Ann@X.example", company="Mine"))
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False):
        status, body = said(post(LIST, sent))
        now = timezone.now().isoformat().replace("+00:00", "Z")
    nomination = Nomination.objects.get(nominee__email=sent["nominee"]["email"])
    assert (status, body) == (
        201,
        {
            "id": str(nomination.pk),
            "state": "submitted",
            "category": "best-recruiter",
            "nominator": {**sent["nominator"], "email": "ann@x.example"},
            "nominee": sent["nominee"],
            "created_at": now,
        },
    )
    assert (nomination.source, nomination.why, nomination.nominee.state) == ("api", "Good.", "draft")


def test_known_fields_of_a_nominator_are_completed_and_never_overwritten() -> None:
    first = {"email": "ann@x.example", "first_name": "Ann", "last_name": "Other", "company": "First Ltd"}
    builders.submitted(by=first)
    other = {**first, "first_name": "Eve", "company": "Evil", "job_title": "Boss", "country": "UK"}
    assert post(LIST, builders.submission(nominator=other)).status_code == 201
    known = Nominator.objects.get()
    assert (known.first_name, known.last_name, known.company) == ("Ann", "Other", "First Ltd")
    assert (known.job_title, known.country) == ("Boss", "UK")


def test_known_fields_of_a_live_nominee_are_not_touched_by_a_submission() -> None:
    of = builders.nominee(linkedin_url="linkedin.com/in/nia")
    nominee = builders.approved(of=of).nominee
    again = {**of, "last_name": "Evil", "bio": "Evil", "email": "evil@x.example"}
    assert post(LIST, builders.submission(nominee=again)).status_code == 201
    known = Nominee.objects.get()
    assert (known.pk, known.last_name, known.bio, known.email) == (nominee.pk, nominee.last_name, "", of["email"])


@pytest.mark.parametrize(
    "again",
    [
        {"email": "nia@x.example", "last_name": "Else"},
        {"email": " NIA@X.example", "last_name": "Else"},
        {"email": "other@x.example", "linkedin_url": "http://uk.LinkedIn.com/in/Nia/?trk=1", "last_name": "Else"},
        {"email": "", "linkedin_url": "linkedin.com/in/nia#top"},
    ],
)
def test_nominee_is_found_again_by_address_within_its_kind(again: dict[str, str]) -> None:
    of = builders.nominee(email="nia@x.example", linkedin_url="https://www.linkedin.com/in/nia")
    first = builders.submitted(of=of)
    second = builders.submitted(of={**of, "linkedin_url": "", **again})
    assert second.nominee_id == first.nominee_id


def test_company_with_a_persons_address_is_somebody_else() -> None:
    person = builders.submitted(of=builders.nominee(email="hi@x.example")).nominee
    firm = builders.submitted(
        to=builders.category("best-firm", "company"), of=builders.company(email="hi@x.example")
    ).nominee
    assert (person.pk == firm.pk, firm.kind) == (False, "company")


def test_same_name_from_another_nominator_is_somebody_else() -> None:
    of = {"kind": "person", "first_name": "John", "last_name": "Smith"}
    assert builders.submitted(of=of).nominee_id != builders.submitted(of=of).nominee_id


SAME = {"kind": "person", "first_name": "José", "last_name": "Núñez", "email": "jose@x.example"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SAME, SAME),
        (SAME, {**SAME, "email": "JOSE@x.example", "last_name": "Else"}),
        (SAME, {**SAME, "email": ""}),
        ({**SAME, "email": ""}, SAME),
        ({**SAME, "email": ""}, {**SAME, "email": "", "first_name": "JOSE", "last_name": "  Nunez "}),
        (
            {**SAME, "email": "", "linkedin_url": "linkedin.com/in/jose"},
            {**SAME, "email": "", "linkedin_url": "https://www.linkedin.com/in/jose/", "last_name": "Else"},
        ),
    ],
)
def test_naming_the_same_nominee_again_is_already_nominated(first: dict[str, str], second: dict[str, str]) -> None:
    by = builders.person()
    assert post(LIST, builders.submission(nominator=by, nominee=first)).status_code == 201
    again = builders.submission(nominator={**by, "email": by["email"].upper()}, nominee=second)
    assert refusal(post(LIST, again)) == (409, "already_nominated")
    assert (Nomination.objects.count(), Nominee.objects.count(), DecisionLog.objects.count()) == (1, 1, 1)


@pytest.mark.parametrize("state", ["approved", "rejected", "withdrawn", "duplicate"])
def test_decided_nomination_still_stands_in_the_way_of_a_second(state: str) -> None:
    by, of = builders.person(), builders.nominee()
    builders.in_state(state, by=by, of=of)
    again = builders.submission(nominator=by, nominee=of)
    assert refusal(post(LIST, again)) == (409, "already_nominated")


def test_same_nominator_may_name_a_namesake_with_another_address() -> None:
    by = builders.person()
    post(LIST, builders.submission(nominator=by, nominee=SAME))
    assert post(LIST, builders.submission(nominator=by, nominee={**SAME, "email": "j2@x.example"})).status_code == 201


def test_same_nominee_may_be_named_in_another_category_and_by_another() -> None:
    by = builders.person()
    post(LIST, builders.submission(nominator=by, nominee=SAME))
    other = builders.submission(nominator=by, nominee=SAME, category=builders.category("best-leader").slug)
    assert post(LIST, other).status_code == 201
    assert post(LIST, builders.submission(nominee=SAME)).status_code == 201
    assert Nominee.objects.count() == 1


def test_switched_off_category_takes_no_nomination() -> None:
    body = builders.submission()
    Category.objects.update(is_active=False)
    assert said(post(LIST, body)) == (400, {"category": ["This category takes no nominations."]})


def test_unknown_category_is_named() -> None:
    body = builders.submission(category="nope")
    assert said(post(LIST, body)) == (400, {"category": ["There is no such category."]})


def test_reason_of_a_thousand_characters_passes_and_one_more_does_not() -> None:
    assert post(LIST, builders.submission(why="x" * 1000)).status_code == 201
    too_long = ["Ensure this field has no more than 1000 characters."]
    assert said(post(LIST, builders.submission(why="x" * 1001))) == (400, {"why": too_long})


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("by", "email", "a@" + "\u0130" * 200),
        ("by", "phone", "12"),
        ("by", "linkedin_url", "https://x.example"),
        ("of", "phone", "12"),
        ("of", "kind", "company"),
    ],
)
def test_service_names_the_field_whoever_calls_it(part: str, name: str, value: str) -> None:
    fields = {"by": builders.person(), "of": builders.nominee()}
    fields[part] |= {name: value}
    with pytest.raises(ValidationError) as raised:
        builders.submitted(by=fields["by"], of=fields["of"])
    assert list(raised.value.message_dict) == [name]
    assert (Nomination.objects.count(), Nominator.objects.count()) == (0, 0)


# --- the season ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (OPENS - SECOND, False),
        (OPENS, True),
        (CLOSES - SECOND, True),
        (CLOSES, False),
        (CLOSES + SECOND, False),
    ],
)
def test_window_opens_and_closes_to_the_second(at: datetime, is_open: bool) -> None:
    builders.season(nominations_open_at=OPENS, nominations_close_at=CLOSES, nominations_closed_message="Come back.")
    body = builders.submission()
    with time_machine.travel(at, tick=False):
        assert json.loads(get("/api/season").content)["nominations_open"] is is_open
        response = post(LIST, body)
    if is_open:
        assert response.status_code == 201
    else:
        assert said(response) == (403, {"detail": "Come back.", "code": "nominations_closed"})
    assert Nomination.objects.count() == int(is_open)


@pytest.mark.parametrize(("opens", "closes"), [(None, None), (None, CLOSES)])
def test_window_without_a_beginning_is_closed(opens: datetime | None, closes: datetime | None) -> None:
    builders.season(nominations_open_at=opens, nominations_close_at=closes)
    assert refusal(post(LIST, builders.submission())) == (403, "nominations_closed")


def test_window_without_an_end_stays_open() -> None:
    builders.season(nominations_open_at=OPENS)
    body = builders.submission()
    with time_machine.travel(OPENS + timedelta(days=3650), tick=False):
        assert post(LIST, body).status_code == 201


def test_season_tells_its_windows_in_utc() -> None:
    builders.season(nominations_open_at=OPENS, nominations_close_at=CLOSES, voting_open_at=None)
    with time_machine.travel(OPENS, tick=False):
        assert said(get("/api/season")) == (
            200,
            {
                "name": "2026",
                "nominations_open": True,
                "voting_open": False,
                "nominations_open_at": "2026-03-01T09:00:00Z",
                "nominations_close_at": "2026-04-01T09:00:00Z",
                "voting_open_at": None,
                "voting_close_at": None,
                "results_published_at": None,
                "nominations_closed_message": "Nominations are closed.",
                "voting_closed_message": "Voting is closed.",
            },
        )


def test_without_a_current_season_everything_says_so() -> None:
    body = builders.submission()
    vote = {"category": body["category"], "nominee": "x", "voter": builders.person()}
    Season.objects.update(is_current=False)
    answers = [refusal(get("/api/season")), refusal(post(LIST, body)), refusal(post("/api/votes", vote))]
    assert answers == [(404, "no_season")] * 3


def test_database_holds_one_current_season() -> None:
    builders.season()
    with pytest.raises(IntegrityError), transaction.atomic():
        Season.objects.create(name="2027", is_current=True)
    Season.objects.create(name="2028")
    with pytest.raises(IntegrityError), transaction.atomic():
        Season.objects.filter(name="2028").update(is_current=True)


@pytest.mark.parametrize("window", ["nominations", "voting"])
def test_database_holds_that_a_window_closes_after_it_opens(window: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Season.objects.create(name="x", **{f"{window}_open_at": CLOSES, f"{window}_close_at": OPENS})


def test_categories_are_the_active_ones_in_the_order_shown() -> None:
    builders.category("second-best")
    Category.objects.filter(slug=builders.category("best-firm", "company").slug).update(position=1, region="UK")
    Category.objects.filter(slug=builders.category("gone").slug).update(is_active=False)
    assert said(get("/api/categories")) == (
        200,
        [
            {"slug": "second-best", "label": "Second Best", "kind": "person", "group": "Staffing", "region": ""},
            {"slug": "best-firm", "label": "Best Firm", "kind": "company", "group": "Staffing", "region": "UK"},
        ],
    )


def test_categories_cost_one_query_however_many(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for slugs in (["a"], ["b", "c"]):
        for slug in slugs:
            builders.category(slug)
        with django_assert_num_queries(1):
            get("/api/categories")


# --- staff's list --------------------------------------------------------------------------------------------------
def test_list_shows_everything_about_each(viewer: User) -> None:
    nomination = builders.approved(by={**builders.person(), "company": "Ann Ltd"})
    nominator, nominee = nomination.nominator, nomination.nominee
    status, body = said(get(LIST, by=viewer))
    assert status == 200
    assert nomination.approved_at is not None
    assert body == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "id": str(nomination.pk),
                "state": "approved",
                "category": "best-recruiter",
                "nominator": {
                    "id": str(nominator.pk),
                    "email": nominator.email,
                    "name": f"Ada {nominator.last_name}",
                    "company": "Ann Ltd",
                },
                "nominee": {
                    "id": str(nominee.pk),
                    "kind": "person",
                    "state": "live",
                    "name": nominee.name,
                    "email": nominee.email,
                    "slug": nominee.slug,
                    "live_url": f"https://awards.example/nominee/{nominee.slug}",
                },
                "why": "Good.",
                "source": "api",
                "created_at": nomination.created_at.isoformat().replace("+00:00", "Z"),
                "approved_at": nomination.approved_at.isoformat().replace("+00:00", "Z"),
            }
        ],
    }


def test_list_is_paged(viewer: User) -> None:
    for letter in "ABC":
        named(letter)
    first = json.loads(get(f"{LIST}?page_size=2", by=viewer).content)
    assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
    assert first["next"] == "http://testserver/api/nominations?page=2&page_size=2"
    last = json.loads(get(f"{LIST}?page_size=2&page=2", by=viewer).content)
    assert (last["count"], len(last["results"]), last["next"]) == (3, 1, None)
    assert last["previous"] == "http://testserver/api/nominations?page_size=2"


@pytest.mark.parametrize("page", ["3", "0", "-1", "x", "1.5", "9" * 400])
def test_page_past_the_end_is_404(viewer: User, page: str) -> None:
    builders.submitted()
    assert refusal(get(f"{LIST}?page_size=1&page={page}", by=viewer)) == (404, "not_found")


@pytest.mark.parametrize(("asked", "given"), [("", 25), ("0", 25), ("-1", 25), ("x", 25), ("7", 7), ("1000", 100)])
def test_page_size_is_25_and_clamped_to_100(viewer: User, asked: str, given: int) -> None:
    template = builders.submitted()
    rows = []
    for _ in range(101):
        nominator = Nominator(**builders.person())
        rows.append((nominator, Nomination(**{**fields_of(template), "nominator": nominator})))
    Nominator.objects.bulk_create([nominator for nominator, _ in rows])
    Nomination.objects.bulk_create([nomination for _, nomination in rows])
    body = json.loads(get(f"{LIST}?page_size={asked}", by=viewer).content)
    assert (body["count"], len(body["results"])) == (102, given)


def fields_of(nomination: Nomination) -> dict[str, Any]:
    """What another nomination of the same nominee has in common with it."""
    return {name: getattr(nomination, name) for name in ("season", "category", "nominee", "source")}


def test_list_is_newest_first_and_sorts_by_known_names_only(viewer: User) -> None:
    at = timezone.now() - timedelta(days=1)
    for offset, letter in enumerate("BAC"):
        Nomination.objects.filter(pk=named(letter).pk).update(created_at=at + timedelta(hours=offset))
    assert names(LIST, viewer) == ["Nia C", "Nia A", "Nia B"]
    assert names(f"{LIST}?ordering=-created_at", viewer) == ["Nia C", "Nia A", "Nia B"]
    assert names(f"{LIST}?ordering=created_at", viewer) == ["Nia B", "Nia A", "Nia C"]
    assert names(f"{LIST}?ordering=nominator__phone", viewer) == ["Nia C", "Nia A", "Nia B"]
    assert names(f"{LIST}?ordering=created_at,state", viewer) == ["Nia C", "Nia A", "Nia B"]


def test_list_is_filtered(viewer: User) -> None:
    named("Waiting")
    builders.approved(of=builders.nominee(last_name="Live"))
    builders.submitted(to=builders.category("best-firm", "company"), of=builders.company(company_name="Firm"))
    assert names(f"{LIST}?state=approved", viewer) == ["Nia Live"]
    assert names(f"{LIST}?category=best-firm", viewer) == ["Firm"]
    assert names(f"{LIST}?kind=company", viewer) == ["Firm"]
    assert names(f"{LIST}?kind=person&state=submitted", viewer) == ["Nia Waiting"]
    assert names(f"{LIST}?category=nowhere", viewer) == []
    message = "Select a valid choice. nonsense is not one of the available choices."
    assert said(get(f"{LIST}?state=nonsense", by=viewer)) == (400, {"state": [message]})


@pytest.mark.parametrize("q", ["waiting", "NIA wait", "wait nia", "w@x.example", "ada zed", "zed+waiting", "%20zed"])
def test_list_is_searched_by_names_and_addresses(viewer: User, q: str) -> None:
    named("Other")
    named("Waiting", by=builders.person(email="w@x.example", last_name="Zed"))
    assert names(f"{LIST}?q={q}", viewer) == ["Nia Waiting"]


@pytest.mark.parametrize("q", ["%25", "_", "w%25g", "waiting+other", "'"])
def test_search_takes_every_character_as_it_is(viewer: User, q: str) -> None:
    named("Waiting")
    assert names(f"{LIST}?q={q}", viewer) == []


def test_list_costs_the_same_however_long(viewer: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    header = bearer(viewer)
    for rows in (1, 2):
        for _ in range(rows):
            builders.approved()
        # The token, its user, two of permissions, the count, the page.
        with django_assert_num_queries(6):
            assert get(LIST, **header).status_code == 200


def test_detail_has_notes_and_delivery(viewer: User) -> None:
    nomination = builders.approved()
    status, body = said(get(f"{LIST}/{nomination.pk}", by=viewer))
    assert status == 200
    assert (body["admin_notes"], body["duplicate_of"]) == ("", None)
    assert body["live_url"] == f"https://awards.example/nominee/{nomination.nominee.slug}"
    waiting = {"status": "pending", "attempts": 0, "last_error": "", "synced_at": None}
    assert body["delivery"] == [
        {"role": "nominator", "email": nomination.nominator.email, **waiting},
        {"role": "nominee", "email": nomination.nominee.email, **waiting},
    ]


def test_detail_costs_the_same_however_much_happened(
    viewer: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    nomination = builders.approved()
    header = bearer(viewer)
    for _ in range(2):
        # The token, its user, two of permissions, the nomination, its delivery.
        with django_assert_num_queries(6):
            assert get(f"{LIST}/{nomination.pk}", **header).status_code == 200
        services.approve_nomination(builders.reopened(nomination), by=builders.superuser())
