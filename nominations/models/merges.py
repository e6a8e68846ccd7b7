"""Two nominees that are one."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from nominations.models.people import Nominee


class Merge(models.Model):
    """Who was merged into whom, and what it takes to undo it.

    `loser_state` is where the loser goes back to; `filled` names the survivor's blanks that the loser filled, with the
    values; `undone_at` is set once it was undone.
    """

    loser = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="merges_away")
    survivor = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="merges_here")
    loser_state = models.CharField(max_length=10, choices=Nominee.State.choices)
    survivor_state = models.CharField(max_length=10, choices=Nominee.State.choices)
    filled: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        permissions = [("merge_nominee", "Can merge nominees and undo it")]
        constraints = [
            models.UniqueConstraint(fields=["loser"], condition=Q(undone_at__isnull=True), name="merge_once"),
            models.CheckConstraint(condition=~Q(loser=F("survivor")), name="merge_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.loser} into {self.survivor}"
