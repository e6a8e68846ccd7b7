"""Files of nominations that staff bring in, and what was wrong with their lines."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ImportBatch(models.Model):
    """One file on its way in. Its `content` is kept until all of it is in; `read_rows` is how far that has come.

    Every line ends in one of three counts: created, unchanged (it was there already) or failed.
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
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

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
