"""What Loops was found to hold otherwise than it should, and when somebody looked."""

from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from loops_sync.models.outbox import Contact


class DriftQuerySet(QuerySet["Drift"]):
    """Findings, narrowed."""

    def open(self) -> "DriftQuerySet":
        """Not mended yet."""
        return self.filter(mended_at=None)


class Drift(models.Model):
    """Loops held something else of a contact than it should. At most one finding of a contact is open.

    `differences` is `[{"property", "ours", "theirs"}]`, null for what one side does not have. `is_missing`: Loops has
    no such contact at all. `mended_at`: when Loops was seen to hold the right thing, or accepted all of it anew.
    """

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="drifts")
    found_at = models.DateTimeField(default=timezone.now, db_index=True)
    differences = models.JSONField(default=list)
    is_missing = models.BooleanField(default=False)
    mended_at = models.DateTimeField(null=True)

    objects = DriftQuerySet.as_manager()

    class Meta:
        verbose_name = "drifted contact"
        verbose_name_plural = "drifted contacts"
        ordering = ["-found_at", "-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["contact"], condition=Q(mended_at=None), name="drift_one_open_of_contact")
        ]

    def __str__(self) -> str:
        return f"{self.contact}, {self.found_at:%d %b %H:%M}"


class RemoteCheck(models.Model):
    """One look at a sample of what Loops holds, by night or by an operator; `unknown` until it is finished."""

    class State(models.TextChoices):
        """`unknown`: it could not be finished. `broken`: Loops refuses our key."""

        OK = "ok"
        DRIFT = "drift"
        UNKNOWN = "unknown"
        BROKEN = "broken"

    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    finished_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.UNKNOWN)
    looked = models.PositiveIntegerField(default=0)
    differing = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-started_at", "-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["ok", "drift", "unknown", "broken"]), name="remote_check_state"
            )
        ]

    def __str__(self) -> str:
        return f"{self.state}, {self.started_at:%d %b %H:%M}"
