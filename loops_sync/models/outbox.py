"""What has to be told to Loops, and to whom."""

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
    answer was lost. `in_doubt` while a request about them is due or made, until its end is noted. `borrowed_id` is the
    client's id that Loops may hold as their `userId`, noted before it is told; no two contacts may hold one.

    What Loops tells of them by itself: `subscription` and the moment of the event that decided it, when they were
    deleted there, after which nothing is told of them any more, and when a mail came back for good. Since
    `forgotten_at` they want to be forgotten: Loops is told to, and then the address goes from here, too.
    """

    class Subscription(models.TextChoices):
        """Whether they take mails. Loops' word: it is never changed from here."""

        UNKNOWN = "unknown"
        SUBSCRIBED = "subscribed"
        UNSUBSCRIBED = "unsubscribed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = EmailField(unique=True, null=True)
    accepted = models.JSONField(default=dict, null=True)
    synced_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    in_doubt = models.BooleanField(default=False)
    borrowed_id = models.UUIDField(null=True, unique=True)
    next_attempt_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    subscription = models.CharField(max_length=12, choices=Subscription.choices, default=Subscription.UNKNOWN)
    subscription_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = ContactQuerySet.as_manager()

    class Meta:
        ordering = ["email"]
        default_permissions = ("view", "change")
        constraints = [email_is_normal("loops_contact")]
        indexes = [models.Index(fields=["next_attempt_at"], name="contact_backing_off")]

    def __str__(self) -> str:
        return self.email or "Erased person"

    @property
    def is_gone(self) -> bool:
        """Deleted at Loops, by them or by hand: they are not made anew."""
        return self.deleted_at is not None

    @property
    def is_unsubscribed(self) -> bool:
        """They want no news: they are on no list."""
        return self.subscription == self.Subscription.UNSUBSCRIBED

    def is_as(self, properties: dict[str, Any]) -> bool:
        """Whether Loops already holds just this.

        Somebody it never heard of, and who has no role, is right too; so is whoever was deleted there.
        """
        if self.is_gone:
            return True
        if self.accepted == {}:
            return properties.keys() <= {"email", "userId"}
        return bool(self.accepted == properties)

    def may_hold(self, user_id: str) -> bool:
        """Whether their `userId` at Loops is this client's, or could be."""
        if self.is_gone or self.borrowed_id is None or str(self.borrowed_id) != user_id:
            return False
        return self.in_doubt or self.accepted is None or self.accepted.get("userId") == user_id


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

    class Priority(models.IntegerChoices):
        """What goes first when Loops' ten requests a second are short."""

        DECISION = 0
        NEWS = 1
        BACKFILL = 2

    event_type = models.CharField(max_length=40)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NEWS)
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
            models.Index(
                fields=["priority", "id"],
                condition=Q(status__in=["pending", "processing"]),
                name="outbox_open_by_priority",
            ),
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
        indexes = [models.Index(fields=["at"], condition=Q(ok=False), name="attempt_failed")]

    def __str__(self) -> str:
        return f"{'sent' if self.ok else 'failed'} {self.at:%H:%M:%S}"
