"""One environment of Nango: integrations, connect sessions, connections, and its REST API (reference 1)."""

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from config.sandbox.crms import CRMS, Account, times
from config.sandbox.nango_connections import Connection, Session
from config.sandbox.nango_values import (
    CONNECTION_ID,
    Json,
    NangoRefusal,
    check_known,
    invalid,
    issue,
    read_count,
    read_end_user,
    read_key,
    read_tags,
    read_webhook_url,
    wrong_type,
)
from config.sandbox.wire import Response, json_response

SESSION_LIFE = 30 * times.MINUTE
ONE = re.compile(r"/connections/([^/]+)")
SESSION_KEYS = (
    "end_user organization allowed_integrations integrations_config_defaults overrides tags webhook_url_override"
).split()
RECONNECT_KEYS = [*(key for key in SESSION_KEYS if key != "allowed_integrations"), "connection_id", "integration_id"]
LIST_KEYS = "connectionId search endUserId endUserOrganizationId integrationId limit page".split()
ONE_KEYS = ("provider_config_key", "force_refresh", "refresh_token")
MOST_LISTED, ALL = 2000, 10_000


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call of the REST API: its path without the base, `body` None when it was no JSON object."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Json | None

    @property
    def payload(self) -> Json:
        """The body, which must be an object of JSON."""
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise NangoRefusal(415, "invalid_content_type", "Content-Type must be application/json")
        if self.body is None:
            raise invalid("body", wrong_type("object", None))
        return self.body


class Environment:
    """Not thread safe: Nango holds its lock around every call."""

    def __init__(self) -> None:
        """With all five integrations and nobody connected."""
        self.connect_url = "/connect"
        self.integrations = {provider: provider for provider in CRMS}
        self.sessions: dict[str, Session] = {}
        self.connections: dict[str, Connection] = {}
        self.opened = 0

    def answer(self, call: ApiCall) -> Response:
        """Any call but those of the proxy."""
        one = ONE.fullmatch(call.path)
        routes = ONE_ROUTES if one else ROUTES.get(call.path, {})
        endpoint = routes.get(call.method)
        try:
            if endpoint is None:
                raise NangoRefusal(404, "not_found", "endpoint not found")
            return endpoint(self, call)
        except NangoRefusal as refusal:
            return refusal.response

    def open(self, integration: str, tags: dict[str, str], account: Account, *, connection_id: str = "") -> Connection:
        """Note a new connection, under a random id unless one is given."""
        self.opened += 1
        now = times.now_ms()
        id_ = connection_id or str(uuid.uuid4())
        connection = Connection(self.opened, id_, integration, tags, account, now, now)
        self.connections[id_] = connection
        return connection

    def session(self, token: str) -> Session | None:
        """The session of a token, while it lasts."""
        found = self.sessions.get(token)
        return found if found and found.expires > times.now_ms() else None

    def create_session(self, call: ApiCall) -> Response:
        """POST /connect/sessions (reference 1.2)."""
        _check_no_query(call)
        body = call.payload
        check_known(body, SESSION_KEYS, "body")
        if "tags" not in body and "end_user" not in body:
            raise invalid("body", wrong_type("object", None, "end_user"))
        allowed = body.get("allowed_integrations", [])
        if not isinstance(allowed, list):
            raise invalid("body", wrong_type("array", allowed, "allowed_integrations"))
        unknown = [str(at) for at, key in enumerate(allowed) if key not in self.integrations]
        if unknown:
            words = "Integration does not exist"
            raise invalid("body", *(issue("custom", words, "allowed_integrations", at) for at in unknown))
        return self.start_session(_session_tags(body), allowed, read_webhook_url(body.get("webhook_url_override")))

    def reconnect(self, call: ApiCall) -> Response:
        """POST /connect/sessions/reconnect."""
        _check_no_query(call)
        body = call.payload
        check_known(body, RECONNECT_KEYS, "body")
        connection = self._find(str(body.get("connection_id")), str(body.get("integration_id")))
        if connection is None:
            raise NangoRefusal(400, "invalid_body", "ConnectionID or IntegrationId does not exists")
        url = read_webhook_url(body.get("webhook_url_override"))
        return self.start_session(_session_tags(body), [connection.integration], url, connection.connection_id)

    def start_session(
        self, tags: dict[str, str], allowed: list[str], webhook_url: str | None = None, reconnects: str | None = None
    ) -> Response:
        """A new session and the link that opens it."""
        token = f"nango_connect_session_{secrets.token_hex(32)}"
        expires = times.now_ms() + SESSION_LIFE
        self.sessions[token] = Session(token, tags, list(allowed), expires, webhook_url, reconnects)
        link = f"{self.connect_url}?session_token={token}"
        data = {"token": token, "connect_link": link, "expires_at": times.iso(expires)}
        return json_response(201, {"data": data})

    def list_connections(self, call: ApiCall) -> Response:
        """GET /connections, narrowed by tags that must all match."""
        tags = {key[5:-1].lower(): value for key, value in call.query.items() if re.fullmatch(r"tags\[.+\]", key)}
        check_known((key for key in call.query if not re.fullmatch(r"tags\[.+\]", key)), LIST_KEYS, "query_params")
        limit = read_count(call.query, "limit", ALL, 1, MOST_LISTED if "limit" in call.query else ALL)
        start = read_count(call.query, "page", 0, 0, 10**8) * limit
        found = [one for one in self.connections.values() if one.matches(call.query, tags)]
        return json_response(200, {"connections": [one.simple() for one in found[start : start + limit]]})

    def get_connection(self, call: ApiCall) -> Response:
        """GET /connections/{id}."""
        check_known(call.query, ONE_KEYS, "query_params")
        return json_response(200, self._addressed(call).full())

    def patch_connection(self, call: ApiCall) -> Response:
        """PATCH /connections/{id}: tags replace all there were."""
        check_known(call.query, ONE_KEYS[:1], "query_params")
        body = call.payload
        check_known(body, ("tags", "end_user", "webhook_url_override"), "body")
        connection = self._addressed(call)
        if "tags" in body:
            connection.tags = read_tags(body["tags"])
        if "webhook_url_override" in body:
            connection.webhook_url = read_webhook_url(body["webhook_url_override"])
        connection.updated = times.now_ms()
        return json_response(200, {"success": True})

    def delete_connection(self, call: ApiCall) -> Response:
        """DELETE /connections/{id}: an unknown one is a 400 (reference 1.1)."""
        check_known(call.query, ONE_KEYS[:1], "query_params")
        connection = self._find(_id_of(call), read_key(call.query))
        if connection is None:
            raise NangoRefusal(400, "unknown_connection")
        del self.connections[connection.connection_id]
        return json_response(200, {"success": True})

    def list_integrations(self, call: ApiCall) -> Response:
        """GET /integrations."""
        _check_no_query(call)
        return json_response(200, {"data": [_integration(key, crm) for key, crm in self.integrations.items()]})

    def _find(self, connection_id: str, integration: str) -> Connection | None:
        """Both must be right."""
        found = self.connections.get(connection_id)
        return found if found and found.integration == integration else None

    def _addressed(self, call: ApiCall) -> Connection:
        """The connection of a path and its integration."""
        key = read_key(call.query)
        if key not in self.integrations:
            raise NangoRefusal(400, "unknown_provider_config", "Provider does not exists")
        connection = self._find(_id_of(call), key)
        if connection is None:
            raise NangoRefusal(404, "not_found", "Failed to find connection")
        return connection


def _check_no_query(call: ApiCall) -> None:
    """These take none."""
    check_known(call.query, (), "query_params")


def _id_of(call: ApiCall) -> str:
    """The connection id in the path."""
    found = ONE.fullmatch(call.path)
    id_ = unquote(found[1]) if found else ""
    if not CONNECTION_ID.fullmatch(id_):
        raise invalid("uri_params", issue("invalid_format", "Invalid string", "connectionId"))
    return id_


def _session_tags(body: Json) -> dict[str, str]:
    """Tags, and what the deprecated `end_user` and `organization` become."""
    tags = read_end_user(body["end_user"]) if "end_user" in body else {}
    organization = body.get("organization")
    if isinstance(organization, dict) and isinstance(organization.get("id"), str):
        tags["organization_id"] = organization["id"]
    return {**tags, **read_tags(body.get("tags", {}))}


def _integration(key: str, provider: str) -> dict[str, Any]:
    """A row of the integrations."""
    return {
        "unique_key": key,
        "display_name": CRMS[provider].display_name,
        "provider": provider,
        "logo": f"https://app.nango.dev/images/template-logos/{provider}.svg",
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
        "forward_webhooks": True,
    }


Endpoint = Callable[[Environment, ApiCall], Response]
ROUTES: dict[str, dict[str, Endpoint]] = {
    "/connect/sessions": {"POST": Environment.create_session},
    "/connect/sessions/reconnect": {"POST": Environment.reconnect},
    "/connections": {"GET": Environment.list_connections},
    "/integrations": {"GET": Environment.list_integrations},
}
ONE_ROUTES: dict[str, Endpoint] = {
    "GET": Environment.get_connection,
    "PATCH": Environment.patch_connection,
    "DELETE": Environment.delete_connection,
}
