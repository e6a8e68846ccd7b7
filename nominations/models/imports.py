"""Files of nominations that staff bring in, and what was wrong with their lines."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

MOST_BYTES, MOST_ROWS = 10 * 1024 * 1024, 10_000
COLUMNS = (
    "type",
    "category",
    "first_name",
    "last_name",
    "job_title",
    "company_name",
    "email",
    "phone",
    "country",
    "linkedin",
    "website",
    "bio",
    "achievements",
    "why_vote_for_me",
    "company_size",
    "industry",
    "logo_url",
    "headshot_url",
    "nominator_name",
    "nominator_email",
    "nominator_company",
    "nominator_job_title",
    "nominator_phone",
    "nominator_country",
)
# What our own export writes behind them. An import reads none of it but the id.
EXPORTED = (
    "state",
    "slug",
    "live_url",
    "votes",
    "manual_votes",
    "total_votes",
    "created_at",
    "approved_at",
    "id",
)


class ImportBatchQuerySet(QuerySet["ImportBatch"]):
    """Imports, narrowed."""

    def due(self) -> "ImportBatchQuerySet":
        """Those that nobody works at and that are not at their end."""
        free = Q(leased_until=None) | Q(leased_until__lt=timezone.now())
        return self.filter(free, state__in=[ImportBatch.State.WAITING, ImportBatch.State.RUNNING])


class ImportBatch(models.Model):
    """One file on its way in. Its `content` is kept until all of it is in; `read_rows` is how far that has come.

    Every line ends in one of three counts: created, unchanged (it was there already) or failed. `attempts` is how many
    workers have taken it up since it last came forward.
    """

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    season = models.ForeignKey("nominations.Season", on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=255)
    content = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    rows = models.PositiveIntegerField(default=0)
    read_rows = models.PositiveIntegerField(default=0)
    created_rows = models.PositiveIntegerField(default=0)
    unchanged_rows = models.PositiveIntegerField(default=0)
    failed_rows = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects = ImportBatchQuerySet.as_manager()

    class Meta:
        verbose_name = "import"
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        permissions = [("import_nominations", "Can import nominations")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running", "done", "failed"]), name="import_state"
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_finished(self) -> bool:
        """Nothing more happens by itself."""
        return self.state in (self.State.DONE, self.State.FAILED)


class ImportProblem(models.Model):
    """What is wrong with one field of one line; the header is row 1. It never quotes what stands there."""

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="problems")
    row = models.PositiveIntegerField()
    field = models.CharField(max_length=50, blank=True)
    reason = models.CharField(max_length=500)

    class Meta:
        ordering = ["row", "id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"Row {self.row}, {self.field}: {self.reason}"
