"""Cards, the lots their points lie in, and what is held of them."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from loyalty.models.people import Enrollment


class LoyaltyCardQuerySet(QuerySet["LoyaltyCard"]):
    """Cards, with what belongs to them."""

    def complete(self) -> "LoyaltyCardQuerySet":
        """With customer, program and business, without a query more."""
        return self.select_related("enrollment__customer", "enrollment__program__business")


class LoyaltyCard(models.Model):
    """One enrolment's points. The sums are moved by the ledger alone, in the transaction of its row."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    enrollment = models.OneToOneField(Enrollment, on_delete=models.PROTECT, related_name="card")
    card_number = models.CharField(max_length=20, unique=True)
    points_balance = models.BigIntegerField(default=0)
    points_held = models.BigIntegerField(default=0)
    points_owed = models.BigIntegerField(default=0)
    total_points_earned = models.BigIntegerField(default=0)
    total_points_redeemed = models.BigIntegerField(default=0)
    tier_level = models.CharField(max_length=30)
    last_seq = models.PositiveIntegerField(default=0)
    last_activity_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = LoyaltyCardQuerySet.as_manager()

    class Meta:
        verbose_name = "card"
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        permissions = [
            ("redeem_points", "Can redeem and award points"),
            ("adjust_points", "Can adjust and reverse points"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(points_held__gte=0), name="card_held_not_negative"),
            models.CheckConstraint(condition=Q(points_balance__gte=F("points_held")), name="card_held_within_balance"),
            models.CheckConstraint(condition=Q(points_owed__gte=0), name="card_owed_not_negative"),
            models.CheckConstraint(
                condition=Q(total_points_earned__gte=0, total_points_redeemed__gte=0), name="card_totals_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.card_number

    @property
    def points_available(self) -> int:
        """What may be spent, as far as the ledger has booked."""
        return self.points_balance - self.points_held


class PointsLotQuerySet(QuerySet["PointsLot"]):
    """Lots, narrowed and in order."""

    def unspent(self) -> "PointsLotQuerySet":
        """Those with something left."""
        return self.filter(remaining__gt=0)

    def in_spending_order(self) -> "PointsLotQuerySet":
        """Soonest to expire first, never-expiring last, oldest first among equals."""
        return self.order_by(F("expires_at").asc(nulls_last=True), "id")


class PointsLot(models.Model):
    """What is left of one earning: of `points`, `remaining` are there, and `held` of those are spoken for."""

    card = models.ForeignKey(LoyaltyCard, on_delete=models.PROTECT, related_name="lots")
    transaction = models.OneToOneField("PointsTransaction", on_delete=models.PROTECT, related_name="lot")
    points = models.BigIntegerField()
    remaining = models.BigIntegerField()
    held = models.BigIntegerField(default=0)
    expired = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    objects = PointsLotQuerySet.as_manager()

    class Meta:
        verbose_name = "lot"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(held__gte=0), name="lot_held_not_negative"),
            models.CheckConstraint(condition=Q(remaining__gte=F("held")), name="lot_held_within_remaining"),
            models.CheckConstraint(condition=Q(points__gte=F("remaining")), name="lot_remaining_within_points"),
            models.CheckConstraint(condition=Q(expired__gte=0), name="lot_expired_not_negative"),
        ]
        indexes = [
            models.Index(fields=["card"], condition=Q(remaining__gt=0), name="lot_unspent"),
            models.Index(fields=["expires_at"], condition=Q(remaining__gt=F("held")), name="lot_to_expire"),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.points}"


class PointsHoldQuerySet(QuerySet["PointsHold"]):
    """Holds, narrowed."""

    def open(self) -> "PointsHoldQuerySet":
        """Those that still hold something, also when their time is over and nobody has looked yet."""
        return self.filter(status=PointsHold.Status.OPEN)


class PointsHold(models.Model):
    """Points spoken for: nobody else can spend them, until they are taken, given back, or time is over."""

    class Status(models.TextChoices):
        """How it ended."""

        OPEN = "open"
        CAPTURED = "captured"
        RELEASED = "released"
        EXPIRED = "expired"

    class Purpose(models.TextChoices):
        """What the points are taken for."""

        REDEMPTION = "redemption"
        DEDUCTION = "deduction", "Deduction that the customer is asked about"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    card = models.ForeignKey(LoyaltyCard, on_delete=models.PROTECT, related_name="holds")
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.REDEMPTION)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    points = models.BigIntegerField()
    takings: Any = models.JSONField(help_text="The lots that are held, in spending order: [[lot, points], …].")
    reason = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    transaction = models.OneToOneField("PointsTransaction", on_delete=models.PROTECT, null=True, related_name="hold")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = PointsHoldQuerySet.as_manager()

    class Meta:
        verbose_name = "hold"
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="hold_of_something"),
            models.CheckConstraint(
                condition=Q(status__in=["open", "captured", "released", "expired"]), name="hold_status"
            ),
            models.CheckConstraint(
                condition=Q(status="captured", transaction__isnull=False)
                | ~Q(status="captured") & Q(transaction__isnull=True),
                name="hold_captured_with_its_row",
            ),
            models.CheckConstraint(
                condition=Q(status="open", closed_at__isnull=True) | ~Q(status="open") & Q(closed_at__isnull=False),
                name="hold_closed_at_its_time",
            ),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(status="open"), name="hold_to_lapse")]

    def __str__(self) -> str:
        return f"{self.points} on {self.card}"
