"""Shapes of connections."""

from typing import Any

from rest_framework import serializers

from crm.models import Connection
from crm.selectors import Status
from notifications.api.serializers import StrictSerializer

BUSINESS = "Id or slug; needed by staff and by members of several."


class BusinessSerializer(StrictSerializer):
    """For which business one acts."""

    business = serializers.CharField(max_length=100, required=False, help_text=BUSINESS)


class SessionInSerializer(BusinessSerializer):
    """Which CRM is to be connected; any, unless one is named."""

    provider = serializers.ChoiceField(Connection.Provider.choices, required=False)


class SessionSerializer(serializers.Serializer[Any]):
    """Half an hour in which the CRM can be connected."""

    token = serializers.CharField(help_text="For Nango's widget.")
    connect_link = serializers.URLField(help_text="For who has no widget: a page of Nango's.")
    expires_at = serializers.DateTimeField()


class ConnectSerializer(BusinessSerializer):
    """What Nango told the browser."""

    connection_id = serializers.CharField(max_length=255)
    provider_config_key = serializers.CharField(max_length=255)


class ConnectedSerializer(serializers.Serializer[Any]):
    """A connection that was taken over."""

    success = serializers.BooleanField(default=True)
    provider = serializers.CharField()
    connection_id = serializers.CharField(source="nango_connection_id")


class StatusSerializer(serializers.Serializer[Status]):
    """How the line stands."""

    connected = serializers.BooleanField(source="is_connected")
    provider = serializers.CharField(source="connection.provider", allow_null=True, default=None)
    lastSyncedAt = serializers.DateTimeField(source="connection.last_synced_at", allow_null=True, default=None)
    reconnectRequired = serializers.BooleanField(source="connection.reconnect_required", default=False)


class DoneSerializer(serializers.Serializer[Any]):
    """It is done."""

    success = serializers.BooleanField(default=True)
