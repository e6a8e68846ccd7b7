"""What votes add up to, votes added by hand, and what staff ruled on votes."""

from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from nominations.models.people import Nominee
from nominations.models.seasons import Category, Season

Place = tuple[int, int, UUID]
"""The keys of a season, a category and a nominee."""


class Tally(models.Model):
    """The sums of one nominee in one category. Moved in the transaction of each vote, under the nominee's lock."""

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="tallies")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="tallies")
    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="tallies")
    votes = models.IntegerField(default=0)
    manual_votes = models.IntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["season", "category", "nominee"], name="tally_once"),
            models.CheckConstraint(condition=Q(votes__gte=0), name="tally_votes_not_negative"),
            models.CheckConstraint(condition=Q(votes__gte=-F("manual_votes")), name="tally_total_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.nominee_id} in {self.category_id}"

    @property
    def total_votes(self) -> int:
        """What the public sees."""
        return self.votes + self.manual_votes


class ManualVote(models.Model):
    """Votes that staff add or take away, with a reason: append-only in the database.

    `counterpart` is the other nominee when a merge moved them.
    """

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="manual_votes")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="manual_votes")
    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="manual_votes")
    count = models.IntegerField()
    reason = models.CharField(max_length=500)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    staff_name = models.CharField(max_length=200)
    counterpart = models.ForeignKey(Nominee, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ("add", "view")
        constraints = [
            models.CheckConstraint(condition=~Q(count=0), name="manual_vote_counts"),
            models.CheckConstraint(condition=~Q(reason=""), name="manual_vote_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.count:+} for {self.nominee_id}"


class VoteRuling(models.Model):
    """What staff ruled on a group of votes, when and why: append-only. Undoing one is another, which names it."""

    class Action(models.TextChoices):
        """What was done."""

        INVALIDATE = "invalidate"
        RESTORE = "restore"

    action = models.CharField(max_length=10, choices=Action.choices)
    reason = models.CharField(max_length=20)
    note = models.CharField(max_length=500)
    about = models.CharField(max_length=300, blank=True)
    size = models.PositiveIntegerField()
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = "ruling on votes"
        verbose_name_plural = "rulings on votes"
        ordering = ["-at", "-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.size}: {self.about or self.note}"
