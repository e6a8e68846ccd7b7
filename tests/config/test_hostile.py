"""Whatever a caller sends, no answer is a 500: on both databases, through the whole WSGI stack."""

import io
import json
from typing import Any

import pytest
from django.conf import settings as loaded
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.wsgi import application
from tests import builders
from tests.door import get, post, refusal, send

pytestmark = pytest.mark.django_db
QUIET = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPELT = ["\0", "\ud800", "\udfff", "\ufeff", "\u202e", "İ", "ß", "🏆", "=cmd|", "<script>", "'; --", "%", "_", "\\"]
texts = st.text(max_size=30) | st.sampled_from(SPELT) | st.integers(90, 2100).map(lambda length: "x" * length)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))

PERSON = {"email": "ann@example.org", "first_name": "Ann", "last_name": "Other"}
BODIES: dict[str, dict[str, Any]] = {
    "/api/nominations": {
        "category": "best-recruiter",
        "nominator": PERSON | {"phone": "07306 506797", "linkedin_url": "linkedin.com/in/ann"},
        "nominee": {"kind": "person", "first_name": "Nia", "last_name": "Nominee", "email": "nia@example.com"},
        "why": "Good.",
    },
    "/api/votes": {"category": "best-recruiter", "nominee": "nia-nominee", "voter": PERSON},
    "/api/auth/login": {"email": "ann@example.org", "password": "secret-1"},
}
STAFF_BODIES: dict[str, dict[str, Any]] = {
    "approve": {"slug": "nia", "admin_notes": "", "nominee": "00000000-0000-0000-0000-000000000000"},
    "reject": {"reason": "no"},
    "withdraw": {},
    "duplicate": {"of": "00000000-0000-0000-0000-000000000000"},
    "reopen": {},
}


def mutated(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The body with some leaf, or itself, replaced by something hostile."""
    paths: list[tuple[str, ...]] = [(name,) for name in body]
    paths += [(name, inner) for name, value in body.items() if isinstance(value, dict) for inner in value]
    paths += [("phone",), ("nominee", "linkedin_url"), ("nominator", "linkedin_url"), ("voter", "phone")]

    def put(path: tuple[str, ...], value: Any) -> dict[str, Any]:
        changed = json.loads(json.dumps(body))
        place = changed
        for name in path[:-1]:
            place = place.setdefault(name, {}) if isinstance(place.get(name, {}), dict) else place
        place[path[-1]] = value
        return dict(changed)

    return st.builds(put, st.sampled_from(paths), values) | st.dictionaries(texts, values, max_size=3)


def encoded(body: Any) -> bytes:
    """As Python writes it, with lone surrogates and NaN."""
    return json.dumps(body).encode()


def is_told(response: HttpResponse) -> bool:
    """A success, or a 4xx in JSON."""
    json.loads(response.content)
    return response.status_code < 500


@pytest.mark.parametrize("path", BODIES)
@QUIET
@given(data=st.data())
def test_hostile_json_at_a_public_post_is_never_500(path: str, data: st.DataObject) -> None:
    builders.season()
    builders.category()
    assert is_told(post(path, encoded(data.draw(mutated(BODIES[path])))))


@pytest.mark.parametrize("action", STAFF_BODIES)
@settings(QUIET, max_examples=25)
@given(data=st.data())
def test_hostile_json_at_a_decision_is_never_500(action: str, data: st.DataObject) -> None:
    path = f"/api/nominations/{builders.submitted().pk}/{action}"
    assert is_told(post(path, encoded(data.draw(mutated(STAFF_BODIES[action]))), by=builders.superuser()))


@settings(QUIET, max_examples=40)
@given(body=st.binary(max_size=200))
def test_hostile_bytes_at_a_public_post_are_a_400(body: bytes) -> None:
    response = post("/api/votes", b"{" + body)
    assert is_told(response)
    assert response.status_code == 400


@QUIET
@given(name=st.sampled_from(["q", "page", "page_size", "ordering", "state", "category", "kind", "format"]), text=texts)
def test_hostile_query_is_never_500(name: str, text: str) -> None:
    query = f"{name}={text}".encode("utf-8", "surrogatepass").hex("%")
    assert is_told(get(f"/api/nominations?{name}=%{query.split('%3d%')[-1]}", by=builders.superuser()))


@pytest.mark.parametrize("query", ["q=" + "a+" * 5000, "q=" + "a" * 20_000, "page=" + "9" * 5000, "page_size=1e9"])
def test_huge_query_is_never_500(query: str) -> None:
    assert is_told(get(f"/api/nominations?{query}", by=builders.superuser()))


def asked_bare(**environ: str) -> str:
    """The status line, with the environ as a WSGI server builds it and no test client in between."""
    lines: list[str] = []
    base: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/season",
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "testserver",
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    # The connection holds the test's transaction: it must not be closed around the request.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    try:
        body = application(base | environ, lambda status, headers: lines.append(status))
        b"".join(body)
    finally:
        request_started.connect(close_old_connections)
        request_finished.connect(close_old_connections)
    return lines[0][:3]


PARAMETERS = ["x*=nope''%41", "charset=base64", "charset=idna", "charset=\xff", "charset=punycode", "x*='", "=;;\xff"]


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_hostile_content_type_is_never_500(parameter: str) -> None:
    builders.season()
    content_type = f"application/json; {parameter}"
    answers = [
        asked_bare(CONTENT_TYPE=content_type),
        asked_bare(CONTENT_TYPE=content_type, QUERY_STRING="q=%41"),
        asked_bare(CONTENT_TYPE=content_type, REQUEST_METHOD="POST", PATH_INFO="/api/votes"),
    ]
    assert [answer for answer in answers if answer >= "500"] == []


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_hostile_accept_is_never_500(parameter: str) -> None:
    builders.season()
    assert asked_bare(HTTP_ACCEPT=f"application/json; {parameter}") < "500"


@pytest.mark.parametrize(
    "name",
    [
        "Accept",
        "Accept-Language",
        "Authorization",
        "Cookie",
        "Host",
        "Idempotency-Key",
        "Origin",
        "Referer",
        "User-Agent",
    ]
    + ["X-Forwarded-For", "X-CSRFToken", "Access-Control-Request-Method", "If-None-Match", "X-Forwarded-Proto"],
)
@pytest.mark.parametrize("text", ["\xff\xfe\x80", "a\0b", "", "x" * 9000, "\xed\xa0\x80", "http://["])
def test_hostile_header_is_never_500(name: str, text: str) -> None:
    nomination = builders.approved()
    builders.superuser()
    body = {"category": "best-recruiter", "nominee": nomination.nominee.slug, "voter": builders.person()}
    sent: dict[str, Any] = {name: text}
    assert post("/api/votes", body, **sent).status_code < 500
    assert get("/api/nominations", **sent).status_code < 500
    assert get("/api/sync/loops/run", **sent).status_code < 500
    assert send("OPTIONS", "/api/votes", **sent).status_code < 500


@pytest.mark.parametrize("cookie", [loaded.SESSION_COOKIE_NAME, loaded.CSRF_COOKIE_NAME])
@pytest.mark.parametrize("value", ['"abcdefgh\\000ijkl"', "abcdefgh\xff\xfe", '"\\377\\376abcdefgh"', "a" * 4000])
def test_hostile_cookie_is_never_500(cookie: str, value: str) -> None:
    assert get("/api/nominations", Cookie=f"{cookie}={value}").status_code < 500
    assert get("/admin/login/", Cookie=f"{cookie}={value}").status_code < 500


@pytest.mark.parametrize("length", [301, 400])
@pytest.mark.parametrize("letter", ["a", "\u0130"])
def test_linkedin_address_that_grows_too_long_is_400(letter: str, length: int) -> None:
    text = "linkedin.com/in/" + letter * (length - 16)
    for size in (300, 300 - 16 - 20, length):
        body = builders.submission(nominator=builders.person(linkedin_url=text[:size]))
        assert is_told(post("/api/nominations", body))


@pytest.mark.parametrize(
    "phone", ["+49" + "1" * 15, "+49 151 " + "2" * 12, "+39" + "0" * 15, "+1 (650) 253-0000 x123"]
)
def test_phone_that_is_possible_but_longer_than_e164_is_never_500(phone: str) -> None:
    assert is_told(post("/api/nominations", builders.submission(nominator=builders.person(phone=phone))))


def test_address_that_grows_when_lowered_is_never_500() -> None:
    labels = ".".join(["\u0130" * 60] * 4)
    for email in (f"a@{labels}.org", f"{'A' * 60}@{labels[:180]}.org"):
        assert is_told(post("/api/nominations", builders.submission(nominator=builders.person(email=email))))


def test_static_path_with_a_nul_is_400() -> None:
    assert get("/static/%00").status_code in (400, 404)
    assert asked_bare(PATH_INFO="/static/admin/\0") in ("400", "404")


def test_hostile_token_header_beside_the_secret_of_the_clock_is_401() -> None:
    assert refusal(post("/api/sync/loops/run", {}, Authorization="Bearer clock\xff")) == (401, "not_authenticated")
    assert refusal(post("/api/sync/loops/run", {}, by=builders.superuser())) == (401, "not_authenticated")
