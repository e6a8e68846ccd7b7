"""How a business is connected with its CRM, and parted from it."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404
from django.utils import timezone

from crm import client, providers
from crm.client import ConnectionInfo, NangoError
from crm.models import Business, Connection, SyncRun, User
from crm.providers import ProviderError
from crm.services.runs import queue_run, start_run

# What is kept of Nango's answer: where the account is, never what opens it.
KEPT_CONFIG = ("portalId", "instance_url", "api_domain", "extension", "locationId", "companyId")
LONGEST_BACKOFF = timedelta(hours=6)


def provider_of(config_key: str) -> str:
    """Our name of the CRM that a Nango integration stands for. Raises Http404."""
    for provider, key in settings.NANGO_INTEGRATIONS.items():
        if key == config_key:
            return str(provider)
    raise Http404("Not found.")


def create_session(business: Business, *, by: User, provider: str = "") -> dict[str, Any]:
    """A link at which to connect a CRM: `token`, `connect_link`, `expires_at`. Calls Nango. Raises NangoError."""
    wanted = [settings.NANGO_INTEGRATIONS[provider]] if provider else list(settings.NANGO_INTEGRATIONS.values())
    return client.create_session(tags=_tags(business, by), allowed_integrations=wanted)


def create_reconnect_session(connection: Connection, *, by: User) -> dict[str, Any]:
    """A link at which to sign in again to a connection there is, or to a new one where Nango has forgotten it.

    Calls Nango. Raises NangoError.
    """
    try:
        return client.create_reconnect_session(
            connection_id=connection.nango_connection_id,
            provider_config_key=connection.provider_config_key,
            tags=_tags(connection.business, by),
        )
    except NangoError as error:
        # Nango says of an unknown connection only that the body is wrong.
        if error.status != 400 and not error.is_gone:
            raise
    return create_session(connection.business, by=by, provider=connection.provider)


def _tags(business: Business, by: User) -> dict[str, str]:
    """All that tells later whose the connection is."""
    return {"organization_id": str(business.pk), "end_user_id": str(by.pk), "end_user_email": by.email}


def look_up(connection_id: str, config_key: str) -> ConnectionInfo:
    """The connection as Nango knows it. Calls Nango. Raises Http404 when it knows none, NangoError."""
    provider_of(config_key)
    try:
        return client.get_connection(connection_id, config_key)
    except NangoError as error:
        if error.status == 404 or error.is_gone:
            raise Http404("Not found.") from error
        raise


def connect(business: Business, info: ConnectionInfo, *, by: User | None) -> Connection:
    """Take over a connection that Nango says is this business's; an older one is switched off.

    The first sync begins once this is committed. Doing it again changes nothing. Raises Http404 for a connection of
    somebody else's, exactly as for a missing one; ValidationError naming what the person must do at the CRM.
    """
    if info.tags.get("organization_id") != str(business.pk):
        raise Http404("Not found.")
    provider = provider_of(info.provider_config_key)
    config = {name: info.connection_config[name] for name in KEPT_CONFIG if name in info.connection_config}
    try:
        account = providers.get(provider).account_id(config)
    except ProviderError as error:
        raise ValidationError({"connection_id": [str(error)]}) from error
    with transaction.atomic():
        Business.objects.select_for_update(no_key=True).get(pk=business.pk)
        known = Connection.objects.filter(nango_connection_id=info.connection_id).first()
        if known is not None and known.business_id != business.pk:
            raise Http404("Not found.")
        others = Connection.objects.active().filter(business=business).exclude(nango_connection_id=info.connection_id)
        for other in others:
            switch_off(other)
        if known is not None and known.is_active:
            if not info.has_auth_error:
                Connection.objects.filter(pk=known.pk).update(reconnect_required=False, last_error="")
            return known
        connection = known or Connection(business=business, nango_connection_id=info.connection_id, by=by)
        connection.provider, connection.provider_config_key = provider, info.provider_config_key
        connection.crm_account_id, connection.connection_metadata = account, config
        connection.is_active, connection.reconnect_required, connection.removed_at = True, False, None
        connection.save()
    return connection


def start_first_run(connection: Connection) -> None:
    """Nobody waits an hour for the leads of a new connection."""
    try:
        queue_run(start_run(connection, trigger=SyncRun.Trigger.CONNECT))
    except ValidationError:
        return  # one is under way already


def disconnect(business: Business) -> Connection:
    """Switch the connection off, at once; Nango forgets it soon after. Leads stay.

    Raises ValidationError `not_connected`.
    """
    with transaction.atomic():
        Business.objects.select_for_update(no_key=True).get(pk=business.pk)
        connection = Connection.objects.active().filter(business=business).first()
        if connection is None:
            raise ValidationError("No CRM is connected.", code="not_connected")
        switch_off(connection)
    return connection


def switch_off(connection: Connection) -> None:
    """It syncs no more, and Nango is told to forget it until it has."""
    Connection.objects.filter(pk=connection.pk).update(
        is_active=False, removed_at=None, removal_attempts=0, retry_removal_at=timezone.now()
    )


def require_phones(connection: Connection, wanted: bool) -> None:
    """Whether contacts without a usable phone are skipped. The next run reads in full: it judges all of them anew."""
    changed = Connection.objects.filter(pk=connection.pk).exclude(require_phone=wanted)
    changed.update(require_phone=wanted, changed_since=None)


def remove_due(limit: int = 50) -> int:
    """Tell Nango to forget what was switched off here: how many it has forgotten. Calls Nango."""
    removed = 0
    for connection in Connection.objects.to_remove().filter(retry_removal_at__lte=timezone.now())[:limit]:
        try:
            client.delete_connection(connection.nango_connection_id, connection.provider_config_key)
        except NangoError as error:
            _try_again(connection, error)
        else:
            Connection.objects.filter(pk=connection.pk, is_active=False).update(removed_at=timezone.now())
            removed += 1
    return removed


def _try_again(connection: Connection, error: NangoError) -> None:
    attempts = connection.removal_attempts + 1
    pause = min(timedelta(seconds=30 * 2 ** min(attempts, 12)), LONGEST_BACKOFF)
    again: datetime = timezone.now() + pause
    Connection.objects.filter(pk=connection.pk).update(
        removal_attempts=attempts, retry_removal_at=again, last_error=str(error)[:500]
    )
