"""One voice for one nominee in one category."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from nominations.models.people import Nominee, Voter
from nominations.models.seasons import Category, Season


class Vote(models.Model):
    """A vote. Invalidated, never deleted; the database holds that only one per voter and category counts."""

    class State(models.TextChoices):
        """Whether it counts."""

        COUNTED = "counted"
        INVALID = "invalid"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="votes")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="votes")
    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="votes")
    voter = models.ForeignKey(Voter, on_delete=models.PROTECT, related_name="votes")
    state = models.CharField(max_length=10, choices=State.choices, default=State.COUNTED)
    ip_prefix = models.CharField(max_length=50, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["season", "category", "nominee", "state"], name="vote_by_nominee")]
        constraints = [
            models.UniqueConstraint(
                fields=["season", "category", "voter"], condition=Q(state="counted"), name="vote_once_per_category"
            ),
            models.CheckConstraint(condition=Q(state__in=["counted", "invalid"]), name="vote_state"),
        ]

    def __str__(self) -> str:
        return f"{self.voter_id} for {self.nominee_id}"
