"""What somebody sends who wants to sign in by a link."""

from typing import Any

from rest_framework import serializers

from crm.api.serializers import EmailText
from notifications.api.serializers import StrictSerializer


class LinkSerializer(StrictSerializer):
    """Where to mail it."""

    email = EmailText(max_length=254)


class LinkAskedSerializer(serializers.Serializer[Any]):
    """The same for everybody."""

    detail = serializers.CharField()
