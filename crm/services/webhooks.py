"""What Nango tells by itself: that a connection came, was renewed or broke, and that a CRM has news."""

import hashlib
import hmac
import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404

from crm import client
from crm.models import Business, Connection, Membership, SyncRun, User
from crm.providers.contract import nested, text
from crm.selectors import may_act
from crm.services.connections import connect, look_up
from crm.services.runs import queue_run, start_run
from crm.services.telling import require_reconnect
from crm.signals import connection_seen

logger = logging.getLogger(__name__)


def is_signed(raw: bytes, signature: str) -> bool:
    """Whether the body was signed with the webhook secret: hex HMAC-SHA256, over the bytes as they came.

    https://nango.dev/docs/guides/webhooks Without a secret nothing is.
    """
    secret = settings.NANGO_WEBHOOK_SECRET
    expected = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogateescape"))


def receive(event: dict[str, Any]) -> None:
    """Act on one event. Events have no id and no order, so each may come again and late: nothing depends on that.

    Unknown ones are left alone.
    """
    connection_id, config_key = text(event.get("connectionId")), text(event.get("providerConfigKey"))
    known = Connection.objects.active().filter(nango_connection_id=connection_id).first()
    kind = event.get("type")
    if kind == "auth":
        _authorised(event, known, connection_id, config_key)
    elif kind in ("sync", "forward") and known is not None:
        sync_soon(known, trigger=SyncRun.Trigger.WEBHOOK)


def _authorised(event: dict[str, Any], known: Connection | None, connection_id: str, config_key: str) -> None:
    failed = event.get("success") is False
    if failed and known is not None:
        words = text(nested(event.get("error")).get("description"))
        require_reconnect(known, words or "The CRM refused to renew the access.")
    elif not failed and connection_id and event.get("operation") in ("creation", "override"):
        transaction.on_commit(
            lambda: connection_seen.send(Connection, connection_id=connection_id, config_key=config_key), robust=True
        )


def sync_soon(connection: Connection, *, trigger: str, by: User | None = None) -> SyncRun | None:
    """A run in the background, unless one is under way."""
    try:
        run = start_run(connection, trigger=trigger, by=by)
    except ValidationError:
        return None
    queue_run(run)
    return run


def take_over(connection_id: str, config_key: str) -> Connection | None:
    """Connect what Nango says belongs to one of our businesses, and read it. Calls Nango. Raises NangoError.

    What was disconnected here stays so, however late or often Nango tells that it was made.
    """
    if Connection.objects.filter(nango_connection_id=connection_id, is_active=False).exists():
        return None
    try:
        info = look_up(connection_id, config_key)
        business = Business.objects.filter(pk=info.tags.get("organization_id", "")).first()
        if business is None:
            return None
        who = info.tags.get("end_user_id", "")
        by = User.objects.filter(pk=int(who)).first() if who.isdecimal() else None
        if by is not None and not may_act(by, business, Membership.Role.MANAGER, permission="crm.sync_connection"):
            return None
        was_there = Connection.objects.filter(nango_connection_id=connection_id, changed_since__isnull=False).exists()
        connection = connect(business, info, by=by)
    except (Http404, ValidationError, ValueError) as error:
        logger.warning("Connection %s was not taken over: %s", connection_id[:100], type(error).__name__)
        return None
    if was_there and not info.has_auth_error:
        sync_soon(connection, trigger=SyncRun.Trigger.WEBHOOK)
    return connection


def find_connections(business: Business) -> Connection | None:
    """Ask Nango for a connection made at a link of this business's, for who gets no webhooks. Calls Nango."""
    found = client.list_connections(tags={"organization_id": str(business.pk)})
    known = set(Connection.objects.filter(business=business).values_list("nango_connection_id", flat=True))
    for info in sorted(found, key=lambda info: str(info.created_at), reverse=True):
        taken = take_over(info.connection_id, info.provider_config_key) if info.connection_id not in known else None
        if taken is not None:
            return taken
    return None
