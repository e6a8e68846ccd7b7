"""Shapes of leads, threads and messages."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from crm.api.serializers.access import EmailText
from crm.api.serializers.connections import BUSINESS
from crm.models import Connection, Lead, Message
from crm.selectors import BY_HAND
from notifications.api.serializers import StrictSerializer

CLOCKS_DIFFER = timedelta(minutes=5)
READ_ONLY = [
    "id",
    "business",
    "phone_raw",
    "edited_fields",
    "crm_id",
    "crm_source",
    "crm_owner",
    "crm_owner_email",
    "crm_status",
    "crm_stage",
    "crm_description",
    "crm_last_activity_at",
    "last_crm_sync_at",
    "crm_deleted_at",
    "last_message",
    "last_message_at",
    "contacted",
    "created_at",
    "updated_at",
]
EDITABLE = ["name", "first_name", "last_name", "phone", "email", "company", "lead_type", "status", "opted_out"]


class LeadSerializer(StrictSerializer, serializers.ModelSerializer[Lead]):
    """A lead, and what of it a person may change. `edited_fields` are those that a sync leaves alone."""

    name = serializers.CharField(max_length=255, required=False, allow_blank=True, help_text="Else first and last.")
    phone = serializers.CharField(max_length=50, required=False, allow_blank=True, help_text="In any spelling.")
    email = EmailText(max_length=254, required=False, allow_blank=True)
    edited_fields = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Lead
        fields = [READ_ONLY[0], READ_ONLY[1], *EDITABLE, *READ_ONLY[2:]]
        read_only_fields = READ_ONLY
        validators: list[Any] = []


class NewLeadSerializer(LeadSerializer):
    """A lead by hand."""

    business = serializers.CharField(max_length=100, required=False, help_text=BUSINESS)


class LeadsQuerySerializer(serializers.Serializer[Any]):
    """Which leads to list."""

    business = serializers.CharField(required=False, help_text=BUSINESS)
    crm_status = serializers.CharField(required=False)
    crm_stage = serializers.CharField(required=False)
    lead_type = serializers.ChoiceField(Lead.Type.choices, required=False)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        [*Connection.Provider.values, BY_HAND], required=False
    )
    owner = serializers.CharField(required=False, help_text="Name or address.")
    deleted = serializers.BooleanField(required=False, help_text="Those that the CRM no longer has, and no others.")
    q = serializers.CharField(required=False, help_text="Names, company, address, or a phone in any spelling.")
    ordering = serializers.CharField(required=False, help_text="Newest first, unless asked for a known order.")


class ThreadsQuerySerializer(serializers.Serializer[Any]):
    """Which threads to list."""

    business = serializers.CharField(required=False, help_text=BUSINESS)
    q = serializers.CharField(required=False, help_text="Names, company, address, or a phone in any spelling.")


class ThreadSerializer(serializers.ModelSerializer[Lead]):
    """A person one speaks with."""

    lead = serializers.UUIDField(source="id", help_text="Whose messages make the thread.")
    owner = serializers.CharField(source="crm_owner")
    description = serializers.CharField(source="crm_description")

    class Meta:
        model = Lead
        fields = [
            "lead",
            "name",
            "phone",
            "owner",
            "crm_status",
            "description",
            "last_message",
            "last_message_at",
            "contacted",
            "opted_out",
        ]


class MessagesQuerySerializer(serializers.Serializer[Any]):
    """Which messages to list."""

    business = serializers.CharField(required=False, help_text="Id or slug; chooses among one's own.")
    ordering = serializers.CharField(required=False, help_text="`sent_at` for the oldest first.")


class MessageSerializer(StrictSerializer, serializers.ModelSerializer[Message]):
    """One message."""

    body = serializers.CharField(max_length=5000)
    sent_at = serializers.DateTimeField(required=False, help_text="Now, unless said.")

    class Meta:
        model = Message
        fields = ["id", "direction", "channel", "body", "sent_at", "created_at"]
        read_only_fields = ["id", "created_at"]

    def validate_sent_at(self, sent_at: datetime) -> datetime:
        """One message of next year would stay the last for a year."""
        if sent_at > timezone.now() + CLOCKS_DIFFER:
            raise serializers.ValidationError("This lies in the future.")
        return sent_at
