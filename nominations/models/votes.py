"""One voice for one nominee in one category."""

import uuid

from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from nominations.models.people import Nominee, Voter
from nominations.models.seasons import Category, Season
from nominations.models.tallies import VoteRuling


class VoteQuerySet(QuerySet["Vote"]):
    """Votes, narrowed."""

    def counted(self) -> "VoteQuerySet":
        """Those that count."""
        return self.filter(state=Vote.State.COUNTED)

    def held(self) -> "VoteQuerySet":
        """Those that wait for their voter's word."""
        return self.filter(state=Vote.State.HELD)

    def live(self) -> "VoteQuerySet":
        """Those that count or may come to count."""
        return self.filter(state__in=[Vote.State.COUNTED, Vote.State.HELD])


class Vote(models.Model):
    """A vote. Invalidated, never deleted; the database holds that only one per voter and category counts.

    `reason` says why it does not count; `state_before` is where a restored one goes back to.
    """

    class State(models.TextChoices):
        """Whether it counts."""

        COUNTED = "counted"
        HELD = "held"
        INVALID = "invalid"

    class Reason(models.TextChoices):
        """Why a vote does not count."""

        UNVERIFIED = "unverified", "The address was not verified"
        STAFF = "staff", "Taken out by staff"
        CLUSTER = "cluster", "Part of a suspicious group"
        SELF_VOTE = "self_vote", "Voted for themselves"
        MERGED_DUPLICATE = "merged_duplicate", "Second vote for a merged nominee"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="votes")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="votes")
    nominee = models.ForeignKey(Nominee, on_delete=models.PROTECT, related_name="votes")
    original_nominee = models.ForeignKey(
        Nominee, on_delete=models.PROTECT, null=True, related_name="votes_before_merge"
    )
    voter = models.ForeignKey(Voter, on_delete=models.PROTECT, related_name="votes")
    state = models.CharField(max_length=10, choices=State.choices, default=State.COUNTED)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)
    state_before = models.CharField(max_length=10, choices=State.choices, blank=True)
    ruling = models.ForeignKey(VoteRuling, on_delete=models.PROTECT, null=True, related_name="votes")
    mailed_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    ip_prefix = models.CharField(max_length=50, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = VoteQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "id"]
        default_permissions = ("view",)
        permissions = [("judge_vote", "Can invalidate and restore votes")]
        indexes = [
            models.Index(fields=["season", "category", "nominee", "state"], name="vote_by_nominee"),
            models.Index(fields=["-created_at", "id"], name="vote_newest"),
            models.Index(fields=["created_at"], condition=Q(state="held"), name="vote_held"),
            models.Index(fields=["-created_at"], condition=Q(state="invalid"), name="vote_invalid"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["season", "category", "voter"], condition=Q(state="counted"), name="vote_once_per_category"
            ),
            models.CheckConstraint(condition=Q(state__in=["counted", "held", "invalid"]), name="vote_state"),
            models.CheckConstraint(
                condition=Q(state="counted", reason="") | (~Q(state="counted") & ~Q(reason="")), name="vote_has_reason"
            ),
            models.CheckConstraint(condition=~Q(original_nominee=F("nominee")), name="vote_moved_elsewhere"),
        ]

    def __str__(self) -> str:
        return f"{self.voter_id} for {self.nominee_id}"
