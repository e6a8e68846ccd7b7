"""What has changed for whom: noted in the transaction of the change."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from notifications.models import Change, Notification
from notifications.services import statements

REMEMBERED_FOR = timedelta(days=30)


def note_change(
    entity: str, entity_id: UUID, *, action: str, customer: UUID | None = None, business: UUID | None = None
) -> None:
    """What a customer, a business, or both of them see has changed: whoever asks for changes is told."""
    statements.insert_change(entity, entity_id, action=action, customer=customer, business=business)


def note_notification(notification: Notification, action: str) -> None:
    """Its recipient looks again."""
    note_change(
        "notification",
        notification.pk,
        action=action,
        customer=notification.customer_id,
        business=notification.business_id,
    )


def forget_old_changes() -> None:
    """Whoever has not asked for a month loads everything anew."""
    Change.objects.filter(at__lt=timezone.now() - REMEMBERED_FOR).delete()
