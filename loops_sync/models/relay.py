"""How the line to Loops is, as all workers see it."""

from django.db import models
from django.db.models import Q


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
