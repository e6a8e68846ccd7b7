"""The one place that speaks HTTP with Nango, and through its proxy with the CRMs."""

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import requests
from django.conf import settings
from requests import PreparedRequest, Request, Response
from requests.adapters import HTTPAdapter

from crm.client.errors import NangoError, refusal
from crm.providers.contract import entries, moment, nested, text

Json = dict[str, Any]
LARGEST_ANSWER = 32 * 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9,.;:=+~@_ -]{0,254}")
__all__ = [
    "ConnectionInfo",
    "NangoError",
    "ProxyAnswer",
    "create_reconnect_session",
    "create_session",
    "delete_connection",
    "get_connection",
    "list_connections",
    "list_integrations",
    "proxy",
]
_adapters: dict[int, HTTPAdapter] = {}


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A connection as Nango knows it, without what opens it. Lists leave `connection_config` empty."""

    connection_id: str
    provider_config_key: str
    provider: str
    tags: dict[str, str]
    connection_config: Json
    has_auth_error: bool
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProxyAnswer:
    """A CRM's answer: a 2xx or 304, and its JSON, None when it was empty."""

    status: int
    body: Any


def create_session(*, tags: dict[str, str], allowed_integrations: list[str]) -> Json:
    """A half hour in which somebody may connect a CRM: `token`, `connect_link`, `expires_at`.

    https://nango.dev/docs/reference/backend/http-api/connect/sessions/create
    Tags come back with the connection and are the only link to whom it belongs. Raises NangoError.
    """
    body = {"tags": _tags(tags), "allowed_integrations": allowed_integrations}
    return _session(_call("POST", "connect/sessions", body=body))


def create_reconnect_session(*, connection_id: str, provider_config_key: str, tags: dict[str, str]) -> Json:
    """As `create_session`, to sign in again to a connection that there is. It keeps its id; the tags replace its own.

    https://nango.dev/docs/reference/backend/http-api/connect/sessions/reconnect Raises NangoError.
    """
    body = {
        "connection_id": _name(connection_id),
        "integration_id": _name(provider_config_key),
        "tags": _tags(tags),
    }
    return _session(_call("POST", "connect/sessions/reconnect", body=body))


def get_connection(connection_id: str, provider_config_key: str) -> ConnectionInfo:
    """A connection, by ids that a browser may have made up. https://nango.dev/docs/reference/backend/http-api/connections/get

    Nango renews the token meanwhile. Raises NangoError: `is_gone` when there is none, `needs_reconnect`.
    """
    query = {"provider_config_key": _name(provider_config_key)}
    return _connection(_call("GET", f"connections/{_name(connection_id)}", query=query).body)


def list_connections(tags: dict[str, str]) -> list[ConnectionInfo]:
    """Connections that carry all these tags, 1000 at most. https://nango.dev/docs/reference/backend/http-api/connections/list

    Raises NangoError.
    """
    query = {"limit": "1000", **{f"tags[{name}]": value for name, value in tags.items()}}
    found = _call("GET", "connections", query=query).body
    return [_connection(row) for row in entries(nested(found).get("connections"))]


def delete_connection(connection_id: str, provider_config_key: str) -> None:
    """Let Nango forget a connection; one that it does not know is done. Raises NangoError.

    https://nango.dev/docs/reference/backend/http-api/connections/delete
    A trap: for HubSpot Nango also revokes the portal's token, and with it every other connection to the same portal,
    unless the connection's metadata say `skipTokenRevocation`. So delete the old one before the person connects anew.
    """
    query = {"provider_config_key": _name(provider_config_key)}
    try:
        _call("DELETE", f"connections/{_name(connection_id)}", query=query)
    except NangoError as error:
        if not error.is_gone:
            raise


def list_integrations() -> list[Json]:
    """What is set up in Nango: `unique_key`, `display_name`, `provider`, … Good for finding out whether the key works.

    https://nango.dev/docs/reference/backend/http-api/integration/list Raises NangoError.
    """
    return entries(nested(_call("GET", "integrations").body).get("data"))


def proxy(
    method: str,
    path: str,
    *,
    connection_id: str,
    provider_config_key: str,
    query: dict[str, str] | None = None,
    body: Json | None = None,
    headers: dict[str, str] | None = None,
    seconds: float | None = None,
) -> ProxyAnswer:
    """One request to the CRM, with the token that Nango keeps. `headers` are the CRM's own, `seconds` at most what the
    caller has left.

    https://nango.dev/docs/reference/backend/http-api/proxy/get
    Raises NangoError, also for what the CRM itself refuses.
    """
    # A page's address comes from the CRM: it must not lead out of the proxy, where our key opens more.
    if not path.startswith("/") or ".." in unquote(path):
        raise NangoError("The CRM named a page that is none.", permanent=True)
    sent = {
        "Connection-Id": _name(connection_id),
        "Provider-Config-Key": _name(provider_config_key),
        **{f"Nango-Proxy-{name}": value for name, value in (headers or {}).items()},
    }
    return _call(method, f"proxy{path}", query=query, body=body, headers=sent, seconds=seconds)


def _name(given: str) -> str:
    """An id that may stand in an address and a header; no other exists. Raises NangoError."""
    if not NAME.fullmatch(given):
        raise NangoError("Nango has no connection of that name.", permanent=True, status=404, code="not_found")
    return given


def _tags(given: dict[str, str]) -> Json:
    return {name: value[:255] for name, value in given.items() if value}


def _session(answer: ProxyAnswer) -> Json:
    data = nested(nested(answer.body).get("data"))
    session = {"token": text(data.get("token")), "connect_link": text(data.get("connect_link"))}
    expires_at = moment(data.get("expires_at"))
    if not all(session.values()) or expires_at is None:
        raise NangoError("Nango answered without a session.", permanent=False, status=answer.status)
    return {**session, "expires_at": expires_at}


def _connection(body: Any) -> ConnectionInfo:
    found = nested(body)
    connection = ConnectionInfo(
        connection_id=text(found.get("connection_id")),
        provider_config_key=text(found.get("provider_config_key")),
        provider=text(found.get("provider")),
        tags={name: text(value) for name, value in nested(found.get("tags")).items()},
        connection_config=nested(found.get("connection_config")),
        has_auth_error=any(error.get("type") == "auth" for error in entries(found.get("errors"))),
        created_at=moment(found.get("created_at") or found.get("created")),
    )
    if not connection.connection_id or not connection.provider_config_key:
        raise NangoError("Nango answered without a connection.", permanent=False)
    return connection


def _adapter() -> HTTPAdapter:
    """One keep-alive connection pool for each process, also after a fork. It follows no redirect and reads no proxy,
    cookie or .netrc of the environment."""
    pid = os.getpid()
    if pid not in _adapters:
        _adapters.clear()
        _adapters[pid] = HTTPAdapter()
    return _adapters[pid]


def _prepared(
    method: str, path: str, query: dict[str, str] | None, body: Json | None, headers: dict[str, str] | None
) -> PreparedRequest:
    url = f"{settings.NANGO_HOST.rstrip('/')}/{path}"
    sent = {"Authorization": f"Bearer {settings.NANGO_SECRET_KEY}", "Accept": "application/json", **(headers or {})}
    return Request(method, url, headers=sent, params=query, json=body).prepare()


def _call(
    method: str,
    path: str,
    *,
    query: dict[str, str] | None = None,
    body: Json | None = None,
    headers: dict[str, str] | None = None,
    seconds: float | None = None,
) -> ProxyAnswer:
    """One request, bounded in time and size. The errors are cut off from their causes, which carry the key."""
    longest = settings.NANGO_TIMEOUT_SECONDS
    timeout = longest if seconds is None else min(longest, seconds)
    try:
        request = _prepared(method, path, query, body, headers)
        response = _adapter().send(request, stream=True, timeout=(min(timeout, 5), timeout), verify=True)
        raw = _read(response)
    except requests.Timeout:
        raise NangoError("Nango did not answer in time.", permanent=False, code="timeout") from None
    except (requests.RequestException, ValueError) as error:
        if "timed out" in str(error):  # while the body was read
            raise NangoError("Nango did not answer in time.", permanent=False, code="timeout") from None
        reason = type(error).__name__
        raise NangoError(f"Nango could not be reached ({reason}).", permanent=False, code="unreachable") from None
    found = _json(raw)
    by_proxy = path.startswith("proxy/")
    if not 200 <= response.status_code < 300 and not (by_proxy and response.status_code == 304):
        wait = response.headers.get("Retry-After", "").strip()
        raise refusal(response.status_code, found, wait=wait, by_proxy=by_proxy)
    if raw.strip() and found is None:
        raise NangoError("The answer is no JSON.", permanent=False, status=response.status_code)
    return ProxyAnswer(response.status_code, found)


def _read(response: Response) -> bytes:
    """The whole body. Closing gives the connection back, or ends it when something is left in it."""
    whole = bytearray()
    try:
        for chunk in response.iter_content(65_536):
            whole += chunk
            if len(whole) > LARGEST_ANSWER:
                raise NangoError("The answer is too large.", permanent=True, status=response.status_code)
    finally:
        response.close()
    return bytes(whole)


def _json(raw: bytes) -> Any:
    """The body, or None for none, for HTML, and for what is nested beyond reason."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
