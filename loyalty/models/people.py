"""Who collects points, and in which programs."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models import EmailField, PhoneField, email_is_normal, phone_is_e164
from loyalty.models.programs import Program


class Customer(models.Model):
    """Somebody with a phone: one row over all businesses, of which a business sees those who joined it.

    The phone is null once the person is forgotten.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    phone = PhoneField(unique=True, null=True)
    phone_raw = models.CharField(max_length=50, blank=True, editable=False)
    email = EmailField(blank=True)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="customer"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["last_name", "first_name", "phone"]
        constraints = [
            email_is_normal("customer"),
            phone_is_e164("customer"),
            models.CheckConstraint(condition=~Q(phone=""), name="customer_has_a_phone"),
        ]

    def __str__(self) -> str:
        return self.name or self.phone or ""

    @property
    def name(self) -> str:
        """First and last name, or nothing."""
        return f"{self.first_name} {self.last_name}".strip()


class EnrollmentQuerySet(QuerySet["Enrollment"]):
    """Enrolments, narrowed."""

    def active(self) -> "EnrollmentQuerySet":
        """Those that earn and redeem."""
        return self.filter(status=Enrollment.Status.ACTIVE)


class Enrollment(models.Model):
    """Somebody's place in a program: one row for ever, so that joining again brings no second welcome."""

    class Status(models.TextChoices):
        """From the question to the end."""

        PENDING = "pending"
        ACTIVE = "active"
        DECLINED = "declined"
        EXPIRED = "expired"
        LEFT = "left"

    class Source(models.TextChoices):
        """Who began it."""

        TILL = "till", "At the till"
        STAFF = "staff", "By staff"
        CUSTOMER = "customer", "By the customer"
        SCAN = "scan", "By a scanned code"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="enrollments")
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="enrollments")
    status = models.CharField(max_length=10, choices=Status.choices)
    source = models.CharField(max_length=10, choices=Source.choices)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Who recorded the consent; nobody where the customer gave it alone.",
    )
    consented_at = models.DateTimeField(null=True)
    activated_at = models.DateTimeField(null=True, help_text="The first time, when the welcome points were given.")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = EnrollmentQuerySet.as_manager()

    class Meta:
        verbose_name = "enrolment"
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "program"], name="enrollment_once"),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "active", "declined", "expired", "left"]), name="enrollment_status"
            ),
            models.CheckConstraint(
                condition=~Q(status="active") | Q(activated_at__isnull=False, consented_at__isnull=False),
                name="enrollment_active_with_consent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} in {self.program}"
