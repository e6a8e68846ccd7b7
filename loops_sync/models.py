"""What has to be told to Loops, to whom, and how the line is."""

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from crm.models import EmailField, email_is_normal


class ContactQuerySet(QuerySet["Contact"]):
    """Contacts, narrowed."""

    def free(self, now: datetime) -> "ContactQuerySet":
        """Those no worker speaks of at the moment."""
        return self.filter(Q(leased_until=None) | Q(leased_until__lt=now))

    def due(self, now: datetime) -> "ContactQuerySet":
        """Free ones whose backoff is over."""
        return self.free(now).filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now))

    def with_open_entries(self) -> "ContactQuerySet":
        """Those with something left to tell."""
        return self.filter(Exists(OutboxEntry.objects.open().filter(contact=OuterRef("pk"))))


class Contact(models.Model):
    """One person at Loops, by address. Carries the lease and the backoff, so that one worker speaks of them at a time.

    `accepted` is what Loops last accepted: `{}` while it has accepted nothing, null while that is unknown, because an
    answer was lost. `in_doubt` while a request about them is due or made, until its end is noted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = EmailField(unique=True)
    accepted = models.JSONField(default=dict, null=True)
    synced_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    in_doubt = models.BooleanField(default=False)
    next_attempt_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ContactQuerySet.as_manager()

    class Meta:
        ordering = ["email"]
        default_permissions = ("view", "change")
        constraints = [email_is_normal("loops_contact")]
        indexes = [models.Index(fields=["next_attempt_at"], name="contact_backing_off")]

    def __str__(self) -> str:
        return str(self.email)

    def is_as(self, properties: dict[str, Any]) -> bool:
        """Whether Loops already holds just this; somebody it never heard of, and who has no role, is right too."""
        if self.accepted == {}:
            return "userGroup" not in properties
        return bool(self.accepted == properties)


class OutboxQuerySet(QuerySet["OutboxEntry"]):
    """Entries, narrowed."""

    def open(self) -> "OutboxQuerySet":
        """Not delivered yet."""
        return self.filter(status__in=[OutboxEntry.Status.PENDING, OutboxEntry.Status.PROCESSING])

    def dead(self) -> "OutboxQuerySet":
        """Given up."""
        return self.filter(status=OutboxEntry.Status.DEAD)


class OutboxEntry(models.Model):
    """This person changed, because of that. What to send is computed when sending, so an old truth cannot arrive."""

    class Status(models.TextChoices):
        """How far it is."""

        PENDING = "pending"
        PROCESSING = "processing"
        DONE = "done"
        DEAD = "dead"

    class Outcome(models.TextChoices):
        """How it ended: a request, none needed, told with a later one, by hand, or overtaken after it was dead."""

        SENT = "sent"
        UNCHANGED = "unchanged"
        COALESCED = "coalesced"
        DISCARDED = "discarded"
        SUPERSEDED = "superseded"

    event_type = models.CharField(max_length=40)
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="entries")
    reference_type = models.CharField(max_length=40, blank=True)
    reference_id = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = OutboxQuerySet.as_manager()

    class Meta:
        db_table = "loops_outbox"
        verbose_name = "outbox entry"
        verbose_name_plural = "outbox entries"
        ordering = ["-id"]
        default_permissions = ("view", "change")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["pending", "processing", "done", "dead"]), name="outbox_status"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "processing", "dead"]) | Q(finished_at__isnull=False),
                name="outbox_done_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(status__in=["pending", "processing"]), name="outbox_open"),
            models.Index(fields=["contact", "status"], name="outbox_of_contact"),
            models.Index(fields=["reference_type", "reference_id"], name="outbox_of_reference"),
            models.Index(fields=["status", "finished_at"], name="outbox_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} #{self.pk}"


class SyncAttempt(models.Model):
    """One request about a contact: when, how long, how it went."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="sync_attempts")
    at = models.DateTimeField(db_index=True)
    duration_ms = models.PositiveIntegerField()
    ok = models.BooleanField()
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{'sent' if self.ok else 'failed'} {self.at:%H:%M:%S}"


class Relay(models.Model):
    """The state of the line, in one row that all workers share."""

    OUT_AFTER = 3

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    unauthorized_at = models.DateTimeField(null=True)
    next_probe_at = models.DateTimeField(null=True)
    consecutive_failures = models.PositiveIntegerField(default=0)
    outage_signs = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    swept_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="relay_one_row")]

    def __str__(self) -> str:
        return "relay"

    @property
    def is_unauthorized(self) -> bool:
        """Loops refused the key."""
        return self.unauthorized_at is not None

    @property
    def is_out(self) -> bool:
        """Several contacts in a row could not be delivered: it is Loops, not a contact."""
        return self.outage_signs >= self.OUT_AFTER

    @property
    def is_stopped(self) -> bool:
        """Only a probe may speak to Loops."""
        return self.is_unauthorized or self.is_out


class SweepSeat(models.Model):
    """One of the few places for workers that sweep, so that the others stay free for fresh news."""

    number = models.PositiveSmallIntegerField(primary_key=True)
    taken_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"seat {self.number}"
