"""Coming in by token and by session, and being kept out."""

import json
from datetime import timedelta
from typing import Any, cast

import pytest
import time_machine
from django.contrib.auth import hashers
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from tests import builders
from tests.door import get, post, refusal, said

pytestmark = pytest.mark.django_db
LOGIN, LOGOUT, STAFF_LIST = "/api/auth/login", "/api/auth/logout", "/api/nominations"
LOCKED = {"detail": "Too many failed logins for this account. Try again in 15 minutes.", "code": "locked"}


class CountingHasher(hashers.MD5PasswordHasher):
    """Counts the checks of a password."""

    algorithm = "counting"
    checks = 0

    def verify(self, password: str, encoded: str) -> bool:
        """As MD5, counted."""
        type(self).checks += 1
        return super().verify(password, encoded)


def log_in(email: str = "boss@example.org", password: str = "secret-1", **kwargs: Any) -> HttpResponse:
    """A login by token."""
    return post(LOGIN, {"email": email, "password": password}, **kwargs)


def header_of(response: HttpResponse) -> dict[str, str]:
    """The header that the token of a login makes."""
    return {"Authorization": f"Bearer {json.loads(response.content)['token']}"}


def fail(times: int, **kwargs: Any) -> list[int]:
    """Wrong passwords, each from another address: the statuses."""
    return [log_in(password="wrong", address=f"10.0.0.{number}", **kwargs).status_code for number in range(times)]


def session_login(client: Client, email: str, password: str) -> HttpResponse:
    """A login by the admin's form."""
    response: Any = client.post("/admin/login/", {"username": email, "password": password})
    return cast(HttpResponse, response)


def test_login_gives_a_token_for_twelve_hours() -> None:
    builders.superuser()
    with time_machine.travel("2026-11-01T10:00:00Z", tick=False):
        response = log_in()
    status, body = said(response)
    assert (status, sorted(body)) == (200, ["expiry", "token"])
    assert body["expiry"] == "2026-11-01T22:00:00Z"
    assert body["token"]


@pytest.mark.parametrize("email", ["boss@example.org", "BOSS@Example.ORG", "  Boss@example.org "])
def test_login_takes_the_address_in_any_spelling(email: str) -> None:
    builders.superuser()
    assert get(STAFF_LIST, **header_of(log_in(email))).status_code == 200


@pytest.mark.parametrize("email", ["boss@example.org", "BOSS@Example.ORG", " Boss@example.org "])
def test_session_login_takes_the_address_in_any_spelling(email: str) -> None:
    builders.superuser()
    client = Client()
    assert session_login(client, email, "secret-1").status_code == 302
    assert get(STAFF_LIST, client=client).status_code == 200


def test_wrong_password_unknown_address_and_disabled_login_are_the_same_401() -> None:
    builders.superuser()
    gone = builders.plain_user(is_active=False)
    answers = [
        said(log_in(password="Secret-1")),
        said(log_in("nobody@example.org")),
        said(log_in(gone.email)),
    ]
    wrong = {"detail": "The address or the password is wrong.", "code": "invalid_credentials"}
    assert answers == [(401, wrong)] * 3


def test_login_without_its_fields_is_400() -> None:
    required = ["This field is required."]
    assert said(post(LOGIN, {})) == (400, {"email": required, "password": required})
    assert said(post(LOGIN, {"email": "x", "password": "y"})) == (400, {"email": ["Enter a valid email address."]})


def test_password_is_not_trimmed() -> None:
    builders.superuser()
    assert refusal(log_in(password=" secret-1")) == (401, "invalid_credentials")


def test_twenty_failures_from_changing_addresses_lock_the_account() -> None:
    builders.superuser()
    assert fail(19) == [401] * 19
    assert fail(1) == [429]
    response = log_in(address="192.0.2.9")
    assert said(response) == (429, LOCKED)
    assert response["Retry-After"] == "900"


def test_lock_holds_for_every_spelling_and_for_the_session() -> None:
    builders.superuser()
    fail(10, email="BOSS@example.org")
    fail(10, email="boss@EXAMPLE.org ")
    assert refusal(log_in()) == (429, "locked")
    response = session_login(Client(), "boss@example.org", "secret-1")
    assert (response.status_code, response["Retry-After"]) == (429, "900")


def test_failures_at_the_session_login_count_too() -> None:
    builders.superuser()
    client = Client()
    for _ in range(20):
        session_login(client, "Boss@example.org", "wrong")
    assert refusal(log_in()) == (429, "locked")


def test_lock_is_of_one_account_only() -> None:
    builders.superuser()
    other = builders.plain_user()
    fail(20)
    assert log_in(other.email).status_code == 200


def test_account_that_does_not_exist_locks_as_one_that_does() -> None:
    assert fail(20, email="nobody@example.org") == [401] * 19 + [429]


def test_lock_is_over_after_fifteen_minutes() -> None:
    builders.superuser()
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        fail(20)
        clock.shift(timedelta(minutes=14, seconds=59))
        assert refusal(log_in()) == (429, "locked")
        clock.shift(timedelta(seconds=2))
        assert log_in().status_code == 200


def test_trying_while_locked_does_not_make_it_longer() -> None:
    builders.superuser()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        fail(20)
        clock.shift(timedelta(minutes=10))
        assert fail(5) == [429] * 5
        clock.shift(timedelta(minutes=5, seconds=1))
        assert log_in().status_code == 200


def test_right_login_forgets_the_failures_before() -> None:
    builders.superuser()
    fail(19)
    assert log_in().status_code == 200
    assert fail(19) == [401] * 19


def test_a_hundred_attempts_on_one_account_check_twenty_passwords(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    builders.superuser()
    CountingHasher.checks = 0
    assert fail(100) == [401] * 19 + [429] * 81
    assert CountingHasher.checks == 20


def test_token_ends_after_twelve_hours() -> None:
    builders.superuser()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        header = header_of(log_in())
        clock.shift(timedelta(hours=12) - timedelta(seconds=1))
        assert get(STAFF_LIST, **header).status_code == 200
        clock.shift(timedelta(seconds=2))
        assert refusal(get(STAFF_LIST, **header)) == (401, "not_authenticated")


def test_logout_kills_the_token_and_no_other() -> None:
    builders.superuser()
    first, second = header_of(log_in()), header_of(log_in())
    assert said(post(LOGOUT, **first)) == (204, None)
    assert refusal(get(STAFF_LIST, **first)) == (401, "not_authenticated")
    assert get(STAFF_LIST, **second).status_code == 200


def test_logout_ends_the_session() -> None:
    client = Client()
    client.force_login(builders.superuser())
    stolen = client.cookies["sessionid"].value
    assert said(post(LOGOUT, client=client)) == (204, None)
    assert refusal(get(STAFF_LIST, Cookie=f"sessionid={stolen}")) == (401, "not_authenticated")


def test_logout_without_a_login_is_401() -> None:
    assert refusal(post(LOGOUT)) == (401, "not_authenticated")
