"""The results as they were published."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from nominations.models.people import Nominee
from nominations.models.seasons import Category, Season


class Result(models.Model):
    """A nominee's place in a category at the moment of publication: frozen, whatever happens to votes later."""

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="results")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="results")
    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="results")
    rank = models.PositiveIntegerField()
    of = models.PositiveIntegerField()
    is_tied = models.BooleanField()
    votes = models.IntegerField()
    manual_votes = models.IntegerField()
    frozen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["season", "category", "rank", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["season", "category", "nominee"], name="result_once"),
            models.CheckConstraint(condition=Q(rank__gte=1, of__gte=F("rank")), name="result_rank_in_field"),
        ]

    def __str__(self) -> str:
        return f"{self.rank} of {self.of} in {self.category_id}"

    @property
    def total_votes(self) -> int:
        """What counted."""
        return self.votes + self.manual_votes
