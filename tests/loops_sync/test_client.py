"""The edges of one client: the error table, by status only."""

import json

import pytest
import requests
import responses
from pytest_django import Settings

from loops_sync import client

BASE = "https://loops.example/api/v1"


@pytest.fixture(autouse=True)
def _base(settings: Settings) -> None:
    settings.LOOPS_BASE_URL = BASE
    settings.LOOPS_API_KEY = "very-secret"


def failure(status: int, **answer: object) -> client.LoopsError:
    """The error that an upsert raises for that answer."""
    with responses.RequestsMock() as mock:
        mock.put(f"{BASE}/contacts/update", status=status, **answer)
        with pytest.raises(client.LoopsError) as caught:
            client.upsert_contact({"email": "a@b.org"})
    return caught.value


@pytest.mark.parametrize(
    ("status", "permanent", "unknown"),
    [
        (302, False, False),
        (400, True, False),
        (401, False, False),
        (403, False, False),
        (404, True, False),
        (409, True, False),
        (413, True, False),
        (429, False, False),
        (500, False, True),
        (502, False, True),
        (503, False, True),
    ],
)
def test_each_status_has_one_meaning(status: int, permanent: bool, unknown: bool) -> None:
    error = failure(status, json={"success": False, "message": "Reworded."})
    assert (error.status, error.permanent, error.leaves_unknown) == (status, permanent, unknown)
    assert error.is_unauthorized == (status in (401, 403))
    assert error.is_throttled == (status == 429)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0", 0.0), ("999999", 3600.0), ("soon", None), ("-1", None)]
)
def test_retry_after_is_honoured_when_it_makes_sense(header: str, seconds: float | None) -> None:
    assert failure(429, headers={"Retry-After": header}).retry_after == seconds


@pytest.mark.parametrize(
    "error", [requests.ConnectionError("x"), requests.ReadTimeout("x"), requests.exceptions.ChunkedEncodingError("x")]
)
def test_a_lost_answer_is_for_later_and_leaves_loops_unknown(error: Exception) -> None:
    found = failure(200, body=error)
    assert (found.status, found.permanent, found.leaves_unknown) == (None, False, True)


def test_html_from_a_load_balancer_is_no_surprise() -> None:
    assert str(failure(502, body="<html>Bad gateway</html>")) == "502"


def test_the_request_is_what_loops_documents() -> None:
    with responses.RequestsMock() as mock:
        mock.put(f"{BASE}/contacts/update", json={"success": True, "id": "1"})
        client.upsert_contact({"email": "a@b.org", "company": None})
        sent = mock.calls[0].request
    assert sent.headers["Authorization"] == "Bearer very-secret"
    assert sent.headers["Content-Type"] == "application/json"
    assert json.loads(sent.body or "") == {"email": "a@b.org", "company": None}


@pytest.mark.parametrize("base", [BASE, f"{BASE}/"])
def test_the_version_in_the_base_address_survives(settings: Settings, base: str) -> None:
    settings.LOOPS_BASE_URL = base
    with responses.RequestsMock() as mock:
        mock.get(f"{BASE}/api-key", json={"success": True})
        client.check_key()


def test_a_plus_in_an_address_is_found() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{BASE}/contacts/find?email=ann%2Bx%40b.org", json=[{"email": "ann+x@b.org"}])
        assert client.find_contact("ann+x@b.org") == {"email": "ann+x@b.org"}


def test_a_missing_contact_is_none() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{BASE}/contacts/find", json=[])
        assert client.find_contact("a@b.org") is None


@pytest.mark.parametrize("status", [302, 400, 500])
def test_the_key_stands_in_no_error(status: int) -> None:
    assert "very-secret" not in str(failure(status, json={"message": "no"}))
