"""Leads, the further CRM ids they go by, and what was said to them."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models.fields import EmailField, PhoneField, email_is_normal, phone_is_e164
from crm.models.tenancy import Business


class LeadQuerySet(QuerySet["Lead"]):
    """Leads, narrowed."""

    def live(self) -> "LeadQuerySet":
        """Those that the CRM still has, and those made by hand."""
        return self.filter(crm_deleted_at=None)


class Lead(models.Model):
    """Somebody who may become a customer of a business.

    `edited_fields` names what staff edited by hand, which a sync leaves alone. A CRM id is unique in one account of
    one CRM only: those of Pipedrive are 1, 2, 3.
    """

    class Type(models.TextChoices):
        """Whether the person was known before."""

        NEW = "new"
        OLD = "old"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Its index is `lead_newest`.
    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="leads", db_index=False)
    name = models.CharField(max_length=255)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    phone = PhoneField(blank=True)
    phone_raw = models.CharField(max_length=100, blank=True)
    email = EmailField(blank=True)
    company = models.CharField(max_length=255, blank=True)
    lead_type = models.CharField(max_length=3, choices=Type.choices, default=Type.NEW)
    status = models.CharField(max_length=50, default="pending")
    opted_out = models.BooleanField(default=False)
    edited_fields: Any = models.JSONField(default=list)
    crm_id = models.CharField(max_length=255, null=True, blank=True, help_text="None for a lead made by hand.")
    crm_source = models.CharField(max_length=20, blank=True)
    crm_account_id = models.CharField(max_length=255, blank=True)
    crm_owner = models.CharField(max_length=255, blank=True)
    crm_owner_email = EmailField(blank=True)
    crm_status = models.CharField(max_length=255, blank=True)
    crm_stage = models.CharField(max_length=255, blank=True)
    crm_description = models.TextField(blank=True)
    crm_last_activity_at = models.DateTimeField(null=True)
    last_crm_sync_at = models.DateTimeField(null=True)
    crm_deleted_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True, help_text="Since then no sync touches it.")
    last_message = models.CharField(max_length=500, blank=True)
    last_message_at = models.DateTimeField(null=True)
    contacted = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = LeadQuerySet.as_manager()

    class Meta:
        db_table = "leads"
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["crm_id", "crm_account_id", "crm_source", "business"], name="lead_crm_id_once"
            ),
            models.CheckConstraint(
                condition=Q(crm_id=None, crm_source="") | Q(crm_id__isnull=False) & ~Q(crm_source="") & ~Q(crm_id=""),
                name="lead_id_with_source",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="lead_has_a_name"),
            models.CheckConstraint(condition=Q(lead_type__in=["new", "old"]), name="lead_type"),
            email_is_normal("lead"),
            phone_is_e164("lead"),
        ]
        indexes = [
            # What tells most comes first: an import looks up thousands, see `among`.
            models.Index(fields=["phone", "business"], name="lead_phone"),
            models.Index(fields=["email", "business"], name="lead_email"),
            models.Index(fields=["business", "-created_at"], name="lead_newest"),
        ]

    def __str__(self) -> str:
        return self.name


class LeadAlias(models.Model):
    """A CRM id that a lead goes by since the CRM merged it into another."""

    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="+")
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="aliases")
    crm_source = models.CharField(max_length=20)
    crm_account_id = models.CharField(max_length=255)
    crm_id = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "lead aliases"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["business", "crm_source", "crm_account_id", "crm_id"], name="lead_alias_once"
            )
        ]

    def __str__(self) -> str:
        return self.crm_id


class Message(models.Model):
    """One message to or from a lead."""

    class Direction(models.TextChoices):
        """As the business sees it."""

        INBOUND = "inbound"
        OUTBOUND = "outbound"

    class Channel(models.TextChoices):
        """How it went."""

        SMS = "sms", "SMS"
        EMAIL = "email", "Email"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="messages")
    direction = models.CharField(max_length=10, choices=Direction.choices)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    body = models.TextField(max_length=5000)
    sent_at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["sent_at", "created_at"]
        constraints = [
            models.CheckConstraint(condition=Q(direction__in=["inbound", "outbound"]), name="message_direction"),
            models.CheckConstraint(condition=Q(channel__in=["sms", "email"]), name="message_channel"),
        ]
        indexes = [models.Index(fields=["lead", "-sent_at"], name="message_newest")]

    def __str__(self) -> str:
        return self.body[:50]
