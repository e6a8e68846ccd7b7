"""Who was told what, who must answer what, and what has changed for whom.

Recipients are ids: who a customer or a business is, the apps above know.
"""

import uuid
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Func, Q, QuerySet
from django.utils import timezone

LONGEST_TYPE = 40
LONGEST_TRANSACTION = timedelta(minutes=1)


class NotificationQuerySet(QuerySet["Notification"]):
    """Notifications, narrowed."""

    def unread(self) -> "NotificationQuerySet":
        """Those that nobody has opened."""
        return self.filter(read_at=None)


class Notification(models.Model):
    """One fact, told to one customer or one business, in the fact's own transaction."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer_id = models.UUIDField(null=True, editable=False)
    business_id = models.UUIDField(null=True, editable=False)
    type = models.CharField(max_length=LONGEST_TYPE)
    title = models.CharField(max_length=200)
    message = models.CharField(max_length=1000, blank=True)
    data: Any = models.JSONField(default=dict)
    reference_id = models.UUIDField(null=True, help_text="The row that it is about.")
    requires_action = models.BooleanField(default=False)
    dedupe_key = models.CharField(max_length=200, unique=True, help_text="The fact and whom it is told: once.")
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    acted_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    # The mail that goes with it, where the recipient wants one.
    email = models.EmailField(blank=True)
    mailed_at = models.DateTimeField(null=True)
    mail_tried_at = models.DateTimeField(null=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_error = models.CharField(max_length=200, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(customer_id__isnull=False, business_id__isnull=True)
                | Q(customer_id__isnull=True, business_id__isnull=False),
                name="notification_one_recipient",
            ),
        ]
        indexes = [
            models.Index(fields=["customer_id", "-created_at"], name="notification_of_customer"),
            models.Index(fields=["business_id", "-created_at"], name="notification_of_business"),
            models.Index(fields=["customer_id"], condition=Q(read_at=None), name="notification_unread_customer"),
            models.Index(fields=["business_id"], condition=Q(read_at=None), name="notification_unread_business"),
            models.Index(
                fields=["created_at"], condition=Q(mailed_at=None) & ~Q(email=""), name="notification_to_mail"
            ),
        ]

    def __str__(self) -> str:
        return self.title


class ApprovalRequest(models.Model):
    """A question of a business to a customer, answered once or never."""

    class Status(models.TextChoices):
        """How it ended."""

        PENDING = "pending"
        ACCEPTED = "accepted"
        DECLINED = "declined"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    notification = models.OneToOneField(Notification, on_delete=models.PROTECT, related_name="request")
    customer_id = models.UUIDField()
    business_id = models.UUIDField()
    kind = models.CharField(max_length=LONGEST_TYPE)
    reference_id = models.UUIDField(help_text="What is asked about.")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    data: Any = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["pending", "accepted", "declined", "expired"]), name="request_status"
            ),
            models.CheckConstraint(
                condition=Q(status="pending", closed_at__isnull=True)
                | ~Q(status="pending") & Q(closed_at__isnull=False),
                name="request_closed_at_its_time",
            ),
            models.UniqueConstraint(
                fields=["kind", "reference_id"], condition=Q(status="pending"), name="request_pending_once"
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(status="pending"), name="request_to_expire"),
            models.Index(fields=["business_id", "-created_at"], name="request_of_business"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"


class Preferences(models.Model):
    """What a customer wants to be told. Questions are always shown."""

    customer_id = models.UUIDField(primary_key=True)
    in_app = models.BooleanField(default=True)
    email = models.BooleanField(default=False)
    muted: Any = models.JSONField(default=list, help_text="The types that the customer does not want.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "preferences"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.customer_id)


class CurrentTransaction(Func):
    """The number of the transaction that writes; where writers queue up, as in SQLite, all are one."""

    template = "0"
    allowed_default = True
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """PostgreSQL counts them."""
        return self.as_sql(compiler, connection, template="(pg_current_xact_id()::text::bigint)", **context)


class OldestOpen(Func):
    """The number below which every transaction has ended: nothing can appear there any more."""

    template = "9223372036854775807"
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Of the snapshot that reads."""
        template = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
        return self.as_sql(compiler, connection, template=template, **context)


class OwnTransaction(Func):
    """The number of this transaction if it has written, else none."""

    template = "0"
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """It sees what it has written itself."""
        template = "(pg_current_xact_id_if_assigned()::text::bigint)"
        return self.as_sql(compiler, connection, template=template, **context)


class ChangeQuerySet(QuerySet["Change"]):
    """Changes, narrowed and in order."""

    def settled(self) -> "ChangeQuerySet":
        """Those before which none can appear any more: whoever has read up to one has missed nothing.

        A transaction of any database of the server that stays open holds them up, but for a minute at most: none of
        ours that notes a change takes so long.
        """
        waited_for = timezone.now() - LONGEST_TRANSACTION
        return self.filter(Q(tx__lt=OldestOpen()) | Q(tx=OwnTransaction()) | Q(at__lt=waited_for))

    def after(self, tx: int, number: int) -> "ChangeQuerySet":
        """Those that follow a place in the feed, oldest first."""
        return self.filter(Q(tx__gt=tx) | Q(tx=tx, id__gt=number)).order_by("tx", "id")


class Change(models.Model):
    """Something that a customer or a business sees has changed: what a frontend has to load again."""

    tx = models.BigIntegerField(db_default=CurrentTransaction())
    customer_id = models.UUIDField(null=True)
    business_id = models.UUIDField(null=True)
    entity = models.CharField(max_length=LONGEST_TYPE)
    entity_id = models.UUIDField()
    action = models.CharField(max_length=10)
    at = models.DateTimeField(default=timezone.now)

    objects = ChangeQuerySet.as_manager()

    class Meta:
        db_table = "sync_notifications"
        default_permissions = ()
        indexes = [
            models.Index(fields=["customer_id", "tx", "id"], name="change_of_customer"),
            models.Index(fields=["business_id", "tx", "id"], name="change_of_business"),
            models.Index(fields=["at"], name="change_to_forget"),
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.action}"
