"""Whatever goes wrong with Nango or behind it has one meaning, and our key stands in none of it."""

import logging
import traceback
from typing import Any

import pytest
import requests
import responses
from pytest_django import Settings

from crm import client
from crm.client import NangoError
from crm.client.errors import FOR_GOOD
from tests.crm.calls import HOST, KEY, PAGE, nango_error, read_owners, verdict

REFRESH_LIMIT = "Failed to get connection credentials: 'The refresh limit has been reached for this connection.'"
REFRESH_REFUSED = (
    "Failed to get connection credentials: "
    "'The external API returned an error when trying to refresh the access token.'"
)


@pytest.fixture(autouse=True)
def _nango(settings: Settings) -> None:
    settings.NANGO_HOST = HOST
    settings.NANGO_SECRET_KEY = KEY


def lost(error: Exception) -> NangoError:
    """What a call raises when the line does."""
    with responses.RequestsMock() as mock:
        mock.get(PAGE, body=error)
        with pytest.raises(NangoError) as caught:
            read_owners()
    return caught.value


def proxy_failure(status: int, body: Any = None, **answer: Any) -> NangoError:
    """What a call through the proxy raises for that answer."""
    with responses.RequestsMock() as mock:
        mock.get(PAGE, status=status, **({"json": body} if body is not None else {}), **answer)
        with pytest.raises(NangoError) as caught:
            read_owners()
    return caught.value


def failure(status: int, code: str = "", message: str = "Reworded.") -> NangoError:
    """What reading a connection raises for Nango's answer."""
    with responses.RequestsMock() as mock:
        mock.get(f"{HOST}/connections/7d2c", status=status, json=nango_error(code, message))
        with pytest.raises(NangoError) as caught:
            client.get_connection("7d2c", "hubspot")
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, nango_error("missing_auth_header"), {"is_unauthorized", "upstream_error"}),
        (401, nango_error("malformed_auth_header"), {"is_unauthorized", "upstream_error"}),
        (401, nango_error("invalid_secret_key_format"), {"is_unauthorized", "upstream_error"}),
        (401, nango_error("unknown_account"), {"is_unauthorized", "upstream_error"}),
        (403, nango_error("forbidden", "Insufficient scope. Required: x"), {"is_unauthorized", "upstream_error"}),
        (429, nango_error("too_many_request"), {"is_throttled", "upstream_busy"}),
        (404, nango_error("unknown_provider_config"), {"permanent", "upstream_error"}),
        (400, nango_error("server_error", "Failed to get connection"), {"permanent", "is_gone", "upstream_error"}),
        (424, nango_error("connection_refresh_backoff"), {"upstream_busy"}),
        (424, nango_error("server_error", REFRESH_LIMIT), {"permanent", "needs_reconnect", "upstream_error"}),
        (400, nango_error("server_error", REFRESH_REFUSED), {"needs_reconnect", "upstream_error"}),
        (402, nango_error("plan_limit"), {"permanent", "upstream_error"}),
        (400, nango_error("invalid_headers"), {"permanent", "upstream_error"}),
        # From here on it is the CRM that answers.
        (400, {"status": "error", "category": "VALIDATION_ERROR"}, {"permanent", "upstream_error"}),
        (
            401,
            {"status": "error", "category": "EXPIRED_AUTHENTICATION"},
            {"permanent", "needs_reconnect", "upstream_error"},
        ),
        (401, {"code": "INVALID_TOKEN", "status": "error"}, {"permanent", "needs_reconnect", "upstream_error"}),
        (403, {"status": "error", "category": "MISSING_SCOPES"}, {"permanent", "upstream_error"}),
        (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "x"}], {"is_throttled", "upstream_busy"}),
        (404, {"status": "error"}, {"permanent", "upstream_error"}),
        (408, {}, {"upstream_timeout"}),
        (429, {"errorType": "RATE_LIMIT", "policyName": "SECONDLY"}, {"is_throttled", "upstream_busy"}),
        (500, {"message": "connect ECONNREFUSED", "code": "ECONNREFUSED"}, {"upstream_error"}),
        (502, None, {"upstream_error"}),
        (503, {}, {"upstream_error"}),
        (504, {}, {"upstream_timeout"}),
        (302, None, {"upstream_error"}),
    ],
)
def test_each_answer_on_the_proxy_has_one_meaning(status: int, body: Any, expected: set[str]) -> None:
    error = proxy_failure(status, body)
    assert verdict(error) == expected
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "unknown_account", {"is_unauthorized", "upstream_error"}),
        (401, "", {"is_unauthorized", "upstream_error"}),
        (403, "forbidden", {"is_unauthorized", "upstream_error"}),
        (429, "too_many_request", {"is_throttled", "upstream_busy"}),
        (400, "unknown_provider_config", {"permanent", "upstream_error"}),
        (400, "unknown_connection", {"permanent", "is_gone", "upstream_error"}),
        (404, "not_found", {"permanent", "is_gone", "upstream_error"}),
        (400, "invalid_query_params", {"permanent", "upstream_error"}),
        (415, "invalid_content_type", {"permanent", "upstream_error"}),
        (424, "invalid_credentials", {"needs_reconnect", "upstream_error"}),
        (400, "invalid_credentials", {"needs_reconnect", "upstream_error"}),
        (500, "server_error", {"upstream_error"}),
    ],
)
def test_each_answer_of_nangos_own_api_has_one_meaning(status: int, code: str, expected: set[str]) -> None:
    assert verdict(failure(status, code)) == expected


def test_what_the_crm_says_is_kept_and_what_nango_says_is_not() -> None:
    scopes = {"status": "error", "category": "MISSING_SCOPES", "message": "Grant it."}
    assert proxy_failure(403, scopes).body == scopes
    assert proxy_failure(403, nango_error("forbidden")).body is None
    assert all(proxy_failure(400, nango_error(code)).body is None for code in FOR_GOOD if code != "refresh_exhausted")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, nango_error("unknown_account", "No account."), "Nango answered 401. unknown_account No account."),
        (403, {"category": "MISSING_SCOPES", "message": "Grant it."}, "The CRM answered 403. Grant it."),
        (
            400,
            [{"errorCode": "MALFORMED_QUERY", "message": "Unexpected."}],
            "The CRM answered 400. MALFORMED_QUERY Unexpected.",
        ),
        (403, {"success": False, "error": "Scope and URL mismatch"}, "The CRM answered 403. Scope and URL mismatch"),
        (401, {"code": "INVALID_TOKEN", "message": "Bad."}, "The CRM answered 401. INVALID_TOKEN Bad."),
        (
            422,
            {"message": ["pageLimit must be", "a number"], "error": "x"},
            "The CRM answered 422. pageLimit must be a number",
        ),
        (500, None, "The CRM answered 500."),
        (400, "just text", "The CRM answered 400."),
    ],
)
def test_the_message_is_in_their_words(status: int, body: Any, message: str) -> None:
    assert str(proxy_failure(status, body)) == message


def test_html_from_a_load_balancer_is_no_surprise() -> None:
    assert str(proxy_failure(502, content_type="text/html", **{"body": "<html>"})) == "The CRM answered 502."


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "7", 7.0),
        (429, "0", 0.0),
        (429, "999999", 3600.0),
        (429, "soon", None),
        (503, "5", 5.0),
        (500, "5", None),
    ],
)
def test_retry_after_is_honoured_where_it_makes_sense(status: int, header: str, seconds: float | None) -> None:
    error = proxy_failure(status, {}, headers={"Retry-After": header})
    assert error.retry_after == seconds
    assert (error.api_code == "upstream_busy") == (status == 429 or seconds is not None)


def test_a_refresh_that_just_failed_is_worth_waiting_for() -> None:
    assert proxy_failure(424, nango_error("connection_refresh_backoff")).retry_after == 30


@pytest.mark.parametrize(
    ("error", "code", "api_code"),
    [
        (requests.ConnectTimeout("x"), "timeout", "upstream_timeout"),
        (requests.ReadTimeout("x"), "timeout", "upstream_timeout"),
        (requests.ConnectionError("HTTPSConnectionPool(…): Read timed out."), "timeout", "upstream_timeout"),
        (requests.ConnectionError("refused"), "unreachable", "upstream_error"),
        (requests.exceptions.ChunkedEncodingError("x"), "unreachable", "upstream_error"),
    ],
)
def test_a_lost_answer_is_for_later(error: Exception, code: str, api_code: str) -> None:
    found = lost(error)
    assert (found.status, found.permanent, found.code, found.api_code) == (None, False, code, api_code)


def test_a_redirect_is_not_followed() -> None:
    error = proxy_failure(302, headers={"Location": f"{HOST}/integrations"})
    assert (error.status, error.permanent) == (302, False)


def test_not_modified_is_an_answer_of_crms_only() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{HOST}/connections/7d2c", status=304)
        with pytest.raises(NangoError) as caught:
            client.get_connection("7d2c", "hubspot")
    assert caught.value.status == 304


@pytest.mark.parametrize("text", ["<html>", "[" * 100_000, '{"a": ', "\xff"])
def test_a_good_answer_that_is_no_json_is_an_error(text: str) -> None:
    with responses.RequestsMock() as mock:
        mock.get(PAGE, body=text.encode("latin-1"))
        with pytest.raises(NangoError, match="no JSON") as caught:
            read_owners()
    assert not caught.value.permanent


def test_an_endless_answer_is_not_read_to_the_end() -> None:
    with responses.RequestsMock() as mock:
        mock.get(PAGE, body=b" " * (client.LARGEST_ANSWER + 1))
        with pytest.raises(NangoError, match="too large"):
            read_owners()


@pytest.mark.parametrize("key", [KEY, "line\nbreak", "naïve…"])
@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401, "json": nango_error("unknown_account", f"No account has {KEY}.")},
        {"status": 500, "body": f"Bearer {KEY}"},
        {"status": 302, "headers": {"Location": f"https://elsewhere.example/?{KEY}"}},
        {"body": requests.ConnectionError(f"Bearer {KEY}")},
        {"body": requests.ReadTimeout(f"Bearer {KEY}")},
    ],
)
def test_the_key_stands_in_no_error_and_no_log(
    settings: Settings, caplog: pytest.LogCaptureFixture, answer: dict[str, Any], key: str
) -> None:
    settings.NANGO_SECRET_KEY = key
    caplog.set_level(logging.DEBUG)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(PAGE, **answer)
        with pytest.raises(NangoError) as caught:
            read_owners()
    error = caught.value
    told = [
        str(error),
        repr(error),
        caplog.text,
        *traceback.format_exception(error),
        repr(vars(error) | {"body": None}),
    ]
    assert key not in "".join(told)
    assert repr(key)[1:-1] not in "".join(told)
