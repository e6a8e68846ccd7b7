"""Shapes of a business's customers."""

from typing import Any

from rest_framework import serializers

from loyalty.api.serializers.points import BUSINESS


class CustomersQuerySerializer(serializers.Serializer[Any]):
    """Which customers, and since when."""

    business = serializers.CharField(required=False, help_text=BUSINESS)
    q = serializers.CharField(
        required=False, help_text="A phone in any spelling, a card number, a name or an address."
    )
    ordering = serializers.CharField(
        required=False,
        help_text="name, points_balance, total_points_earned, total_points_redeemed, programs, joined_at or "
        "updated_at, with a minus downwards; whoever was active last comes first.",
    )
    after = serializers.CharField(required=False, help_text="A cursor that was answered: only what changed since.")


class CustomerRowSerializer(serializers.Serializer[Any]):
    """A customer, once, with the sums over all their cards in the business."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    phone = serializers.CharField()
    email = serializers.CharField()
    points_balance = serializers.IntegerField()
    tier_level = serializers.CharField(help_text="In the default program, else in the one that earned most.")
    total_points_earned = serializers.IntegerField()
    total_points_redeemed = serializers.IntegerField()
    programs = serializers.IntegerField(help_text="How many they take part in.")
    updated_at = serializers.DateTimeField(source="seen_at", help_text="The last activity, else when they joined.")


class CustomersSerializer(serializers.Serializer[Any]):
    """A page of them; with `after`, those whose rows have changed; where nothing has, `changed` and `cursor` alone."""

    changed = serializers.BooleanField()
    cursor = serializers.CharField(help_text="Send it as `after` to get only what changes from now on.")
    count = serializers.IntegerField(required=False)
    next = serializers.URLField(required=False, allow_null=True)
    previous = serializers.URLField(required=False, allow_null=True)
    results = CustomerRowSerializer(many=True, required=False)
    removed = serializers.ListField(
        child=serializers.UUIDField(), required=False, help_text="Who has left the business; absent where nobody has."
    )
