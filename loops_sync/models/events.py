"""What Loops told by itself."""

from django.db import models
from django.utils import timezone

from loops_sync.models.outbox import Contact


class WebhookEvent(models.Model):
    """An event that changed, or could have changed, a contact's state. Its id, seen once, is never acted on again."""

    webhook_id = models.CharField(max_length=255, primary_key=True)
    name = models.CharField(max_length=40)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="events")
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-occurred_at", "webhook_id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name} {self.occurred_at:%H:%M:%S}"
