"""Shapes of customers' codes and of scans."""

from typing import Any

from rest_framework import serializers

from loyalty.api.serializers.cards import CardProgramSerializer
from loyalty.api.serializers.points import BUSINESS
from loyalty.models import QrKey
from loyalty.selectors import TOLD, Account, masked_name
from notifications.api.serializers import StrictSerializer

KIND = "rotating: on the screen, good for half a minute; printed: on paper, identifies and earns but never redeems."


class ShowCodeQuerySerializer(serializers.Serializer[Any]):
    """Which code to show."""

    kind = serializers.ChoiceField(QrKey.Kind.choices, default=QrKey.Kind.ROTATING.value, help_text=KIND)
    business = serializers.CharField(
        max_length=100, required=False, help_text="Id or slug: good there only. A printed code is good anywhere."
    )


class ShownCodeSerializer(serializers.Serializer[Any]):
    """A code, and its picture."""

    code = serializers.CharField()
    expires_in = serializers.IntegerField(
        allow_null=True, help_text="Seconds until there is another; null for a printed code."
    )
    svg = serializers.CharField(help_text="Black on white, with its quiet zone.")


class RevokeCodesSerializer(StrictSerializer):
    """Which codes shall be worth nothing."""

    kind = serializers.ChoiceField(QrKey.Kind.choices, help_text=KIND)


class RevokedSerializer(serializers.Serializer[Any]):
    """Done."""

    kind = serializers.CharField()
    revoked = serializers.BooleanField()


class ScanSerializer(StrictSerializer):
    """A code that was read at a till."""

    code = serializers.CharField(max_length=200, help_text="In any case, with spaces or hyphens.")
    business = serializers.CharField(max_length=100, required=False, help_text=BUSINESS)
    program = serializers.UUIDField(required=False, help_text="Else the business's default program.")


class ScannedCustomerSerializer(serializers.Serializer[Any]):
    """Whose code it was, as much as a till needs to greet them."""

    id = serializers.UUIDField()
    masked_name = serializers.SerializerMethodField()

    def get_masked_name(self, customer: Any) -> str:
        """`Ada L.`"""
        return masked_name(customer)


class ScannedCardSerializer(serializers.Serializer[Account]):
    """A card of theirs at this business."""

    id = serializers.UUIDField(source="card.pk")
    card_number = serializers.CharField(source="card.card_number")
    program = CardProgramSerializer()
    points_balance = serializers.IntegerField(source="card.points_balance")
    points_available = serializers.IntegerField(source="available")
    tier_level = serializers.CharField(source="card.tier_level")


class ScannedSerializer(serializers.Serializer[Any]):
    """What a scan brought about."""

    outcome = serializers.ChoiceField([outcome.value for outcome in TOLD])
    points_awarded = serializers.IntegerField()
    customer = ScannedCustomerSerializer()
    cards = ScannedCardSerializer(many=True)
    scan_id = serializers.UUIDField()
