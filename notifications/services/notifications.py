"""Telling people, in the transaction of the fact."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from notifications.models import Change, Notification, Preferences
from notifications.selectors import Scope, preferences_of
from notifications.services import statements
from notifications.services.changes import note_notification
from notifications.signals import mail_wanted

BATCH = 500


def notify(
    type: str,
    *,
    title: str,
    message: str = "",
    dedupe_key: str,
    customer: UUID | None = None,
    business: UUID | None = None,
    data: dict[str, Any] | None = None,
    reference: UUID | None = None,
    email: str = "",
) -> Notification | None:
    """Tell a customer or a business one fact, once for its `dedupe_key`.

    None when they know it already, or when the customer does not want to be told such. `email` is the customer's
    address: it is used only where they want mails.
    """
    wants = preferences_of(customer)
    if type in wants.muted or not (wants.in_app or wants.email):
        return None
    return store_notification(
        type=type,
        title=title[:200],
        message=message[:1000],
        dedupe_key=dedupe_key,
        customer_id=customer,
        business_id=business,
        data=data or {},
        reference_id=reference,
        email=email if wants.email else "",
        # Whoever wants mails only has nothing to open here.
        read_at=None if wants.in_app else timezone.now(),
    )


def store_notification(**fields: Any) -> Notification | None:
    """The row and its change; None for a fact that was told before."""
    notification = Notification(**fields)
    if not statements.insert_notification(notification):
        return None
    notification._state.adding = False
    if notification.email:
        mail_wanted.send(Notification, notification=notification)
    note_notification(notification, "created")
    return notification


def read_notification(notification: Notification) -> None:
    """Somebody has opened it; it stays read from the first time on."""
    with transaction.atomic():
        now = timezone.now()
        if Notification.objects.unread().filter(pk=notification.pk).update(read_at=now):
            notification.read_at = now
            note_notification(notification, "updated")


def read_all(scope: Scope) -> int:
    """All that the login sees has been opened: how many were new."""
    with transaction.atomic():
        # In one order, so that two readers at once wait for each other instead of locking each other out.
        rows = Notification.objects.unread().filter(scope.wanted).order_by("pk").select_for_update(no_key=True)
        found = list(rows.only("customer_id", "business_id"))
        for start in range(0, len(found), BATCH):
            _read(found[start : start + BATCH])
    return len(found)


def _read(rows: list[Notification]) -> None:
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(read_at=timezone.now())
    Change.objects.bulk_create(
        Change(
            entity="notification",
            entity_id=row.pk,
            action="updated",
            customer_id=row.customer_id,
            business_id=row.business_id,
        )
        for row in rows
    )


def change_preferences(
    customer: UUID, *, in_app: bool | None = None, email: bool | None = None, kinds: dict[str, bool] | None = None
) -> Preferences:
    """What a customer wants to be told from now on: what is not given stays as it is, each type for itself."""
    with transaction.atomic():
        Preferences.objects.get_or_create(pk=customer)
        wants = Preferences.objects.select_for_update().get(pk=customer)
        wants.in_app = wants.in_app if in_app is None else in_app
        wants.email = wants.email if email is None else email
        kinds = kinds or {}
        muted = {type for type, is_wanted in kinds.items() if not is_wanted}
        wants.muted = sorted(muted | {type for type in wants.muted if type not in kinds})
        wants.save()
    return wants
