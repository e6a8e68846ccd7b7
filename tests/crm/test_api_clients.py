"""Clients through the API: made, found, replaced, changed, deleted, whatever Loops does."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, Settings

from crm.models import Client, User
from loops_sync import services as line
from loops_sync.models import Contact, OutboxEntry
from tests import builders
from tests.config.test_hostile import encoded, is_told, mutated, texts
from tests.door import get, post, refusal, said, send

pytestmark = pytest.mark.django_db
CLIENTS = "/api/clients"
FIELDS = (
    "id business first_name last_name email phone company address_line1 address_line2 city state postal_code country "
    "is_active phone_raw created_at updated_at loops_status loops_synced_at"
).split()
ANN: dict[str, Any] = {
    "first_name": "Ann",
    "last_name": "Other",
    "email": "ann@x.example",
    "phone": "+447306506797",
    "company": "Acme",
    "address_line1": "1 High Street",
    "address_line2": "Flat 2",
    "city": "York",
    "state": "Yorkshire",
    "postal_code": "YO1 7HH",
    "country": "GB",
    "is_active": True,
}
LEAST = {"first_name": "Ann", "last_name": "Other", "email": "ann@x.example"}


@pytest.fixture
def cashier() -> User:
    """The least of a business's members."""
    return builders.member("cashier", builders.business())


def names(by: User, query: str = "") -> list[str]:
    """The clients of a list, in its order."""
    status, body = said(get(f"{CLIENTS}?{query}", by=by))
    assert status == 200
    return [row["first_name"] for row in body["results"]]


def page(client: Client) -> str:
    return f"{CLIENTS}/{client.pk}"


# --- one -----------------------------------------------------------------------------------------------------------
def test_client_is_answered_whole(cashier: User) -> None:
    response = post(CLIENTS, ANN, by=cashier)
    status, body = said(response)
    client = Client.objects.get()
    assert (status, response["Location"]) == (201, f"/api/clients/{client.pk}")
    assert list(body) == FIELDS
    assert {name: body[name] for name in ANN} == ANN
    assert (body["business"], body["loops_status"], body["loops_synced_at"]) == (
        str(client.business_id),
        "disabled",
        None,
    )
    assert said(get(response["Location"], by=cashier)) == (200, body)
    assert response["Cache-Control"] == "no-store, no-cache, must-revalidate, private"


@pytest.mark.parametrize("missing", LEAST)
def test_names_and_email_are_required(missing: str, cashier: User) -> None:
    client = builders.client(email="bob@x.example")
    rest = {name: value for name, value in LEAST.items() if name != missing}
    for sent in (rest, {**LEAST, missing: ""}, {**LEAST, missing: None}):
        for method, path in (("POST", CLIENTS), ("PUT", page(client))):
            status, body = said(send(method, path, sent, by=cashier))
            assert (status, list(body)) == (400, [missing])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "123"),
        ("email", "ann"),
        ("email", "a" * 250 + "@x.example"),
        ("is_active", "perhaps"),
        ("first_name", "x" * 101),
        ("last_name", "x" * 101),
        ("company", "x" * 256),
        ("postal_code", "x" * 21),
        ("country", None),
        ("business", ["corner-cafe"]),
        ("surprise", 1),
    ],
)
def test_wrong_field_is_named(field: str, value: Any, cashier: User) -> None:
    status, body = said(post(CLIENTS, {**ANN, field: value}, by=cashier))
    assert (status, list(body)) == (400, [field])
    assert Client.objects.count() == 0


def test_email_is_unique_in_the_business_only(cashier: User) -> None:
    other = builders.client()
    assert post(CLIENTS, ANN, by=cashier).status_code == 201
    twin = {**ANN, "email": "ANN@x.example"}
    assert refusal(post(CLIENTS, twin, by=cashier)) == (409, "duplicate_email")
    assert refusal(send("PUT", page(other), twin, by=cashier)) == (409, "duplicate_email")
    assert refusal(send("PATCH", page(other), {"email": ANN["email"]}, by=cashier)) == (409, "duplicate_email")
    abroad = builders.member("owner", builders.business("elsewhere"))
    assert post(CLIENTS, twin, by=abroad).status_code == 201


def test_put_replaces_and_patch_changes(cashier: User) -> None:
    path = post(CLIENTS, {**ANN, "is_active": False}, by=cashier)["Location"]
    status, body = said(send("PATCH", path, {"phone": "07306 506798"}, by=cashier))
    assert (status, body["phone"], body["phone_raw"], body["city"]) == (200, "+447306506798", "07306 506798", "York")
    assert body["is_active"] is False
    status, body = said(send("PUT", path, {**LEAST, "company": "Else"}, by=cashier))
    assert (status, body["company"], body["phone"], body["city"], body["is_active"]) == (200, "Else", "", "", True)
    status, again = said(send("PUT", path, body, by=cashier))
    assert (status, again) == (200, body)


def test_deleted_client_is_gone(cashier: User) -> None:
    client, other = builders.client(), builders.client()
    assert said(send("DELETE", page(client), by=cashier)) == (204, None)
    for method in ("GET", "DELETE"):
        assert refusal(send(method, page(client), by=cashier)) == (404, "not_found")
    assert list(Client.objects.all()) == [other]


# --- Loops ---------------------------------------------------------------------------------------------------------
def test_status_follows_the_news(cashier: User, loops: Any) -> None:
    loops.set_fault("server_error", times=1)
    body = said(post(CLIENTS, ANN, by=cashier))[1]
    path = f"{CLIENTS}/{body['id']}"
    assert (body["loops_status"], body["loops_synced_at"]) == ("pending", None)
    line.drain()
    assert said(get(path, by=cashier))[1]["loops_status"] == "pending"
    line.retry_entries(OutboxEntry.objects.all())
    line.drain()
    body = said(get(path, by=cashier))[1]
    assert (body["loops_status"], body["loops_synced_at"] is None) == ("synced", False)
    assert body["loops_synced_at"].endswith("Z")
    loops.set_fault("reject", times=1)
    assert said(send("PATCH", path, {"company": "Else"}, by=cashier))[1]["loops_status"] == "pending"
    line.drain()
    assert said(get(path, by=cashier))[1]["loops_status"] == "failed"


def test_clients_are_filtered_by_status(cashier: User, loops: Any) -> None:
    builders.client(first_name="Told")
    line.drain()
    builders.client(first_name="Refused")
    loops.set_fault("reject", times=1)
    line.drain()
    builders.client(first_name="Waiting")
    for status, expected in {"synced": "Told", "failed": "Refused", "pending": "Waiting"}.items():
        assert names(cashier, f"loops_status={status}") == [expected]
    assert names(cashier, "loops_status=disabled") == []


def test_status_is_disabled_while_syncing_is_off(cashier: User, loops: Any, settings: Settings) -> None:
    builders.client(first_name="Told")
    line.drain()
    settings.LOOPS_SYNC_ENABLED = False
    assert names(cashier, "loops_status=disabled") == ["Told"]
    assert said(get(CLIENTS, by=cashier))[1]["results"][0]["loops_status"] == "disabled"


def test_client_switched_off_before_the_first_word_waits_for_nothing(cashier: User, loops: Any) -> None:
    client = builders.client(is_active=False)
    line.drain()
    assert said(get(page(client), by=cashier))[1]["loops_status"] == "synced"
    assert Contact.objects.get().synced_at is None


# --- lists ---------------------------------------------------------------------------------------------------------
def test_list_has_the_shape_of_all_lists(cashier: User) -> None:
    for _ in range(3):
        builders.client()
    status, body = said(get(f"{CLIENTS}?page_size=2", by=cashier))
    assert (status, sorted(body)) == (200, ["count", "next", "previous", "results"])
    assert (body["count"], len(body["results"]), list(body["results"][0])) == (3, 2, FIELDS)
    assert refusal(get(f"{CLIENTS}?page=9", by=cashier)) == (404, "not_found")


def test_clients_stand_by_last_name_unless_asked_for_a_known_order(cashier: User) -> None:
    for first, last, email in (("B", "Zed", "1@x.example"), ("C", "Ash", "3@x.example"), ("A", "Ash", "2@x.example")):
        builders.client(first_name=first, last_name=last, email=email)
    assert names(cashier) == ["A", "C", "B"]
    assert names(cashier, "ordering=phone") == ["A", "C", "B"]
    assert names(cashier, "ordering=-first_name") == ["C", "B", "A"]
    assert names(cashier, "ordering=email") == ["B", "A", "C"]
    assert names(cashier, "ordering=-created_at") == ["A", "C", "B"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("is_active=false", ["Bob"]),
        ("is_active=true", ["Ann"]),
        ("company=acme%20ltd", ["Ann"]),
        ("company=acme", []),
        ("country=gb", ["Ann"]),
        ("country=GB&is_active=false", []),
        ("q=oth%20AN", ["Ann"]),
        ("q=acme", ["Ann"]),
        ("q=ann%40x", ["Ann"]),
        ("q=07306%20506797", ["Ann"]),
        ("q=0044+7306+506797", ["Ann"]),
        ("q=506797", ["Ann"]),
        ("q=%25", []),
        ("q=%20&company=", ["Ann", "Bob"]),
    ],
)
def test_filters_and_search_narrow(query: str, expected: list[str], cashier: User) -> None:
    builders.client(**{**ANN, "company": "Acme Ltd"})
    builders.client(first_name="Bob", last_name="Young", is_active=False, country="US", company="Else")
    assert names(cashier, query) == expected


@pytest.mark.parametrize("query", ["is_active=perhaps", "loops_status=lost"])
def test_impossible_filter_is_named(query: str, cashier: User) -> None:
    status, body = said(get(f"{CLIENTS}?{query}", by=cashier))
    assert (status, list(body)) == (400, [query.partition("=")[0]])


def test_list_asks_the_same_number_of_questions_for_one_row_and_for_many(
    cashier: User, django_assert_num_queries: DjangoAssertNumQueries, settings: Settings
) -> None:
    settings.LOOPS_SYNC_ENABLED = True
    client = builders.logged_in(cashier)
    for count in (1, 100):
        while Client.objects.count() < count:
            builders.client()
        with django_assert_num_queries(5):
            assert get(f"{CLIENTS}?q=client&loops_status=pending&page_size=100", client=client).status_code == 200


# --- whose ---------------------------------------------------------------------------------------------------------
def test_each_sees_the_clients_of_the_business_it_acts_for() -> None:
    here, there = builders.business(), builders.business("elsewhere")
    builders.client(here, first_name="Here")
    builders.client(there, first_name="There")
    both, staff = builders.member("cashier", here, there), builders.staff("crm.view_client")
    assert names(builders.member("cashier", here)) == ["Here"]
    for user in (both, staff, builders.superuser()):
        assert names(user, f"business={there.slug}") == ["There"]
        status, body = said(get(CLIENTS, by=user))
        assert (status, list(body)) == (400, ["business"])
    assert post(CLIENTS, {**ANN, "business": there.slug}, by=both).status_code == 201
    assert post(f"{CLIENTS}?business={here.slug}", ANN, by=both).status_code == 201
    assert Client.objects.filter(business=there).count() == 2


def test_foreign_client_is_missing_exactly_as_one_that_does_not_exist() -> None:
    client = builders.client(builders.business("elsewhere"))
    before = Client.objects.values().get()
    answers = set()
    for user in (builders.member("owner", builders.business()), builders.plain_user()):
        for pk in (client.pk, uuid4()):
            for method, body in (("GET", None), ("PUT", ANN), ("PATCH", {"x": 1}), ("DELETE", None)):
                answers.add(refusal(send(method, f"{CLIENTS}/{pk}", body, by=user)))
    assert answers == {(404, "not_found")}
    assert Client.objects.values().get() == before
    owner = builders.member("owner", builders.business("third"))
    for wanted in ("elsewhere", "nowhere", str(uuid4())):
        assert refusal(get(f"{CLIENTS}?business={wanted}", by=owner)) == (404, "not_found")
        assert refusal(post(CLIENTS, {**ANN, "business": wanted}, by=owner)) == (404, "not_found")


def test_staff_do_what_their_permission_says_in_any_business() -> None:
    client = builders.client()
    can = {name: builders.staff(f"crm.{name}_client") for name in ("view", "add", "change", "delete")}
    calls = (
        ("GET", f"{CLIENTS}?business=corner-cafe", None),
        ("GET", page(client), None),
        ("POST", CLIENTS, {**ANN, "business": "corner-cafe"}),
        ("PUT", page(client), {**ANN, "email": "b@x.example"}),
        ("PATCH", page(client), {"company": "Acme"}),
        ("DELETE", page(client), None),
    )
    allowed = {
        name: [method for method, path, body in calls if send(method, path, body, by=user).status_code != 403]
        for name, user in {**can, "nothing": builders.staff()}.items()
    }
    assert allowed == {
        "view": ["GET", "GET"],
        "add": ["POST"],
        "change": ["PUT", "PATCH"],
        "delete": ["DELETE"],
        "nothing": [],
    }


# --- hostile -------------------------------------------------------------------------------------------------------
QUIET = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUIET
@given(data=st.data())
def test_hostile_client_is_never_500(data: st.DataObject) -> None:
    user = builders.member("cashier", builders.business())
    client = builders.client()
    body = encoded(data.draw(mutated(ANN | {"business": "corner-cafe"})))
    for method, path in (("POST", CLIENTS), ("PUT", page(client)), ("PATCH", page(client))):
        assert is_told(send(method, path, body, by=user))


@QUIET
@given(
    name=st.sampled_from("q page page_size ordering business is_active company country loops_status".split()),
    text=texts,
)
def test_hostile_query_is_never_500(name: str, text: str) -> None:
    builders.client()
    user = builders.member("cashier", builders.business())
    spelt = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    assert is_told(get(f"{CLIENTS}?{name}={spelt}", by=user))
