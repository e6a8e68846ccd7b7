"""A business's line to its CRM, and each run over it. No token is kept: Nango has them, and calls go through it."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from crm.models.tenancy import Business

# A run that has not been heard of for so long is dead.
SILENT_AFTER = timedelta(minutes=2)


class ConnectionQuerySet(QuerySet["Connection"]):
    """Connections, narrowed."""

    def active(self) -> "ConnectionQuerySet":
        """Those that sync."""
        return self.filter(is_active=True)

    def to_remove(self) -> "ConnectionQuerySet":
        """Those switched off here that Nango still has, as far as we know."""
        return self.filter(is_active=False, removed_at=None)


class Connection(models.Model):
    """One account of one CRM, of one business. At most one of a business is active."""

    class Provider(models.TextChoices):
        """The CRMs that leads come from."""

        HUBSPOT = "hubspot", "HubSpot"
        SALESFORCE = "salesforce", "Salesforce"
        PIPEDRIVE = "pipedrive", "Pipedrive"
        ZOHO = "zoho", "Zoho CRM"
        GOHIGHLEVEL = "gohighlevel", "GoHighLevel"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    business = models.ForeignKey(Business, on_delete=models.PROTECT, related_name="connections")
    provider = models.CharField(max_length=20, choices=Provider.choices)
    nango_connection_id = models.CharField(max_length=255, unique=True)
    provider_config_key = models.CharField(max_length=255)
    crm_account_id = models.CharField(max_length=255, blank=True)
    connection_metadata: Any = models.JSONField(default=dict)
    is_active = models.BooleanField(default=True)
    require_phone = models.BooleanField(
        default=True, help_text="Skip contacts without a usable phone. They are counted and listed."
    )
    reconnect_required = models.BooleanField(default=False)
    last_error = models.CharField(max_length=500, blank=True)
    last_synced_at = models.DateTimeField(null=True)
    changed_since = models.DateTimeField(null=True, help_text="What changed before this has been read.")
    read_in_full_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True, help_text="When Nango confirmed that it has forgotten it.")
    removal_attempts = models.PositiveIntegerField(default=0)
    retry_removal_at = models.DateTimeField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        db_table = "crm_connections"
        ordering = ["-created_at"]
        permissions = [("sync_connection", "Can connect a CRM and sync its leads")]
        constraints = [
            models.UniqueConstraint(
                fields=["business"], condition=Q(is_active=True), name="connection_one_active_per_business"
            ),
            models.CheckConstraint(
                condition=Q(provider__in=["hubspot", "salesforce", "pipedrive", "zoho", "gohighlevel"]),
                name="connection_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()} of {self.business}"


class SyncRunQuerySet(QuerySet["SyncRun"]):
    """Runs, narrowed."""

    def under_way(self) -> "SyncRunQuerySet":
        """Those that wait or run, whether or not they are still heard of."""
        return self.filter(status__in=[SyncRun.Status.QUEUED, SyncRun.Status.RUNNING])


class SyncRun(models.Model):
    """One reading of a CRM. Every contact it fetched ends in exactly one bucket, and the buckets add up."""

    class Strategy(models.TextChoices):
        """What a run may do."""

        APPEND = "append", "Add and update"
        OVERWRITE = "overwrite", "Add, update and mark what the CRM no longer has"
        PREVIEW = "preview", "Only look"

    class Status(models.TextChoices):
        """How far it is."""

        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    class Trigger(models.TextChoices):
        """Who wanted it."""

        PERSON = "person", "Somebody"
        CONNECT = "connect", "The new connection"
        HOURLY = "hourly", "The hour"
        NIGHTLY = "nightly", "The night"
        CRON = "cron", "An outside clock"
        WEBHOOK = "webhook", "The CRM"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="runs")
    strategy = models.CharField(max_length=10, choices=Strategy.choices, default=Strategy.APPEND)
    of = models.CharField(max_length=10, choices=Strategy.choices, blank=True, help_text="What a preview looks at.")
    trigger = models.CharField(max_length=10, choices=Trigger.choices, default=Trigger.PERSON)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    is_confirmed = models.BooleanField(default=False)
    is_full = models.BooleanField(default=False)
    since = models.DateTimeField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    fetched = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    skipped_reasons: Any = models.JSONField(default=dict)
    expected_total = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=30, blank=True)
    retry_after = models.PositiveIntegerField(null=True, help_text="Seconds that the CRM or Nango asked to wait.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(default=timezone.now, help_text="The last sign of life.")
    finished_at = models.DateTimeField(null=True)

    objects = SyncRunQuerySet.as_manager()

    class Meta:
        verbose_name = "sync run"
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["connection"], condition=Q(status__in=["queued", "running"]), name="run_one_per_connection"
            ),
            models.CheckConstraint(condition=Q(status__in=["queued", "running", "done", "failed"]), name="run_status"),
        ]
        indexes = [models.Index(fields=["connection", "-created_at"], name="run_newest")]

    def __str__(self) -> str:
        return f"{self.get_strategy_display()}, {self.created_at:%d %b %H:%M}"

    @property
    def is_silent(self) -> bool:
        """Whether it has died, as far as one can tell."""
        return self.finished_at is None and self.heard_at < timezone.now() - SILENT_AFTER

    @property
    def results(self) -> dict[str, Any]:
        """The buckets."""
        names = ("fetched", "created", "updated", "unchanged", "skipped", "failed", "removed", "skipped_reasons")
        return {name: getattr(self, name) for name in names}


class SyncOutcome(models.Model):
    """What became of one fetched contact in one run, and why."""

    class Bucket(models.TextChoices):
        """They add up to what was fetched; `removed` stands beside."""

        CREATED = "created"
        UPDATED = "updated"
        UNCHANGED = "unchanged"
        SKIPPED = "skipped"
        FAILED = "failed"
        REMOVED = "removed"

    class Reason(models.TextChoices):
        """Why a contact was skipped, in the order in which they are tried."""

        NO_NAME = "no_name", "It has no name"
        NO_CONTACT = "no_contact", "It has neither phone nor email"
        NO_PHONE = "no_phone", "It has no phone"
        BAD_PHONE = "bad_phone", "Its phone is no number that is in use"
        DUPLICATE_IN_RUN = "duplicate_in_run", "Another contact of this run is the same person"

    # Rows by the hundred thousand, kept for a month: checking each reference takes longer than the import itself.
    run = models.ForeignKey(
        SyncRun, on_delete=models.CASCADE, related_name="outcomes", db_constraint=False, db_index=False
    )
    bucket = models.CharField(max_length=10, choices=Bucket.choices)
    reason = models.CharField(max_length=100, blank=True)
    crm_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True)
    lead = models.ForeignKey(
        "crm.Lead", on_delete=models.SET_NULL, null=True, related_name="outcomes", db_constraint=False
    )
    changes: Any = models.JSONField(default=dict, help_text="{field: [before, after]}")

    class Meta:
        verbose_name = "outcome"
        ordering = ["id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["run", "bucket", "id"], name="outcome_of_run")]

    def __str__(self) -> str:
        return f"{self.bucket} {self.crm_id}"
