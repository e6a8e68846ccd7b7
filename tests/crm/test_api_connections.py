"""Connecting a CRM and parting from it through the API."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from config.sandbox.nango import Nango
from crm import services
from crm.models import Business, Connection, SyncRun, User
from tests import builders
from tests.config.test_hostile import encoded, is_told, mutated, texts
from tests.door import get, post, refusal, said

pytestmark = pytest.mark.django_db
SESSION, CONNECT, STATUS, DISCONNECT = (
    f"/api/crm/{name}" for name in ("session-token", "connect", "status", "disconnect")
)
NOBODY = {"connected": False, "provider": None, "lastSyncedAt": None, "reconnectRequired": False}
FAULTS = [
    ("server_error", {}, 502, "upstream_error"),
    ("server_error", {"html": True}, 502, "upstream_error"),
    ("reset", {}, 502, "upstream_error"),
    ("unauthorized", {}, 502, "upstream_error"),
    ("forbidden", {}, 502, "upstream_error"),
    ("hang", {}, 504, "upstream_timeout"),
    ("rate_limited", {"retry_after": 7}, 503, "upstream_busy"),
]


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


@pytest.fixture
def owner(here: Business) -> User:
    """Who may connect it."""
    return builders.member("owner", here)


def signed_in(nango: Nango, to: Business, provider: str = "hubspot", **tags: str) -> str:
    """The id of a connection that somebody made at the business's link."""
    return nango.connect(provider, tags={"organization_id": str(to.pk), **tags})


def connect(by: User, connection_id: str, key: str = "hubspot", **fields: Any) -> HttpResponse:
    """POST of what Nango told the browser."""
    return post(CONNECT, {"connection_id": connection_id, "provider_config_key": key, **fields}, by=by)


def calls(nango: Nango) -> int:
    """How many requests reached Nango."""
    return len(nango.requests)


# --- a session -----------------------------------------------------------------------------------------------------
def test_session_carries_whose_it_is(nango: Nango, here: Business) -> None:
    cashier = builders.member("cashier", here)
    status, body = said(post(SESSION, {}, by=cashier))
    assert (status, sorted(body)) == (200, ["connect_link", "expires_at", "token"])
    assert body["token"].startswith("nango_connect_session_")
    assert body["connect_link"].endswith(f"?session_token={body['token']}")
    assert body["expires_at"].endswith("Z")
    lasts = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < lasts <= timedelta(minutes=30)
    (request,) = nango.requests
    assert (request.method, request.path) == ("POST", "/connect/sessions")
    assert request.body == {
        "tags": {
            "organization_id": str(here.pk),
            "end_user_id": str(cashier.pk),
            "end_user_email": cashier.email,
        },
        "allowed_integrations": ["hubspot", "salesforce", "pipedrive", "zoho-crm", "highlevel"],
    }


@pytest.mark.parametrize(
    ("provider", "integration"), [("zoho", "zoho-crm"), ("gohighlevel", "highlevel"), ("hubspot", "hubspot")]
)
def test_session_may_be_for_one_crm(provider: str, integration: str, nango: Nango, owner: User) -> None:
    assert post(SESSION, {"provider": provider}, by=owner).status_code == 200
    assert nango.requests[0].body["allowed_integrations"] == [integration]


@pytest.mark.parametrize("provider", ["zoho-crm", "facebook", "", None, ["hubspot"]])
def test_session_for_an_unknown_crm_is_named(provider: Any, nango: Nango, owner: User) -> None:
    status, body = said(post(SESSION, {"provider": provider}, by=owner))
    assert (status, list(body), calls(nango)) == (400, ["provider"], 0)


# --- connecting ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("provider", "key"),
    [
        ("hubspot", "hubspot"),
        ("salesforce", "salesforce"),
        ("pipedrive", "pipedrive"),
        ("zoho", "zoho-crm"),
        ("gohighlevel", "highlevel"),
    ],
)
def test_connection_is_taken_over_without_its_token(
    provider: str, key: str, nango: Nango, here: Business, owner: User
) -> None:
    connection_id = signed_in(nango, here, key)
    answer = said(connect(owner, connection_id, key))
    assert answer == (200, {"success": True, "provider": provider, "connection_id": connection_id})
    connection = Connection.objects.get()
    assert (connection.business, connection.provider_config_key, connection.is_active) == (here, key, True)
    assert (connection.by, bool(connection.crm_account_id)) == (owner, True)
    assert "token" not in str(connection.connection_metadata).lower()
    assert said(get(STATUS, by=owner)) == (200, {**NOBODY, "connected": True, "provider": provider})


def test_first_sync_begins_in_the_background(
    nango: Nango,
    here: Business,
    owner: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    connection_id = signed_in(nango, here)
    with django_capture_on_commit_callbacks(execute=True):
        assert connect(owner, connection_id).status_code == 200
    run = SyncRun.objects.get()
    assert (run.trigger, run.status, run.is_full, calls(nango)) == ("connect", "queued", True, 1)
    with django_capture_on_commit_callbacks(execute=True):
        assert connect(owner, connection_id).status_code == 200
    assert SyncRun.objects.count() == 1


def test_older_connection_is_switched_off(nango: Nango, here: Business, owner: User) -> None:
    first, second = signed_in(nango, here), signed_in(nango, here, "pipedrive")
    assert connect(owner, first).status_code == 200
    assert connect(owner, second, "pipedrive").status_code == 200
    assert dict(Connection.objects.values_list("nango_connection_id", "is_active")) == {first: False, second: True}
    assert services.remove_due() == 1
    assert [known["connection_id"] for known in nango.connections] == [second]


def test_connecting_again_is_the_way_out_of_reconnect_required(nango: Nango, here: Business, owner: User) -> None:
    connection_id = signed_in(nango, here)
    connect(owner, connection_id)
    Connection.objects.update(reconnect_required=True)
    assert said(get(STATUS, by=owner))[1]["reconnectRequired"] is True
    assert connect(owner, connection_id).status_code == 200
    assert said(get(STATUS, by=owner))[1]["reconnectRequired"] is False


def test_unknown_untagged_and_foreign_connections_are_the_same_404(nango: Nango, here: Business, owner: User) -> None:
    foreign = signed_in(nango, builders.business("elsewhere"))
    both = builders.member("owner", here, builders.business("elsewhere"))
    answers = {
        connect(owner, str(uuid4())).content,
        connect(owner, nango.connect("hubspot")).content,
        connect(owner, nango.connect("hubspot", tags={"organization_id": "nobody"})).content,
        connect(owner, foreign).content,
        connect(owner, signed_in(nango, here), "pipedrive").content,
        connect(owner, signed_in(nango, here), "facebook").content,
        connect(owner, "../../integrations").content,
        connect(owner, "a b\n").content,
        connect(owner, "é").content,
        connect(both, foreign, business=here.slug).content,
        connect(owner, foreign, business="elsewhere").content,
    }
    assert answers == {b'{"detail":"Not found.","code":"not_found"}'}
    assert refusal(connect(owner, foreign)) == (404, "not_found")
    assert Connection.objects.count() == 0


def test_account_that_holds_no_contacts_is_told_to_the_person(nango: Nango, here: Business, owner: User) -> None:
    """An agency of GoHighLevel is connected, and none of its locations."""
    connection_id = nango.connect(
        "highlevel", tags={"organization_id": str(here.pk)}, config={"companyId": "7", "locationId": None}
    )
    status, body = said(connect(owner, connection_id, "highlevel"))
    assert (status, list(body), Connection.objects.count()) == (400, ["connection_id"], 0)


@pytest.mark.parametrize("body", [{}, {"connection_id": "a"}, {"provider_config_key": "hubspot"}])
def test_connecting_needs_both_names(body: dict[str, str], nango: Nango, owner: User) -> None:
    status, answer = said(post(CONNECT, body, by=owner))
    missing = sorted({"connection_id", "provider_config_key"} - set(body))
    assert (status, sorted(answer), calls(nango)) == (400, missing, 0)


# --- whose ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("role", "expected"), [("cashier", [200, 403, 200, 403]), ("manager", [200] * 4), ("owner", [200] * 4)]
)
def test_each_role_may_do_its_own(role: str, expected: list[int], nango: Nango, here: Business) -> None:
    user, connection_id = builders.member(role, here), signed_in(nango, here)
    builders.connection(here)
    answers = [
        post(SESSION, {}, by=user),
        connect(user, connection_id),
        get(STATUS, by=user),
        post(DISCONNECT, {}, by=user),
    ]
    assert [answer.status_code for answer in answers] == expected
    assert {refusal(answer) for answer in answers if answer.status_code != 200} <= {(403, "permission_denied")}


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ([], [403, 403, 403, 403]),
        (["crm.view_connection"], [403, 403, 200, 403]),
        (["crm.sync_connection"], [200, 200, 403, 200]),
    ],
)
def test_staff_may_do_what_their_permission_says_and_name_the_business(
    permissions: list[str], expected: list[int], nango: Nango, here: Business
) -> None:
    user, connection_id = builders.staff(*permissions), signed_in(nango, here)
    builders.connection(here)
    named = {"business": here.slug}
    answers = [
        post(SESSION, named, by=user),
        connect(user, connection_id, **named),
        get(f"{STATUS}?business={here.slug}", by=user),
        post(DISCONNECT, named, by=user),
    ]
    assert [answer.status_code for answer in answers] == expected


def test_whoever_has_several_businesses_must_name_one(nango: Nango, here: Business) -> None:
    there = builders.business("elsewhere")
    both, connection_id = builders.member("owner", here, there), signed_in(nango, there)
    for user in (both, builders.superuser()):
        for answer in (post(SESSION, {}, by=user), connect(user, connection_id), get(STATUS, by=user)):
            assert (answer.status_code, list(said(answer)[1])) == (400, ["business"])
        assert said(post(DISCONNECT, {}, by=user))[0] == 400
    assert calls(nango) == 0
    assert connect(both, connection_id, business="elsewhere").status_code == 200
    assert get(f"{STATUS}?business=elsewhere", by=both).status_code == 200


def test_role_counts_in_the_business_that_is_named(nango: Nango, here: Business) -> None:
    there = builders.business("elsewhere")
    user = builders.member("owner", here)
    user.memberships.create(business=there, role="cashier")
    assert refusal(connect(user, signed_in(nango, there), business="elsewhere")) == (403, "permission_denied")
    assert calls(nango) == 0


def test_foreign_business_is_missing(nango: Nango, owner: User) -> None:
    builders.connection(builders.business("elsewhere"))
    for wanted in ("elsewhere", "nowhere", str(uuid4())):
        named = {"business": wanted}
        for answer in (
            post(SESSION, named, by=owner),
            connect(owner, "a", **named),
            get(f"{STATUS}?business={wanted}", by=owner),
            post(DISCONNECT, named, by=owner),
        ):
            assert refusal(answer) == (404, "not_found")
    assert (calls(nango), Connection.objects.filter(is_active=True).count()) == (0, 1)


# --- status and parting --------------------------------------------------------------------------------------------
def test_status_says_how_the_line_stands(here: Business) -> None:
    cashier = builders.member("cashier", here)
    builders.connection(builders.business("elsewhere"))
    assert said(get(STATUS, by=cashier)) == (200, NOBODY)
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    builders.connection(here, provider="zoho", last_synced_at=at, reconnect_required=True)
    builders.connection(here, is_active=False, last_synced_at=timezone.now())
    assert said(get(STATUS, by=cashier)) == (
        200,
        {"connected": True, "provider": "zoho", "lastSyncedAt": "2026-03-01T09:00:00Z", "reconnectRequired": True},
    )


def test_disconnecting_is_at_once_here_and_soon_at_nango_and_leads_stay(
    nango: Nango, here: Business, owner: User
) -> None:
    connect(owner, signed_in(nango, here))
    builders.lead(here, crm_id="7")
    before = calls(nango)
    assert said(post(DISCONNECT, {}, by=owner)) == (200, {"success": True})
    assert (calls(nango), said(get(STATUS, by=owner))) == (before, (200, NOBODY))
    assert refusal(post(DISCONNECT, {}, by=owner)) == (409, "not_connected")
    assert (here.leads.count(), len(nango.connections), services.remove_due(), nango.connections) == (1, 1, 1, [])


# --- when Nango does not answer ------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "options", "status", "code"), FAULTS)
def test_what_goes_wrong_at_nango_is_told_and_nothing_of_it(
    kind: str,
    options: dict[str, Any],
    status: int,
    code: str,
    nango: Nango,
    here: Business,
    owner: User,
    settings: Settings,
) -> None:
    settings.NANGO_TIMEOUT_SECONDS = 0.3
    connection_id = signed_in(nango, here)
    nango.set_fault(kind, **options)
    for answer in (post(SESSION, {}, by=owner), connect(owner, connection_id)):
        assert refusal(answer) == (status, code)
        assert settings.NANGO_SECRET_KEY not in answer.content.decode()
        assert answer.get("Retry-After") == ("7" if code == "upstream_busy" else None)
    assert Connection.objects.count() == 0


@pytest.mark.parametrize("kind", ["refresh_exhausted", "refresh_refused"])
def test_connection_that_broke_meanwhile_must_be_made_anew(
    kind: str, nango: Nango, here: Business, owner: User
) -> None:
    connection_id = signed_in(nango, here)
    nango.set_fault(kind)
    assert refusal(connect(owner, connection_id)) == (409, "reconnect_required")


def test_waiting_for_nango_is_bounded(nango: Nango, owner: User, settings: Settings) -> None:
    settings.NANGO_TIMEOUT_SECONDS = 0.3
    nango.set_fault("hang")
    began = time.monotonic()
    assert refusal(post(SESSION, {}, by=owner)) == (504, "upstream_timeout")
    assert time.monotonic() - began < 2


def test_retry_after_is_there_also_when_nango_names_no_time(nango: Nango, owner: User) -> None:
    nango.set_fault("rate_limited", retry_after=0)
    answer = post(SESSION, {}, by=owner)
    assert (refusal(answer), answer["Retry-After"]) == ((503, "upstream_busy"), "1")


@pytest.mark.parametrize("key", ["", "not a key\n", "ключ"])
def test_key_that_cannot_be_one_is_an_error_and_not_told(
    key: str, nango: Nango, owner: User, settings: Settings
) -> None:
    settings.NANGO_SECRET_KEY = key
    answer = post(SESSION, {}, by=owner)
    assert refusal(answer) == (502, "upstream_error")


# --- hostile -------------------------------------------------------------------------------------------------------
QUIET = trials(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BODIES: dict[str, dict[str, Any]] = {
    SESSION: {"provider": "hubspot", "business": "corner-cafe"},
    CONNECT: {"connection_id": "a", "provider_config_key": "hubspot", "business": "corner-cafe"},
    "/api/crm/sync": {"strategy": "append", "of": "append", "background": True, "confirm": True},
    DISCONNECT: {"business": "corner-cafe"},
}


@pytest.mark.parametrize("path", BODIES)
@QUIET
@given(data=st.data())
def test_hostile_json_is_never_500(path: str, data: st.DataObject, nango: Nango) -> None:
    user = builders.member("owner", builders.business())
    assert is_told(post(path, encoded(data.draw(mutated(BODIES[path]))), by=user))


@QUIET
@given(text=texts, key=st.sampled_from(["hubspot", "zoho-crm"]))
def test_hostile_connection_is_missing(text: str, key: str, nango: Nango) -> None:
    sent = encoded({"connection_id": f"x{text}", "provider_config_key": key})
    status, _ = said(post(CONNECT, sent, by=builders.member("owner", builders.business())))
    assert status in (400, 404)


@QUIET
@given(
    path=st.sampled_from([STATUS, "/api/crm/runs", f"/api/crm/runs/{uuid4()}", f"/api/crm/runs/{uuid4()}/outcomes"]),
    name=st.sampled_from(["business", "page", "page_size", "ordering", "bucket", "format"]),
    text=texts,
)
def test_hostile_query_is_never_500(path: str, name: str, text: str) -> None:
    spelt = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    for user in (builders.member("owner", builders.business()), builders.superuser()):
        assert is_told(get(f"{path}?{name}={spelt}", by=user))
