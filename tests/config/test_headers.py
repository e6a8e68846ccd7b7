"""What every answer carries, whatever kind it is."""

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from config import urls
from tests import builders
from tests.door import get, post, refusal, send

pytestmark = pytest.mark.django_db
EVERYWHERE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NO_STORE = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private",
    "Pragma": "no-cache",
    "Expires": "0",
}


def broken(request: HttpRequest) -> HttpResponse:
    """A bug."""
    raise RuntimeError("a bug")


# The product's addresses and two with a bug: this module is the URL configuration of the tests that need them.
urlpatterns = [path("api/broken", broken), path("broken", broken), *urls.urlpatterns]
handler400, handler403 = urls.handler400, urls.handler403
handler404, handler500 = urls.handler404, urls.handler500


@pytest.fixture
def with_a_bug(settings: Settings) -> Client:
    """A caller of the site with two broken addresses."""
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


def carried(response: HttpResponse, wanted: dict[str, str]) -> dict[str, str | None]:
    """What the answer has of the wanted headers."""
    return {name: response.get(name) for name in wanted}


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/", 200),
        ("/api/season", 200),
        ("/api/docs", 200),
        ("/api/schema", 200),
        ("/api/nominations", 401),
        ("/api/nowhere", 404),
        ("/api/season?q=%00", 400),
        ("/nowhere", 404),
        ("/nominee/%00", 400),
        ("/healthz", 200),
        ("/readyz", 503),
        ("/admin/login/", 200),
        ("/admin/", 302),
        ("/admin", 301),
        ("/static/config/docs.css", 200),
        ("/static/nowhere.css", 404),
        ("/media/nominees/nowhere.png", 404),
    ],
)
def test_every_kind_of_answer_carries_the_headers(url: str, status: int) -> None:
    builders.season()
    response = get(url)
    assert (response.status_code, carried(response, EVERYWHERE)) == (status, EVERYWHERE)
    response.close()


@pytest.mark.parametrize(("method", "url"), [("POST", "/api/season"), ("POST", "/"), ("OPTIONS", "/api/votes")])
def test_other_methods_carry_the_headers(method: str, url: str) -> None:
    assert carried(send(method, url), EVERYWHERE) == EVERYWHERE


def test_page_cannot_be_framed_by_an_old_browser() -> None:
    assert get("/")["X-Frame-Options"] == "DENY"


def test_form_without_its_token_is_told_in_our_words() -> None:
    response = post("/admin/login/", b"", client=Client(enforce_csrf_checks=True), content_type="multipart/form-data")
    assert response.status_code == 403
    assert b"Form expired" in response.content


def test_bug_in_the_api_is_told_in_its_shape_without_a_word_of_the_cause(with_a_bug: Client) -> None:
    response = get("/api/broken", client=with_a_bug)
    assert refusal(response) == (500, "server_error")
    assert b"a bug" not in response.content
    assert carried(response, EVERYWHERE) == EVERYWHERE


def test_bug_in_a_page_is_told_as_a_page_without_a_word_of_the_cause(with_a_bug: Client) -> None:
    response = get("/broken", client=with_a_bug)
    assert (response.status_code, response["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert b"Server error" in response.content
    assert b"a bug" not in response.content
    assert carried(response, EVERYWHERE) == EVERYWHERE


@pytest.mark.parametrize(
    "url",
    [
        "/api/loyalty",
        "/api/loyalty/cards",
        "/api/customer/loyalty/redeem",
        "/api/enrollments",
        "/api/qr/me",
        "/api/admin/customers",
        "/api/clients",
        "/api/clients/7",
        "/api/leads",
        "/api/threads",
        "/api/changes?after=1",
        "/cards",
        "/qr",
        "/notifications",
    ],
)
def test_what_is_about_one_person_is_kept_nowhere(url: str) -> None:
    assert carried(get(url), NO_STORE) == NO_STORE
    assert carried(post(url, {}), NO_STORE) == NO_STORE


def test_what_is_public_may_be_kept() -> None:
    builders.season()
    assert carried(get("/api/season"), NO_STORE) == dict.fromkeys(NO_STORE)
    assert carried(get("/api/leadsheets"), NO_STORE) == dict.fromkeys(NO_STORE)


def test_static_file_is_served_as_it_is() -> None:
    found = finders.find("config/docs.css")
    assert isinstance(found, str)
    with open(found, "rb") as file:
        response = get("/static/config/docs.css")
        assert b"".join(response) == file.read()
    response.close()
