"""Shapes of programs."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from loyalty.api.serializers.numbers import MoneyField, WholeNumber
from loyalty.models import Program, rules
from loyalty.models.programs import MOST_MULTIPLIER
from notifications.api.serializers import StrictSerializer

PUBLIC_FIELDS = [
    "id",
    "business",
    "name",
    "is_active",
    "is_default",
    "earn_rule",
    "points_per_unit",
    "min_order",
    "welcome_points",
    "expiry_days",
    "redemption_minimum",
    "redemption_increment",
    "point_value",
    "max_redeem_percent",
    "scan_points",
    "tiers",
]


class RateField(serializers.DecimalField):
    """A number with up to four decimals, answered without the zeros that a column pads it with."""

    def __init__(self, **kwargs: Any) -> None:
        limits = {"max_digits": 10, "min_value": Decimal(0), **kwargs}
        super().__init__(decimal_places=4, normalize_output=True, **limits)


class TierSerializer(StrictSerializer):
    """A level, the lifetime points it begins at, and what earning is multiplied by."""

    level = serializers.CharField(max_length=30)
    from_points = WholeNumber(min_value=0, max_value=rules.MOST_POINTS)
    multiplier = RateField(max_value=MOST_MULTIPLIER)

    def to_internal_value(self, data: Any) -> Any:
        """As it is stored: JSON has no decimals."""
        tier = super().to_internal_value(data)
        return {**tier, "multiplier": self.fields["multiplier"].to_representation(tier["multiplier"])}


class PublicProgramSerializer(serializers.ModelSerializer[Program]):
    """What customers may know of a program."""

    points_per_unit = RateField()
    point_value = RateField()
    tiers = TierSerializer(many=True)

    class Meta:
        model = Program
        fields = PUBLIC_FIELDS


class ProgramSerializer(PublicProgramSerializer):
    """A program as the business's managers see it; anybody else gets no limits and no dates."""

    class Meta:
        model = Program
        fields = [
            *PUBLIC_FIELDS,
            "scan_cooldown_minutes",
            "deduction_needs_approval",
            "max_points_per_transaction",
            "max_points_per_day",
            "created_at",
            "updated_at",
        ]


def _whole(**kwargs: Any) -> WholeNumber:
    return WholeNumber(**{"required": False, "min_value": 0, "max_value": rules.MOST_POINTS, **kwargs})


class ProgramChangesSerializer(StrictSerializer):
    """Settings to change. Zero is zero; null is no limit, or never."""

    id = serializers.UUIDField(read_only=True)
    business = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)
    name = serializers.CharField(max_length=100, required=False)
    is_active = serializers.BooleanField(required=False)
    is_default = serializers.BooleanField(required=False)
    earn_rule = serializers.ChoiceField(Program.EarnRule.choices, required=False)
    points_per_unit = RateField(required=False)
    min_order = MoneyField(required=False)
    welcome_points = _whole()
    expiry_days = _whole(min_value=1, max_value=36_500, allow_null=True)
    redemption_minimum = _whole()
    redemption_increment = _whole()
    point_value = RateField(required=False)
    max_redeem_percent = _whole(max_value=100)
    scan_points = _whole()
    scan_cooldown_minutes = _whole()
    deduction_needs_approval = serializers.BooleanField(required=False)
    max_points_per_transaction = _whole(allow_null=True)
    max_points_per_day = _whole(allow_null=True)
    tiers = TierSerializer(many=True, required=False)


class NewProgramSerializer(ProgramChangesSerializer):
    """A new program; what is not said is as usual."""

    name = serializers.CharField(max_length=100)
    business = serializers.CharField(
        max_length=100, required=False, help_text="Id or slug; needed by staff and by members of several."
    )
