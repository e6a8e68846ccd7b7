"""The edges of one client: requests as Nango documents them, and what becomes of the answers."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from pytest_django import Settings

from crm import client
from crm.client import NangoError, ProxyAnswer
from tests.crm.calls import HOST, KEY, PAGE, nango_error, read_owners, verdict

CONNECTION = {
    "id": 1,
    "connection_id": "7d2c",
    "provider_config_key": "hubspot",
    "provider": "hubspot",
    "errors": [],
    "end_user": None,
    "tags": {"organization_id": "42"},
    "metadata": None,
    "connection_config": {"portalId": 147893286},
    "created_at": "2026-05-01T12:00:00.000+00:00",
    "credentials": {"access_token": "never-kept"},
}


@pytest.fixture(autouse=True)
def _nango(settings: Settings) -> None:
    settings.NANGO_HOST = HOST
    settings.NANGO_SECRET_KEY = KEY


def test_waiting_is_bounded(settings: Settings) -> None:
    settings.NANGO_TIMEOUT_SECONDS = 8
    with responses.RequestsMock() as mock:
        mock.get(
            PAGE,
            json={},
            match=[responses.matchers.request_kwargs_matcher({"timeout": (5, 8), "verify": True, "stream": True})],
        )
        read_owners()


@pytest.mark.parametrize(("status", "text"), [(204, ""), (304, ""), (200, ""), (200, " \n")])
def test_an_answer_may_be_empty(status: int, text: str) -> None:
    with responses.RequestsMock() as mock:
        mock.get(PAGE, status=status, body=text)
        assert read_owners() == ProxyAnswer(status, None)


def test_a_session_is_asked_for_as_nango_documents_it() -> None:
    data = {
        "token": "nango_connect_session_1",
        "connect_link": "https://connect/1",
        "expires_at": "2026-05-01T12:30:00Z",
    }
    with responses.RequestsMock() as mock:
        mock.post(f"{HOST}/connect/sessions", status=201, json={"data": data})
        session = client.create_session(
            tags={"organization_id": "42", "end_user_id": "7", "end_user_email": ""}, allowed_integrations=["hubspot"]
        )
        sent = mock.calls[0].request
    assert session == {**data, "expires_at": datetime(2026, 5, 1, 12, 30, tzinfo=UTC)}
    assert json.loads(sent.body or "") == {
        "tags": {"organization_id": "42", "end_user_id": "7"},
        "allowed_integrations": ["hubspot"],
    }
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.headers["Content-Type"] == "application/json"


def test_a_reconnect_session_names_the_connection() -> None:
    data = {"token": "t", "connect_link": "https://connect/1", "expires_at": "2026-05-01T12:30:00Z"}
    with responses.RequestsMock() as mock:
        mock.post(f"{HOST}/connect/sessions/reconnect", status=201, json={"data": data})
        client.create_reconnect_session(
            connection_id="7d2c", provider_config_key="hubspot", tags={"organization_id": "42"}
        )
        sent = json.loads(mock.calls[0].request.body or "")
    assert sent == {"connection_id": "7d2c", "integration_id": "hubspot", "tags": {"organization_id": "42"}}


@pytest.mark.parametrize("body", [None, {}, {"data": {}}, {"data": {"token": "t", "connect_link": "l"}}])
def test_a_session_without_a_token_is_an_error(body: Any) -> None:
    with responses.RequestsMock() as mock:
        mock.post(f"{HOST}/connect/sessions", status=201, json=body)
        with pytest.raises(NangoError, match="without a session"):
            client.create_session(tags={"organization_id": "42"}, allowed_integrations=["hubspot"])


def test_a_connection_comes_without_credentials() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{HOST}/connections/7d2c?provider_config_key=hubspot", json=CONNECTION)
        found = client.get_connection("7d2c", "hubspot")
    assert found == client.ConnectionInfo(
        connection_id="7d2c",
        provider_config_key="hubspot",
        provider="hubspot",
        tags={"organization_id": "42"},
        connection_config={"portalId": 147893286},
        has_auth_error=False,
        created_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
    )
    assert "never-kept" not in repr(found)


def test_a_connection_tells_that_it_needs_the_person() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{HOST}/connections/7d2c", json={**CONNECTION, "errors": [{"type": "auth", "log_id": "1"}]})
        assert client.get_connection("7d2c", "hubspot").has_auth_error


@pytest.mark.parametrize(
    "name", ["", "..", ".", "../integrations", "a/b", " a", "a\r\nX: y", "ä", "?x", "%2e", "a" * 256]
)
def test_an_id_that_cannot_be_is_never_sent(name: str) -> None:
    with responses.RequestsMock():
        for call in (
            lambda: client.get_connection(name, "hubspot"),
            lambda: client.get_connection("7d2c", name),
            lambda: client.proxy("GET", "/x", connection_id=name, provider_config_key="hubspot"),
            lambda: client.create_reconnect_session(connection_id=name, provider_config_key="hubspot", tags={}),
        ):
            with pytest.raises(NangoError) as caught:
                call()
            assert verdict(caught.value) == {"permanent", "is_gone", "upstream_error"}
        client.delete_connection(name, "hubspot")


def test_connections_are_found_by_tags() -> None:
    listed = {**CONNECTION, "created": CONNECTION["created_at"]}
    del listed["created_at"], listed["connection_config"], listed["credentials"]
    with responses.RequestsMock() as mock:
        mock.get(f"{HOST}/connections?limit=1000&tags%5Borganization_id%5D=42", json={"connections": [listed]})
        [found] = client.list_connections({"organization_id": "42"})
    assert (found.connection_id, found.connection_config) == ("7d2c", {})
    assert found.created_at == datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"success": True}), (400, nango_error("unknown_connection")), (404, nango_error("not_found"))],
)
def test_deleting_what_is_not_there_is_done(status: int, body: Any) -> None:
    with responses.RequestsMock() as mock:
        mock.delete(f"{HOST}/connections/7d2c?provider_config_key=hubspot", status=status, json=body)
        client.delete_connection("7d2c", "hubspot")


@pytest.mark.parametrize(("status", "code"), [(500, ""), (400, "unknown_provider_config"), (401, "unknown_account")])
def test_deleting_may_fail(status: int, code: str) -> None:
    with responses.RequestsMock() as mock:
        mock.delete(f"{HOST}/connections/7d2c", status=status, json=nango_error(code))
        with pytest.raises(NangoError):
            client.delete_connection("7d2c", "hubspot")


def test_integrations_are_listed() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{HOST}/integrations", json={"data": [{"unique_key": "hubspot", "provider": "hubspot"}]})
        assert client.list_integrations() == [{"unique_key": "hubspot", "provider": "hubspot"}]


def test_a_call_through_the_proxy_is_what_nango_documents() -> None:
    with responses.RequestsMock() as mock:
        mock.post(f"{HOST}/proxy/contacts/search?a=1%2C2", json={"contacts": []})
        answer = client.proxy(
            "POST",
            "/contacts/search",
            connection_id="7d2c",
            provider_config_key="highlevel",
            query={"a": "1,2"},
            body={"pageLimit": 500},
            headers={"Version": "2021-07-28"},
        )
        sent = mock.calls[0].request
    assert answer == ProxyAnswer(200, {"contacts": []})
    assert json.loads(sent.body or "") == {"pageLimit": 500}
    names = ("Connection-Id", "Provider-Config-Key", "Nango-Proxy-Version", "Content-Type")
    assert [sent.headers.get(name) for name in names] == ["7d2c", "highlevel", "2021-07-28", "application/json"]


def test_a_read_has_no_body() -> None:
    with responses.RequestsMock() as mock:
        mock.get(PAGE, json={})
        read_owners()
        sent = mock.calls[0].request
    assert (sent.body, sent.headers.get("Content-Type")) == (None, None)


@pytest.mark.parametrize(
    "path",
    ["/../connections", "/a/%2e%2e/%2E%2E/connections", "connections", "https://elsewhere.example/", "", "/a/..%2fb"],
)
def test_no_page_leads_out_of_the_proxy(path: str) -> None:
    with responses.RequestsMock(), pytest.raises(NangoError, match="a page that is none"):
        client.proxy("GET", path, connection_id="7d2c", provider_config_key="hubspot")


@pytest.mark.parametrize("host", [HOST, f"{HOST}/", f"{HOST}/nango"])
def test_the_path_of_the_host_survives(settings: Settings, host: str) -> None:
    settings.NANGO_HOST = host
    with responses.RequestsMock() as mock:
        mock.get(f"{host.rstrip('/')}/proxy/crm/v3/owners", json={"results": []})
        read_owners()


def test_production_does_not_start_with_the_sandbox() -> None:
    environment = {
        **os.environ,
        "DEBUG": "false",
        "SECRET_KEY": "x" * 60,
        "LOOPS_BASE_URL": "https://loops.example",
        "NANGO_HOST": "http://localhost:8010/nango",
    }
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "NANGO_HOST points at this machine" in done.stderr


def test_an_answer_that_is_no_connection_is_an_error() -> None:
    with responses.RequestsMock() as mock:
        mock.get(f"{HOST}/connections/7d2c", json={"data": CONNECTION})
        with pytest.raises(NangoError, match="without a connection"):
            client.get_connection("7d2c", "hubspot")
