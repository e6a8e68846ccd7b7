"""Decisions that staff have prepared and not yet applied."""

from django.conf import settings
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone

from nominations.models.nominations import Nomination


class StagedDecisionQuerySet(QuerySet["StagedDecision"]):
    """Prepared decisions, narrowed. Each is in one of these three."""

    def staged(self) -> "StagedDecisionQuerySet":
        """Those that wait until somebody applies them."""
        return self.filter(applied_at=None)

    def under_way(self) -> "StagedDecisionQuerySet":
        """Those that a worker has yet to come to."""
        return self.filter(applied_at__isnull=False, error="")

    def refused(self) -> "StagedDecisionQuerySet":
        """Those that could not be decided."""
        return self.exclude(error="")

    def complete(self) -> "StagedDecisionQuerySet":
        """With everything a list shows, in one query."""
        return self.select_related(
            "nomination__category", "nomination__nominator", "nomination__nominee", "nomination__season", "by"
        )


class StagedDecision(models.Model):
    """What will be decided of a nomination once the stage is applied; the row goes when it was.

    `applied_at` is when somebody asked for that, `applied_by` who: until a worker has come to it. `error` says why it
    could not be decided.
    """

    class Decision(models.TextChoices):
        """What can be prepared."""

        APPROVE = "approve"
        REJECT = "reject"

    nomination = models.OneToOneField(Nomination, on_delete=models.CASCADE, related_name="staged")
    decision = models.CharField(max_length=10, choices=Decision.choices)
    reason = models.CharField(max_length=1000, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    applied_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    objects = StagedDecisionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(condition=Q(decision__in=["approve", "reject"]), name="staged_decision"),
            models.CheckConstraint(
                condition=~Q(decision="reject") | ~Q(reason=""), name="staged_rejection_has_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_decision_display()} {self.nomination}"

    @property
    def is_under_way(self) -> bool:
        """Whether a worker may take it at any moment."""
        return self.applied_at is not None and not self.error

    @property
    def has_effect(self) -> bool:
        """Whether the nomination, as it is now, can still be decided so."""
        is_approval = self.decision == self.Decision.APPROVE
        return self.nomination.may_approve if is_approval else self.nomination.may_reject
