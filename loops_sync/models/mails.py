"""Mails to one person about one fact, which Loops sends from a template."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from loops_sync.models.outbox import Contact


class MailQuerySet(QuerySet["TransactionalMail"]):
    """Mails, narrowed."""

    def open(self) -> "MailQuerySet":
        """Not sent yet."""
        return self.filter(status__in=[TransactionalMail.Status.PENDING, TransactionalMail.Status.PROCESSING])

    def due(self, now: datetime) -> "MailQuerySet":
        """Open ones that no worker has in hand and whose backoff is over."""
        free = Q(leased_until=None) | Q(leased_until__lt=now)
        return self.open().filter(free, Q(next_attempt_at=None) | Q(next_attempt_at__lte=now))

    def dead(self) -> "MailQuerySet":
        """Given up."""
        return self.filter(status=TransactionalMail.Status.DEAD)


class TransactionalMail(models.Model):
    """One mail because of one fact. Its id is the idempotency key, so that a lost answer makes no second mail.

    What stands in it is computed when it is sent, and kept then. `in_doubt_since` is the first request whose end is
    not known: Loops remembers a key for a day only.
    """

    class Kind(models.TextChoices):
        """What it says."""

        VOTE = "vote", "Vote confirmation"
        NOMINATION = "nomination", "Nomination received"
        NOMINEE_APPROVED = "nominee_approved", "Nominee approved"
        NOMINATOR_APPROVED = "nominator_approved", "Nominator approved"

    class Status(models.TextChoices):
        """How far it is."""

        PENDING = "pending"
        PROCESSING = "processing"
        DONE = "done"
        DEAD = "dead"

    class Outcome(models.TextChoices):
        """How it ended."""

        SENT = "sent"
        DISCARDED = "discarded"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="mails")
    reference_id = models.CharField("nomination or vote", max_length=40)
    fact_key = models.CharField(max_length=200, unique=True)
    template_id = models.CharField(max_length=100)
    data_variables = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True)
    leased_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    in_doubt_since = models.DateTimeField(null=True)
    resend_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="resends")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name = "mail"
        ordering = ["-created_at", "id"]
        default_permissions = ("view", "change")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["pending", "processing", "done", "dead"]), name="mail_status"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["pending", "processing", "dead"]) | Q(finished_at__isnull=False),
                name="mail_done_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(status__in=["pending", "processing"]), name="mail_open"),
            models.Index(fields=["reference_id"], name="mail_of_reference"),
            models.Index(fields=["status", "finished_at"], name="mail_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} to {self.contact}"

    @property
    def sent_at(self) -> datetime | None:
        """When Loops took it."""
        return self.finished_at if self.outcome == self.Outcome.SENT else None
