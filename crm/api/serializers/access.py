"""Fields that every app's API reads, and the shapes of the login."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from crm.models import normal_email, normal_phone
from notifications.api.serializers import StrictSerializer


class EmailText(serializers.EmailField):
    """An address in its normal form, whose length is checked after: some letters grow when they are lower-cased."""

    def to_internal_value(self, data: Any) -> Any:
        """Trimmed and lower-cased."""
        return normal_email(super().to_internal_value(data))


class PhoneText(serializers.CharField):
    """A phone as typed; it must be a possible number."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the field; keeps the text as it was typed."""
        text = super().to_internal_value(data)
        check_text(normal_phone, text)
        return text


def check_text(normalise: Any, text: str) -> None:
    """What a normaliser refuses is the field's error. Raises ValidationError."""
    try:
        normalise(text)
    except ValidationError as error:
        raise serializers.ValidationError(error.messages) from error


class WebURL(serializers.URLField):
    """http or https, nothing else."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the field."""
        text = super().to_internal_value(data)
        if not str(text).lower().startswith(("http://", "https://")):
            raise serializers.ValidationError("Enter an address that begins with http:// or https://.")
        return text


class LoginSerializer(StrictSerializer):
    """What a login sends."""

    email = EmailText(max_length=254)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    otp = serializers.CharField(
        max_length=20, required=False, help_text="Staff only: the code of the authenticator app, or a recovery code."
    )


class TokenSerializer(serializers.Serializer[Any]):
    """What a login gets."""

    token = serializers.CharField()
    expiry = serializers.DateTimeField()
