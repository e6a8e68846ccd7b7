"""Customers' codes, and what became of each scan."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models import Business
from loyalty.models.cards import LoyaltyCard
from loyalty.models.people import Customer
from loyalty.models.programs import Program


class QrKeyQuerySet(QuerySet["QrKey"]):
    """Keys, narrowed."""

    def good(self) -> "QrKeyQuerySet":
        """Those that have not been revoked."""
        return self.filter(revoked_at=None)


class QrKey(models.Model):
    """What a customer's codes are made from. A revoked one stays, so that a scan of it can be told from a guess."""

    class Kind(models.TextChoices):
        """On the screen a new code every half minute; on paper the same for years, which identifies and no more."""

        ROTATING = "rotating"
        PRINTED = "printed"

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="qr_keys")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    handle = models.CharField(max_length=14, unique=True, help_text="Random; how a code finds its key.")
    secret = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)

    objects = QrKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "QR key"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["customer", "kind"], condition=Q(revoked_at=None), name="qr_key_one_good"),
            models.CheckConstraint(condition=Q(kind__in=["rotating", "printed"]), name="qr_key_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} key"


class QrUse(models.Model):
    """A rotating code that was taken: once for each business and purpose."""

    business = models.ForeignKey(Business, on_delete=models.CASCADE, related_name="+")
    purpose = models.CharField(max_length=10)
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["business", "purpose", "digest"], name="qr_code_used_once")]

    def __str__(self) -> str:
        return self.purpose


class QrScan(models.Model):
    """A code that was read at a till, with what really came of it."""

    class Outcome(models.TextChoices):
        """The first four are told; the others are all the same 404 to the caller."""

        AWARDED = "points_awarded"
        IDENTIFIED = "customer_identified"
        REQUESTED = "enrollment_requested"
        PENDING = "enrollment_pending"
        UNKNOWN = "unknown", "No such code"
        EXPIRED = "expired", "Code of an earlier moment"
        REPLAYED = "replayed", "Code that was used before"
        FOREIGN = "foreign", "Code for another business"
        REVOKED = "revoked", "Code that its customer has revoked"
        IDENTIFY_ONLY = "identify_only", "Printed code, which does not redeem"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="scans")
    program = models.ForeignKey(Program, on_delete=models.PROTECT, null=True, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="scans")
    card = models.ForeignKey(LoyaltyCard, on_delete=models.PROTECT, null=True, related_name="scans")
    kind = models.CharField(max_length=10, blank=True)
    purpose = models.CharField(max_length=10)
    outcome = models.CharField(max_length=20, choices=Outcome.choices)
    points_awarded = models.BigIntegerField(default=0)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "scan"
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    outcome__in=[
                        "points_awarded",
                        "customer_identified",
                        "enrollment_requested",
                        "enrollment_pending",
                        "unknown",
                        "expired",
                        "replayed",
                        "foreign",
                        "revoked",
                        "identify_only",
                    ]
                ),
                name="scan_outcome",
            ),
        ]
        indexes = [
            models.Index(fields=["business", "-created_at"], name="scan_newest"),
            models.Index(
                fields=["card", "-created_at"], condition=Q(outcome="points_awarded"), name="scan_last_awarded"
            ),
        ]

    def __str__(self) -> str:
        return self.get_outcome_display()


class CustomerInteraction(models.Model):
    """What a customer and a business had to do with each other, a row for each time."""

    class Kind(models.TextChoices):
        """What it was."""

        SCANNED = "scanned"
        ASKED = "asked", "Asked to join or to agree"
        JOINED = "joined"
        DECLINED = "declined"

    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="interactions")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reference_id = models.UUIDField(help_text="The scan, enrolment or hold.")
    data: Any = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "customer_interactions"
        verbose_name = "interaction"
        ordering = ["-created_at", "-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["business", "customer", "-created_at"], name="interaction_newest")]

    def __str__(self) -> str:
        return self.get_kind_display()


class SignInLink(models.Model):
    """A link that was asked for: it signs one person in, once, within minutes. The token is only in the mail."""

    class Purpose(models.TextChoices):
        """Somebody known, or somebody who joins."""

        SIGN_IN = "sign_in"
        JOIN = "join"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    email = models.EmailField()
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    phone = models.CharField(max_length=16, blank=True)
    phone_raw = models.CharField(max_length=50, blank=True)
    next_path = models.CharField(max_length=500, blank=True)
    token_hash = models.CharField(max_length=64, null=True, unique=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    sent_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.purpose
