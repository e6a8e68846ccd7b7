"""Shapes of what moves points."""

from typing import Any

from rest_framework import serializers

from loyalty.api.serializers.numbers import AmountField, MoneyField, PointsField, WholeNumber
from loyalty.models import rules
from notifications.api.serializers import StrictSerializer

BUSINESS = "Id or slug; needed by staff and by members of several."
CARD = "Id or card number."
REFERENCE = "The caller's own number of the order, unique in the business for each operation."


def only_one_of(attrs: dict[str, Any], *names: str, at_least: int = 1) -> None:
    """Raises ValidationError unless exactly one of the fields was sent, or with `at_least=0` at most one."""
    sent = [name for name in names if name in attrs]
    if not at_least <= len(sent) <= 1:
        number = "exactly" if at_least else "at most"
        raise serializers.ValidationError(f"Give {number} one of {', '.join(names[:-1])} and {names[-1]}.")


class TillSerializer(StrictSerializer):
    """Whose card it is about, at a till."""

    phone = serializers.CharField(max_length=50, required=False, help_text="In any spelling.")
    card = serializers.CharField(max_length=100, required=False, help_text=CARD)
    qr = serializers.CharField(max_length=200, required=False, help_text="A code from the customer's screen or card.")
    program = serializers.UUIDField(required=False, help_text="For a phone; else the business's default program.")
    business = serializers.CharField(max_length=100, required=False, help_text=BUSINESS)
    transaction_reference = serializers.CharField(max_length=255, required=False, help_text=REFERENCE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One way of naming the card."""
        only_one_of(attrs, "phone", "card", "qr")
        return attrs


class EarnSerializer(TillSerializer):
    """An order that earns, or points that are awarded."""

    order_total = MoneyField(required=False)
    points = PointsField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A visit needs neither; whether the program counts visits the service knows."""
        only_one_of(attrs, "order_total", "points", at_least=0)
        return super().validate(attrs)


class EarnedSerializer(serializers.Serializer[Any]):
    """What was earned; without a transaction nothing was."""

    points_earned = serializers.IntegerField(source="points")
    points_balance = serializers.IntegerField()
    tier_level = serializers.CharField()
    transaction = serializers.UUIDField(source="transaction.pk", allow_null=True, default=None, read_only=True)
    explanation = serializers.CharField()


class RedeemSerializer(TillSerializer):
    """Points for a discount."""

    points = PointsField()
    order_total = MoneyField(required=False)
    order_id = serializers.CharField(max_length=255, required=False, allow_blank=True, default="")
    dry_run = serializers.BooleanField(default=False, help_text="Only tell what would happen.")


class RedeemOnceSerializer(RedeemSerializer):
    """The same under the client's own id of the redemption."""

    redemption_id = serializers.CharField(
        trim_whitespace=False, allow_blank=True, help_text="The idempotency key: 1 to 255 printable characters."
    )


class RedeemedSerializer(serializers.Serializer[Any]):
    """What a redemption did; the transaction of a dry run is null."""

    success = serializers.BooleanField(default=True, read_only=True)
    points_redeemed = serializers.IntegerField(source="points")
    discount = AmountField()
    order_total_after = AmountField(allow_null=True)
    points_balance = serializers.IntegerField()
    points_balance_after = serializers.IntegerField()
    transaction = serializers.UUIDField(source="transaction.pk", allow_null=True, default=None, read_only=True)


class ReasonSerializer(StrictSerializer):
    """Why; whether there is a reason the service judges."""

    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class AdjustSerializer(ReasonSerializer):
    """Points added or taken by hand."""

    card = serializers.CharField(max_length=100, help_text=CARD)
    points = WholeNumber(
        min_value=-rules.MOST_POINTS, max_value=rules.MOST_POINTS, help_text="Signed; not 0. Negative takes away."
    )
    business = serializers.CharField(max_length=100, required=False, help_text=BUSINESS)

    def validate_points(self, points: int) -> int:
        """Raises ValidationError for nothing."""
        if not points:
            raise serializers.ValidationError("Give the points to add, or with a minus to take away.")
        return points


class AdjustedSerializer(serializers.Serializer[Any]):
    """The row that was booked."""

    transaction = serializers.UUIDField(source="pk")
    points_balance = serializers.IntegerField(source="balance_after")


class AskedSerializer(serializers.Serializer[Any]):
    """The points are held until the customer has answered."""

    hold = serializers.UUIDField()
    approval = serializers.UUIDField()


class ReverseSerializer(ReasonSerializer):
    """How much of a movement is taken back; without either, what is left of it."""

    points = PointsField(required=False)
    amount = MoneyField(required=False, help_text="A part of the original order total.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Points or money."""
        only_one_of(attrs, "points", "amount", at_least=0)
        return attrs


class ReversedSerializer(serializers.Serializer[Any]):
    """What was taken back or given back."""

    transaction = serializers.UUIDField()
    points_reversed = serializers.IntegerField()
    points_balance = serializers.IntegerField()
    points_owed = serializers.IntegerField()


class HoldInSerializer(StrictSerializer):
    """Points to set aside."""

    card = serializers.CharField(max_length=100, help_text=CARD)
    points = PointsField()
    business = serializers.CharField(max_length=100, required=False, help_text=BUSINESS)


class CaptureSerializer(StrictSerializer):
    """How many of the held points are taken; without it, all."""

    points = PointsField(required=False)


class ReleaseSerializer(StrictSerializer):
    """Nothing to say."""


class HoldSerializer(serializers.Serializer[Any]):
    """A hold: `points` are those that were set aside, `transaction` is the row that took them."""

    id = serializers.UUIDField()
    status = serializers.CharField(help_text="open, captured, released or expired")
    points = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    transaction = serializers.UUIDField(source="transaction_id", allow_null=True)
