"""What every movement of points tells, written out for both databases: composing it anew each time takes the ORM
longer than running it takes the database (`make bench`)."""

from typing import Any
from uuid import UUID

from django.db import connection, models
from django.utils import timezone

from notifications.models import Notification

FIELDS: Any = Notification._meta.concrete_fields
UUIDS = models.UUIDField()
# Names of tables and columns only.
INSERT_NOTIFICATION = f"""
INSERT INTO notifications_notification ({", ".join(field.column for field in FIELDS)})
VALUES ({", ".join(["%s"] * len(FIELDS))}) ON CONFLICT (dedupe_key) DO NOTHING
"""  # noqa: S608
INSERT_CHANGE = """
INSERT INTO sync_notifications (customer_id, business_id, entity, entity_id, action, at)
VALUES (%s, %s, %s, %s, %s, %s)
"""


def insert_notification(notification: Notification) -> bool:
    """Whether it was news. Nothing listens to this model's signals."""
    values = [field.get_db_prep_save(getattr(notification, field.attname), connection) for field in FIELDS]
    with connection.cursor() as cursor:
        cursor.execute(INSERT_NOTIFICATION, values)
        return bool(cursor.rowcount)


def insert_change(
    entity: str, entity_id: UUID, *, action: str, customer: UUID | None = None, business: UUID | None = None
) -> None:
    """Append to the feed."""
    at = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(INSERT_CHANGE, [_id(customer), _id(business), entity, _id(entity_id), action, at])


def _id(pk: UUID | None) -> Any:
    return UUIDS.get_db_prep_value(pk, connection)
