"""Every refusal of the API in its exact shape, asked at the front door."""

import json
from uuid import uuid4

import pytest
from django.test import Client
from rest_framework import serializers

from nominations.models import Nomination
from notifications.api.serializers import StrictSerializer
from tests import builders
from tests.door import bearer, get, post, refusal, said, send

pytestmark = pytest.mark.django_db
NOMINATIONS = "/api/nominations"
REQUIRED = ["This field is required."]
NOT_JSON = (400, {"detail": "The body is not valid JSON in UTF-8.", "code": "bad_request"})
HALF = (400, {"detail": "The body contains a NUL or half a character.", "code": "bad_request"})


def test_missing_fields_are_named_each() -> None:
    assert said(post(NOMINATIONS, {})) == (
        400,
        {"category": REQUIRED, "nominator": REQUIRED, "nominee": REQUIRED},
    )


def test_nested_missing_fields_are_named_where_they_belong() -> None:
    body = builders.submission(nominator={"first_name": "Ann"}, nominee={"kind": "person"})
    assert said(post(NOMINATIONS, body)) == (
        400,
        {
            "nominator": {"email": REQUIRED, "last_name": REQUIRED},
            "nominee": {"first_name": REQUIRED, "last_name": REQUIRED},
        },
    )


def test_unknown_fields_are_refused_by_name() -> None:
    body = builders.submission(source="page", surprise=1)
    assert said(post(NOMINATIONS, body)) == (400, {"source": ["Unknown field."], "surprise": ["Unknown field."]})


def test_answer_sent_back_as_a_body_changes_nothing_of_what_only_staff_decide() -> None:
    body = builders.submission(state="approved", id=str(uuid4()), created_at="2020-01-01T00:00:00Z")
    status, answer = said(post(NOMINATIONS, body))
    assert (status, answer["state"]) == (201, "submitted")
    assert answer["id"] != body["id"]


def test_nested_unknown_field_is_refused_by_name() -> None:
    body = builders.submission()
    body["nominee"]["slug"] = "mine"
    assert said(post(NOMINATIONS, body)) == (400, {"nominee": {"slug": ["Unknown field."]}})
    assert Nomination.objects.count() == 0


def test_read_only_field_sent_back_is_ignored() -> None:
    class Shape(StrictSerializer):
        id = serializers.IntegerField(read_only=True)
        name = serializers.CharField()

    shape = Shape(data={"id": 7, "name": "Ann"})
    assert shape.is_valid()
    assert shape.validated_data == {"name": "Ann"}


def test_kind_that_the_category_does_not_take_is_named_in_the_nominee() -> None:
    body = builders.submission(nominee=builders.company())
    assert said(post(NOMINATIONS, body)) == (400, {"nominee": {"kind": ["This category is for a person."]}})


def test_fields_of_the_other_kind_are_refused() -> None:
    body = builders.submission(nominee=builders.nominee(website="https://x.example", industry="Staffing"))
    odd = ["Not for a person."]
    assert said(post(NOMINATIONS, body)) == (400, {"nominee": {"website": odd, "industry": odd}})


@pytest.mark.parametrize("address", ["javascript:alert(1)", "ftp://x.example", "data:text/html,x", "x.example"])
def test_website_is_http_or_https_only(address: str) -> None:
    of = builders.company(website=address)
    body = builders.submission(category=builders.category("best-firm", "company").slug, nominee=of)
    response = post(NOMINATIONS, body)
    assert response.status_code == 400
    assert list(json.loads(response.content)["nominee"]) == ["website"]


@pytest.mark.parametrize(
    "address", ["https://evil.example/linkedin.com/in/x", "linkedin.com", "javascript:x", "in/jane"]
)
def test_linkedin_address_elsewhere_is_refused(address: str) -> None:
    body = builders.submission(nominator=builders.person(linkedin_url=address))
    message = "Enter a LinkedIn address, for example https://www.linkedin.com/in/jane-doe."
    assert said(post(NOMINATIONS, body)) == (400, {"nominator": {"linkedin_url": [message]}})


def test_no_login_is_401_and_says_how() -> None:
    response = get(NOMINATIONS)
    assert refusal(response) == (401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Bearer a b", "Bearer \xff\xfe", "Bearer " + "a" * 9000])
def test_bad_token_is_401(header: str) -> None:
    assert refusal(get(NOMINATIONS, Authorization=header)) == (401, "not_authenticated")


def test_lack_of_a_permission_is_403() -> None:
    for user in (builders.plain_user(), builders.staff(), builders.staff("nominations.decide_nomination")):
        assert refusal(get(NOMINATIONS, by=user)) == (403, "permission_denied")


@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/nowhere", "/api/nominations/", "/api/nominations/7", "/api/season/", "/api/%ff", "/api/a%0ab"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_unknown_path_is_a_json_404(method: str, path: str) -> None:
    assert said(send(method, path)) == (404, {"detail": "Not found.", "code": "not_found"})


def test_missing_row_is_a_json_404() -> None:
    path = "/api/nominations/00000000-0000-0000-0000-000000000000"
    assert refusal(get(path, by=builders.superuser())) == (404, "not_found")


def test_wrong_method_is_405_and_says_which_are_right() -> None:
    response = send("DELETE", "/api/season")
    assert refusal(response) == (405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD, OPTIONS"


def test_answer_that_is_not_json_is_406() -> None:
    assert refusal(get("/api/season", Accept="text/html")) == (406, "not_acceptable")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_body_that_is_not_json_by_its_type_is_415(content_type: str) -> None:
    response = post(NOMINATIONS, b"a=b", content_type=content_type)
    assert refusal(response) == (415, "unsupported_media_type")


def test_session_without_a_csrf_token_is_csrf_failed() -> None:
    nomination = builders.submitted()
    client = Client(enforce_csrf_checks=True)
    client.force_login(builders.superuser())
    response = post(f"{NOMINATIONS}/{nomination.pk}/withdraw", {}, client=client)
    assert refusal(response) == (403, "csrf_failed")
    nomination.refresh_from_db()
    assert nomination.state == "submitted"


def test_session_with_its_csrf_token_may_write() -> None:
    nomination = builders.submitted()
    client = Client(enforce_csrf_checks=True)
    client.force_login(builders.superuser())
    client.get("/admin/password_change/")
    token = client.cookies["csrftoken"].value
    response = post(f"{NOMINATIONS}/{nomination.pk}/withdraw", {}, client=client, X_CSRFToken=token)
    assert said(response) == (200, {"id": str(nomination.pk), "state": "withdrawn"})


def test_token_needs_no_csrf_token() -> None:
    nomination = builders.submitted()
    client = Client(enforce_csrf_checks=True)
    response = post(f"{NOMINATIONS}/{nomination.pk}/withdraw", {}, client=client, by=builders.superuser())
    assert said(response) == (200, {"id": str(nomination.pk), "state": "withdrawn"})


def test_public_writes_ask_for_no_csrf_token_even_with_a_session() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(builders.plain_user())
    assert post(NOMINATIONS, builders.submission(), client=client).status_code == 201


def test_stale_token_does_not_hinder_a_public_call() -> None:
    assert post(NOMINATIONS, builders.submission(), Authorization="Bearer stale").status_code == 201


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_empty_body_is_an_empty_object(body: bytes) -> None:
    nomination = builders.submitted()
    assert post(f"{NOMINATIONS}/{nomination.pk}/withdraw", body, by=builders.superuser()).status_code == 200


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_body_that_is_not_an_object_is_400(body: bytes) -> None:
    assert said(post(NOMINATIONS, body)) == (400, {"non_field_errors": ["A JSON object is expected."]})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b'{"why": NaN}',
        b'{"why": Infinity}',
        b'{"why": -Infinity}',
        b'{"why": "\xff\xfe"}',
        b'\xef\xbb\xbf{"why": ""}',
        '{"why": "\u00e9"}'.encode("latin-1"),
        '{"why": ""}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"why": ' + b"9" * 5000 + b"}",
    ],
)
def test_body_that_is_not_json_is_400(body: bytes) -> None:
    assert said(post(NOMINATIONS, body)) == NOT_JSON


@pytest.mark.parametrize(
    "body",
    [
        rb'{"why": "a\u0000b"}',
        rb'{"why": "\ud800"}',
        rb'{"why": "\udc00\ud800"}',
        rb'{"\ud800": 1}',
        rb'{"\u0000": 1}',
        rb'{"nominator": {"\udfff": {}}}',
        rb'{"nominator": [["\udfff"]]}',
    ],
)
def test_text_that_no_database_can_store_is_400(body: bytes) -> None:
    assert said(post(NOMINATIONS, body)) == HALF


def test_whole_pair_of_surrogates_is_a_character() -> None:
    body = json.dumps(builders.submission(why="Good 🏆")).encode()
    assert rb"\ud83c\udfc6" in body
    assert post(NOMINATIONS, body).status_code == 201
    assert Nomination.objects.get().why == "Good 🏆"


def test_body_nested_too_deep_is_400() -> None:
    deep = b'{"a":' * 60 + b"1" + b"}" * 60
    assert said(post(NOMINATIONS, deep)) == (
        400,
        {"detail": "The body is nested deeper than 50 levels.", "code": "bad_request"},
    )


def test_body_of_one_megabyte_passes_and_one_byte_more_is_413() -> None:
    head, tail = b'{"why": "', b'"}'
    fill = 1024 * 1024 - len(head) - len(tail)
    allowed = post(NOMINATIONS, head + b"a" * fill + tail)
    assert allowed.status_code == 400
    assert json.loads(allowed.content)["why"] == ["Ensure this field has no more than 1000 characters."]
    assert refusal(post(NOMINATIONS, head + b"a" * (fill + 1) + tail)) == (413, "too_large")


def test_body_over_a_megabyte_is_413_for_a_session_too() -> None:
    client = Client()
    client.force_login(builders.superuser())
    path = f"{NOMINATIONS}/{builders.submitted().pk}/withdraw"
    assert refusal(post(path, b"{" + b" " * 1024 * 1024 + b"}", client=client)) == (413, "too_large")


def test_form_sent_by_a_session_is_refused_before_it_is_read() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(builders.superuser())
    path = f"{NOMINATIONS}/{builders.submitted().pk}/withdraw"
    for content_type in (
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
    ):
        response = post(path, b"a" * 1024 * 1024 * 2, client=client, content_type=content_type)
        assert response.status_code in (400, 403, 413)
        refusal(response)


@pytest.mark.parametrize("query", ["q=%00", "%00=1", "page=1%00"])
def test_query_that_no_database_can_store_is_400(query: str) -> None:
    assert refusal(get(f"{NOMINATIONS}?{query}")) == (400, "bad_request")


@pytest.mark.parametrize("query", ["q=%ff%fe", "q=%ed%a0%80", "%ff=%ff", "page=%ff", "state=%ff"])
def test_query_in_broken_utf8_is_never_500(query: str) -> None:
    response = get(f"{NOMINATIONS}?{query}", by=builders.superuser())
    assert response.status_code in (200, 400, 404)


def test_path_with_a_nul_is_400() -> None:
    assert refusal(get("/api/%00")) == (400, "bad_request")
    assert get("/nominee/%00").status_code == 400


def test_host_that_is_not_ours_is_400() -> None:
    assert refusal(get("/api/season", Host="evil.example")) == (400, "bad_request")


def test_too_many_query_fields_are_400() -> None:
    query = "&".join(f"a{number}=1" for number in range(1001))
    assert refusal(get(f"/api/season?{query}")) == (400, "bad_request")


def test_header_of_a_token_is_not_case_sensitive_in_its_scheme() -> None:
    user = builders.staff("nominations.view_nomination")
    token = bearer(user)["Authorization"].split()[1]
    assert get(NOMINATIONS, Authorization=f"bearer {token}").status_code == 200
