"""Shapes of clients."""

from typing import Any

from rest_framework import serializers

from crm.api.serializers.access import EmailText
from crm.api.serializers.connections import BUSINESS
from crm.models import Client
from crm.selectors import LOOPS_STATUSES
from notifications.api.serializers import StrictSerializer

EDITABLE = (
    "first_name last_name email phone company address_line1 address_line2 city state postal_code country is_active"
).split()
READ_ONLY = ["id", "business", "phone_raw", "created_at", "updated_at"]


def optional(name: str) -> serializers.CharField:
    """A text that may be left out: blank in a new client, and in one that is replaced."""
    column: Any = Client._meta.get_field(name)
    return serializers.CharField(max_length=column.max_length, default="", allow_blank=True)


class ClientSerializer(StrictSerializer, serializers.ModelSerializer[Client]):
    """A client. What is left out is blank when it is made or replaced, and stays when it is changed in part."""

    email = EmailText(max_length=254)
    phone = serializers.CharField(max_length=50, default="", allow_blank=True, help_text="In any spelling.")
    company = optional("company")
    address_line1 = optional("address_line1")
    address_line2 = optional("address_line2")
    city = optional("city")
    state = optional("state")
    postal_code = optional("postal_code")
    country = optional("country")
    is_active = serializers.BooleanField(default=True)
    loops_status = serializers.ChoiceField(LOOPS_STATUSES, read_only=True, help_text="How far the news of them is.")
    loops_synced_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When Loops last accepted what was told of them."
    )

    class Meta:
        model = Client
        fields = [READ_ONLY[0], READ_ONLY[1], *EDITABLE, *READ_ONLY[2:], "loops_status", "loops_synced_at"]
        read_only_fields = READ_ONLY
        validators: list[Any] = []


class NewClientSerializer(ClientSerializer):
    """A new client."""

    business = serializers.CharField(max_length=100, required=False, help_text=BUSINESS)


class ClientsQuerySerializer(serializers.Serializer[Any]):
    """Which clients to list."""

    business = serializers.CharField(required=False, help_text=BUSINESS)
    is_active = serializers.BooleanField(required=False)
    company = serializers.CharField(required=False, help_text="The whole name, in whatever case.")
    country = serializers.CharField(required=False, help_text="The whole name, in whatever case.")
    loops_status = serializers.ChoiceField(LOOPS_STATUSES, required=False)
    q = serializers.CharField(required=False, help_text="Names, company, address, or a phone in any spelling.")
    ordering = serializers.CharField(required=False, help_text="By last name, unless asked for a known order.")
