"""Decisions that staff have prepared and not yet applied."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from nominations.models.nominations import Nomination


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
        return f"{self.get_decision_display()} {self.nomination_id}"
