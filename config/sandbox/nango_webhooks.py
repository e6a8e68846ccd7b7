"""Webhooks of Nango: signed over the raw body, keys sorted, no id and no time (reference 2)."""

import hmac
import http.client
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from config.sandbox.nango_connections import Connection

TIMEOUT_SECONDS = 20
ATTEMPTS = 3
ENVIRONMENT = "dev"
REFRESH_ERROR = {"type": "refresh_token_external_error", "description": "The external API returned an error"}


@dataclass(frozen=True, slots=True)
class Webhook:
    """A body and the headers that go with it, ready to be posted by whoever tests a receiver."""

    body: bytes
    headers: dict[str, str]


def sign(body: bytes, secret: str) -> str:
    """Hex HMAC-SHA256, as in `X-Nango-Hmac-Sha256`."""
    return hmac.new(secret.encode(), body, sha256).hexdigest()


def make_webhook(payload: dict[str, Any], secret: str) -> Webhook:
    """Serialised as Nango does, and signed."""
    body = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return Webhook(body, {"Content-Type": "application/json", "X-Nango-Hmac-Sha256": sign(body, secret)})


def auth_payload(connection: Connection, operation: str) -> dict[str, Any]:
    """`creation`, `override` (somebody signed in again), or `refresh`, which is only ever told when it failed."""
    failed = operation == "refresh"
    return {
        "from": "nango",
        "type": "auth",
        "operation": operation,
        "connectionId": connection.connection_id,
        "authMode": "OAUTH2",
        "providerConfigKey": connection.integration,
        "provider": connection.account.provider,
        "environment": ENVIRONMENT,
        "success": not failed,
        "tags": connection.tags,
        "endUser": {"endUserId": connection.tags.get("end_user_id", "")},
        **({"error": REFRESH_ERROR} if failed else {}),
    }


def sync_payload(connection: Connection) -> dict[str, Any]:
    """A sync that Nango ran itself."""
    return {
        "from": "nango",
        "type": "sync",
        "connectionId": connection.connection_id,
        "providerConfigKey": connection.integration,
        "syncName": "contacts",
        "syncVariant": "base",
        "model": "Contact",
        "success": True,
        "modifiedAfter": "2026-01-01T00:00:00.000Z",
        "responseResults": {"added": 1, "updated": 0, "deleted": 0},
        "checkpoints": None,
    }


def forward_payload(connection: Connection) -> dict[str, Any]:
    """What the CRM itself sent, with whose it is."""
    return {
        "from": connection.account.provider,
        "type": "forward",
        "connectionId": connection.connection_id,
        "providerConfigKey": connection.integration,
        "payload": {"subscriptionType": "contact.propertyChange"},
    }


def deliver(url: str, webhook: Webhook, *, attempts: int = 1) -> int | None:
    """Post it; the status of the last attempt, None when nobody answered. Only 5xx and the network are tried again."""
    status: int | None = None
    for _ in range(attempts):
        status = _post(url, webhook)
        if status is not None and status < 500:
            break
    return status


def _post(url: str, webhook: Webhook) -> int | None:
    """One attempt."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", parts._replace(scheme="", netloc="").geturl() or "/", webhook.body, webhook.headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
