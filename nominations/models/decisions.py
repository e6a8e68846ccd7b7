"""Who decided what, when and why: append-only in the database, each row chained to the one before."""

import hashlib
import json

from django.conf import settings
from django.db import models

from nominations.models.nominations import Nomination
from nominations.models.seasons import Season


class DecisionLog(models.Model):
    """One change of a nomination's state.

    The hash covers the row and the hash before it in the same season. The reason enters through its digest, so that a
    personal text can be blanked later without breaking the chain: the only update that the database lets through.
    """

    class Action(models.TextChoices):
        """The moves of the state table."""

        SUBMIT = "submit"
        APPROVE = "approve"
        REJECT = "reject"
        WITHDRAW = "withdraw"
        MARK_DUPLICATE = "duplicate"
        REOPEN = "reopen"

    season = models.ForeignKey(Season, on_delete=models.PROTECT, related_name="decisions")
    seq = models.PositiveIntegerField()
    nomination = models.ForeignKey(Nomination, on_delete=models.PROTECT, related_name="decisions")
    action = models.CharField(max_length=10, choices=Action.choices)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10)
    reason = models.TextField(blank=True)
    reason_digest = models.CharField(max_length=64)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    previous_hash = models.CharField(max_length=64, blank=True)
    row_hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = "decision"
        ordering = ["-at", "-seq"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["season", "seq"], name="decision_seq_once"),
            models.UniqueConstraint(fields=["season", "previous_hash"], name="decision_chain_has_no_fork"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.nomination_id}"

    def computed_hash(self) -> str:
        """What `row_hash` must be, from the columns as they stand."""
        parts = [
            self.previous_hash,
            self.season_id,
            self.seq,
            str(self.nomination_id),
            self.action,
            self.from_state,
            self.to_state,
            self.reason_digest,
            self.by_id,
            self.at.isoformat(timespec="microseconds"),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
