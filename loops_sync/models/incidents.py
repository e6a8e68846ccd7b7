"""What was wrong with the line to Loops, from when to when, and whether staff were told."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils import timezone


class IncidentQuerySet(QuerySet["Incident"]):
    """Incidents, narrowed."""

    def open(self) -> "IncidentQuerySet":
        """Those that are not over."""
        return self.filter(closed_at=None)

    def to_mail(self) -> "IncidentQuerySet":
        """Those that staff have not been told of, or not yet that they are over."""
        begun = Q(closed_at=None, is_opening_mailed=False)
        over = Q(closed_at__isnull=False, is_closing_mailed=False)
        return self.filter(begun | over)

    def free(self, now: datetime) -> "IncidentQuerySet":
        """Those that no worker is mailing about."""
        return self.filter(Q(mailing_until=None) | Q(mailing_until__lt=now))


class Incident(models.Model):
    """One alarm, from the minute it was raised until the minute it was over. At most one of a kind is open."""

    class Kind(models.TextChoices):
        """What is wrong."""

        DEAD = "dead", "Messages given up"
        OUT_OF_REACH = "out_of_reach", "Loops out of reach"
        FAILURES_IN_A_ROW = "failures_in_a_row", "Failures in a row"
        FAILURE_RATE = "failure_rate", "Many failures in an hour"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    opened_at = models.DateTimeField(default=timezone.now, db_index=True)
    closed_at = models.DateTimeField(null=True)
    detail = models.CharField(max_length=500)
    is_opening_mailed = models.BooleanField(default=False)
    is_closing_mailed = models.BooleanField(default=False)
    mailing_until = models.DateTimeField(null=True, help_text="While a worker sends its mail, no other does.")

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["kind"], condition=Q(closed_at=None), name="incident_one_open_of_a_kind"),
            models.CheckConstraint(
                condition=Q(kind__in=["dead", "out_of_reach", "failures_in_a_row", "failure_rate"]),
                name="incident_kind",
            ),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("opened_at")), name="incident_ends_after_it_begins"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(closed_at=None) | Q(is_closing_mailed=False),
                name="incident_unfinished",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.opened_at:%d %b %H:%M}"

    @property
    def duration(self) -> timedelta:
        """From its beginning to its end, or until now."""
        return (self.closed_at or timezone.now()) - self.opened_at
