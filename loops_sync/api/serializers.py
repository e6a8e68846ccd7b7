"""Shapes of the run endpoint."""

from typing import Any

from rest_framework import serializers

from notifications.api.serializers import StrictSerializer


class RunSerializer(StrictSerializer):
    """How many contacts a run may tell Loops about."""

    limit = serializers.IntegerField(min_value=1, max_value=1000, default=50)


class TallySerializer(serializers.Serializer[Any]):
    """What a run did, in entries."""

    processed = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    retried = serializers.IntegerField()
    dead = serializers.IntegerField()
    remaining = serializers.IntegerField()


class RelayStatusSerializer(serializers.Serializer[Any]):
    """How the line and the outbox are."""

    enabled = serializers.BooleanField()
    connection = serializers.ChoiceField(["ok", "unauthorized", "unreachable", "disabled"])
    outbox = serializers.DictField(child=serializers.IntegerField())
    oldest_pending_seconds = serializers.IntegerField(allow_null=True)
    success_rate_1h = serializers.FloatField(allow_null=True)
    consecutive_failures = serializers.IntegerField()
