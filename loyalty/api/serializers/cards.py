"""Shapes of cards and what happened on them."""

from datetime import date
from typing import Any

import phonenumbers
from django.core.validators import MaxValueValidator, MinValueValidator
from rest_framework import serializers

from loyalty.api.serializers.numbers import AmountField
from loyalty.api.serializers.points import BUSINESS, only_one_of
from loyalty.models import PointsTransaction
from loyalty.selectors import Account
from loyalty.services import earning_of
from notifications.api.serializers import StrictSerializer

EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)


def display_phone(phone: str | None) -> str:
    """As people read it: `+44 7306 506797`; nothing of somebody who was forgotten."""
    if not phone:
        return ""
    return phonenumbers.format_number(phonenumbers.parse(phone), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


class LookupQuerySerializer(serializers.Serializer[Any]):
    """Whose card a till asks for."""

    phone = serializers.CharField(max_length=50, help_text="In any spelling.")
    business = serializers.CharField(required=False, help_text=BUSINESS)
    program = serializers.UUIDField(required=False, help_text="Else the business's default program.")


class FoundCustomerSerializer(serializers.Serializer[Account]):
    """What a till needs to know of a customer."""

    id = serializers.UUIDField(source="card.enrollment.customer_id")
    name = serializers.CharField(source="card.enrollment.customer.name")
    phone = serializers.CharField(source="card.enrollment.customer.phone")
    display_phone = serializers.SerializerMethodField()
    card_number = serializers.CharField(source="card.card_number")
    points_balance = serializers.IntegerField(source="card.points_balance")
    points_available = serializers.IntegerField(source="available")
    total_points_earned = serializers.IntegerField(source="card.total_points_earned")
    total_points_redeemed = serializers.IntegerField(source="card.total_points_redeemed")
    tier_level = serializers.CharField(source="card.tier_level")
    next_tier_points = serializers.IntegerField(source="points_to_next_tier", help_text="0 at the top.")
    money_value = AmountField(source="worth", help_text="What the available points are worth.")
    enrollment_status = serializers.CharField(source="status")

    def get_display_phone(self, account: Account) -> str:
        """With its spaces."""
        return display_phone(account.card.enrollment.customer.phone)


class FoundSerializer(serializers.Serializer[Any]):
    """The answer to a look-up."""

    customer = FoundCustomerSerializer()


class NotFoundSerializer(serializers.Serializer[Any]):
    """No card here, for whatever reason."""

    detail = serializers.CharField()
    code = serializers.CharField()
    can_join = serializers.BooleanField()
    formatted_phone = serializers.CharField()


class CardsQuerySerializer(serializers.Serializer[Any]):
    """Which cards to list."""

    business = serializers.CharField(required=False, help_text="Id or slug; chooses among one's own.")
    program = serializers.UUIDField(required=False)
    q = serializers.CharField(required=False, help_text="Phone in any spelling, card number or names.")
    ordering = serializers.CharField(required=False, help_text="Newest first, unless asked for a known order.")


class CardProgramSerializer(serializers.Serializer[Any]):
    """Where a card earns."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class CardCustomerSerializer(serializers.Serializer[Any]):
    """Whose card it is."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    phone = serializers.CharField()


class CardSerializer(serializers.Serializer[Any]):
    """A card and its sums."""

    id = serializers.UUIDField(source="card.pk")
    card_number = serializers.CharField(source="card.card_number")
    business = serializers.UUIDField(source="program.business_id")
    program = CardProgramSerializer()
    customer = CardCustomerSerializer(source="card.enrollment.customer")
    status = serializers.CharField(help_text="pending, active, declined, expired or left")
    points_balance = serializers.IntegerField(source="card.points_balance")
    points_held = serializers.IntegerField(source="card.points_held")
    points_owed = serializers.IntegerField(source="card.points_owed")
    points_available = serializers.IntegerField(source="available")
    total_points_earned = serializers.IntegerField(source="card.total_points_earned")
    total_points_redeemed = serializers.IntegerField(source="card.total_points_redeemed")
    tier_level = serializers.CharField(source="card.tier_level")
    money_value = AmountField(source="worth", help_text="What the available points are worth.")
    last_activity_at = serializers.DateTimeField(source="card.last_activity_at", allow_null=True)


class DayField(serializers.DateField):
    """A day that can be counted from."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)], **kwargs)


class StatementQuerySerializer(serializers.Serializer[Any]):
    """From which day to which: `from` is a word of Python's own, and so no name in a class."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Both may be left out."""
        return {
            "from": DayField(required=False, help_text="The first day; 90 days before the last unless given."),
            "to": DayField(required=False, help_text="The last day, included; today unless given."),
        }


class LineSerializer(serializers.ModelSerializer[PointsTransaction]):
    """One movement on a statement."""

    order_total = AmountField(source="operation_details.order_total", allow_null=True)
    discount = AmountField(source="operation_details.discount", allow_null=True)
    reason = serializers.CharField(source="operation_details.reason", default="", read_only=True)
    explanation = serializers.SerializerMethodField()
    staff_member = serializers.SerializerMethodField()

    class Meta:
        model = PointsTransaction
        fields = [
            "id",
            "seq",
            "created_at",
            "operation_type",
            "points_delta",
            "points_amount",
            "balance_after",
            "transaction_reference",
            "order_total",
            "discount",
            "reason",
            "explanation",
            "staff_member",
            "reverses",
        ]

    def get_explanation(self, row: PointsTransaction) -> str | None:
        """How an earning came to its points."""
        return earning_of(row).explanation if row.operation_type == PointsTransaction.Operation.EARN else None

    def get_staff_member(self, row: PointsTransaction) -> str | None:
        """For the business's own eyes."""
        return str(row.staff_member) if row.staff_member and self.context["names_staff"] else None


class StatementSerializer(serializers.Serializer[Any]):
    """A card's movements between two days, and what they lead from and to: the balance less what is owed."""

    card = serializers.UUIDField(source="card.pk")
    opening = serializers.IntegerField()
    lines = LineSerializer(many=True)
    closing = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With the days, in the order one reads."""
        known = super().get_fields()
        days = {"from": serializers.DateField(source="from_on"), "to": serializers.DateField(source="to_on")}
        return {"card": known.pop("card"), **days, **known}


class EnrollSerializer(StrictSerializer):
    """Who joins which program: a till names the customer, customers themselves do not."""

    program = serializers.UUIDField()
    phone = serializers.CharField(max_length=50, required=False, help_text="Somebody unknown is taken in.")
    customer = serializers.UUIDField(required=False, help_text="Somebody the business knows.")
    qr = serializers.CharField(max_length=200, required=False, help_text="A code from the customer's screen or card.")
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    id = serializers.UUIDField(read_only=True)
    status = serializers.CharField(read_only=True)
    card = serializers.UUIDField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One way of naming somebody."""
        only_one_of(attrs, "phone", "customer", "qr", at_least=0)
        return attrs


class EnrolledSerializer(serializers.Serializer[Any]):
    """A place in a program, with its card."""

    id = serializers.UUIDField()
    status = serializers.CharField()
    card = serializers.UUIDField(source="card.pk", allow_null=True, default=None, read_only=True)
