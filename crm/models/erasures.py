"""That somebody was forgotten: by whom and when, and of what how much. Not who it was."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


class Erasure(models.Model):
    """One wish that was granted. `counts` says how many rows of which kind were touched."""

    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    counts: Any = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        permissions = [("forget_person", "Can export and erase what is known of a person")]

    def __str__(self) -> str:
        return f"Erasure {self.pk}"

    @property
    def total(self) -> int:
        """Rows of all kinds."""
        return sum(self.counts.values())
