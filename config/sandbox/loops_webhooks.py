"""Webhooks of Loops: Standard Webhooks, and what people do at Loops that makes it send them (loops_api.md 6)."""

import hmac
import json
import secrets
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

from config.sandbox.loops_contacts import Contact
from config.sandbox.nango_webhooks import Webhook

SCHEMA_VERSION = "1.0.0"
# What a person can do to a contact, and the events that follow. Some come in pairs.
ACTIONS: dict[str, tuple[str, ...]] = {
    "unsubscribe": ("email.unsubscribed", "contact.unsubscribed"),
    "resubscribe": ("email.resubscribed",),
    "bounce": ("email.hardBounced", "contact.unsubscribed"),
    "delete": ("contact.deleted", "contact.unsubscribed"),
}


def event_of(name: str, contact: Contact, at: float | None = None) -> dict[str, Any]:
    """The body of one event about a contact, at that second."""
    return {
        "eventName": name,
        "eventTime": int(time.time() if at is None else at),
        "webhookSchemaVersion": SCHEMA_VERSION,
        "contactIdentity": {key: contact.get(key) for key in ("id", "email", "userId")},
    }


def make_webhook(
    event: dict[str, Any], secret: str, *, webhook_id: str | None = None, sent_at: float | None = None
) -> Webhook:
    """Serialised and signed: HMAC-SHA256 over id, Unix seconds and body, with the key behind `whsec_`."""
    body = json.dumps(event, separators=(",", ":")).encode()
    number = webhook_id or f"msg_{secrets.token_hex(12)}"
    second = str(int(time.time() if sent_at is None else sent_at))
    signed = f"{number}.{second}.".encode() + body
    signature = b64encode(hmac.new(b64decode(secret.removeprefix("whsec_")), signed, sha256).digest()).decode()
    return Webhook(
        body,
        {
            "Content-Type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": second,
            "webhook-signature": f"v1,{signature}",
        },
    )
