"""Shapes of the login."""

from typing import Any

from rest_framework import serializers

from notifications.api.serializers import StrictSerializer


class LoginSerializer(StrictSerializer):
    """What a login sends."""

    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class TokenSerializer(serializers.Serializer[Any]):
    """What a login gets."""

    token = serializers.CharField()
    expiry = serializers.DateTimeField()
