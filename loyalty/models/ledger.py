"""The ledger: every movement of points, append-only in the database."""

import uuid

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from crm.models import Business
from loyalty.models.cards import LoyaltyCard


class PointsTransactionQuerySet(QuerySet["PointsTransaction"]):
    """Rows of the ledger, with what belongs to them."""

    def complete(self) -> "PointsTransactionQuerySet":
        """With card, customer, program, business and staff, without a query more."""
        return self.select_related("card__enrollment__customer", "card__enrollment__program__business", "staff_member")


class PointsTransaction(models.Model):
    """One movement of one card's points.

    `operation_details` holds what the rules were and what was taken: `rule` (the program's settings of the moment),
    `order_total`, `discount`, `reason`, and `lots`, the takings `[[lot, points], …]` in order. A database trigger
    refuses UPDATE and DELETE.
    """

    class Operation(models.TextChoices):
        """What moved the points."""

        EARN = "earn_points", "Earned"
        REDEEM = "redeem_points", "Redeemed"
        ADJUST = "adjust_points", "Adjusted"
        WELCOME = "welcome_bonus", "Welcome"
        REVERSE = "reverse_points", "Reversed"
        EXPIRE = "expire_points", "Expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="+")
    card = models.ForeignKey(LoyaltyCard, on_delete=models.PROTECT, related_name="transactions")
    seq = models.PositiveIntegerField()
    operation_type = models.CharField(max_length=20, choices=Operation.choices)
    points_delta = models.BigIntegerField()
    points_amount = models.BigIntegerField()
    balance_after = models.BigIntegerField()
    owed_after = models.BigIntegerField(default=0)
    transaction_reference = models.CharField(max_length=255, null=True, blank=True)
    operation_details = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    staff_member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reverses = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="reversals")
    idempotency_key = models.CharField(max_length=255, null=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = PointsTransactionQuerySet.as_manager()

    class Meta:
        verbose_name = "ledger row"
        ordering = ["-created_at", "-seq"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["card", "seq"], name="ledger_seq_once"),
            models.UniqueConstraint(
                fields=["business", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="ledger_key_once",
            ),
            models.UniqueConstraint(
                fields=["business", "operation_type", "transaction_reference"],
                condition=Q(transaction_reference__isnull=False),
                name="ledger_reference_once",
            ),
            models.CheckConstraint(condition=Q(seq__gte=1), name="ledger_seq_from_one"),
            models.CheckConstraint(
                condition=Q(points_delta=F("points_amount")) | Q(points_delta=-F("points_amount")),
                name="ledger_amount_is_absolute",
            ),
            # Only the part of an order too small for a point reverses nothing, so that its parts still add up.
            models.CheckConstraint(
                condition=Q(points_amount__gt=0) | Q(points_amount=0, operation_type="reverse_points"),
                name="ledger_moves_something",
            ),
            models.CheckConstraint(
                condition=Q(operation_type__in=["earn_points", "welcome_bonus"], points_delta__gt=0)
                | Q(operation_type__in=["redeem_points", "expire_points"], points_delta__lt=0)
                | Q(operation_type__in=["adjust_points", "reverse_points"]),
                name="ledger_sign_of_operation",
            ),
            models.CheckConstraint(
                condition=Q(operation_type="reverse_points", reverses__isnull=False)
                | ~Q(operation_type="reverse_points") & Q(reverses__isnull=True),
                name="ledger_reverses_a_row",
            ),
            models.CheckConstraint(condition=Q(balance_after__gte=0, owed_after__gte=0), name="ledger_not_negative"),
        ]
        indexes = [
            models.Index(fields=["business", "-created_at"], name="ledger_by_business"),
            models.Index(fields=["staff_member", "-created_at"], name="ledger_by_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.points_delta:+,} {self.get_operation_type_display().lower()}"


class LedgerProof(models.Model):
    """One run over all cards that recomputed every sum."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        RUNNING = "running"
        PROVEN = "proven"
        BROKEN = "broken"

    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    cards_total = models.PositiveIntegerField(default=0)
    cards_checked = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)
    card = models.ForeignKey(LoyaltyCard, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    heard_at = models.DateTimeField(default=timezone.now, help_text="The last sign of life.")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "proof of the ledger"
        verbose_name_plural = "proofs of the ledger"
        ordering = ["-created_at"]
        default_permissions = ("view",)
        permissions = [("prove_ledger", "Can prove the ledger")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "proven", "broken"]), name="proof_state"
            )
        ]

    def __str__(self) -> str:
        return f"{self.created_at:%d %b %Y %H:%M}"
