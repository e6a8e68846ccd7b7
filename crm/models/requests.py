"""What makes a request safe to repeat, and what keeps callers to a rate."""

from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """The first answer to a key, kept to be given again. Written in the transaction of the effect it stands for."""

    scope = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class RateGate(models.Model):
    """One caller's or one foreign service's place in time (GCRA): the moment from which its next turn counts."""

    NAME_LENGTH = 200

    name = models.CharField(max_length=NAME_LENGTH, primary_key=True)
    free_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name
