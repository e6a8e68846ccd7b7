"""Questions: asked in the transaction of the fact, answered once or never."""

import logging
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from notifications.models import ApprovalRequest, Notification, Preferences
from notifications.selectors import preferences_of
from notifications.services.changes import note_change, note_notification
from notifications.services.notifications import store_notification
from notifications.signals import request_closed

Status = ApprovalRequest.Status
BATCH = 500
logger = logging.getLogger(__name__)


def ask(
    kind: str,
    *,
    type: str,
    title: str,
    message: str,
    customer: UUID,
    business: UUID,
    reference: UUID,
    expires_at: datetime,
    data: dict[str, Any] | None = None,
    email: str = "",
) -> ApprovalRequest:
    """Ask a customer; they may answer once, until `expires_at`. A question is shown whatever they want to be told.

    Raises IntegrityError when the same is being asked already.
    """
    wants = preferences_of(customer)
    request = ApprovalRequest(
        kind=kind,
        customer_id=customer,
        business_id=business,
        reference_id=reference,
        expires_at=expires_at,
        data=data or {},
    )
    notification = store_notification(
        type=type,
        title=title[:200],
        message=message[:1000],
        dedupe_key=f"{type}:{request.pk}",
        customer_id=customer,
        data=data or {},
        reference_id=reference,
        requires_action=True,
        expires_at=expires_at,
        email=email if wants.email else "",
    )
    request.notification = cast(Notification, notification)  # its key is new
    request.save(force_insert=True)
    note_change("approval", request.pk, action="created", customer=customer, business=business)
    return request


def answer_request(request: ApprovalRequest, *, accept: bool, by: Any) -> ApprovalRequest:
    """The customer's yes or no, once. Listeners to `request_closed` do what it means, in the same transaction.

    Raises ValidationError: `already_answered`, `expired`, or what a listener refuses.
    """
    with transaction.atomic():
        locked = _locked(request.pk)
        is_late = locked.status == Status.PENDING and locked.expires_at <= timezone.now()
        if is_late or locked.status == Status.EXPIRED:
            raise ValidationError("The time to answer is over.", code="expired")
        if locked.status != Status.PENDING:
            raise ValidationError(f"This was {locked.status} already.", code="already_answered")
        return _close(locked, Status.ACCEPTED if accept else Status.DECLINED, by=by)


def pending_request(kind: str, reference: UUID) -> ApprovalRequest | None:
    """The question about this that is open, whether or not its time is over."""
    return ApprovalRequest.objects.filter(kind=kind, reference_id=reference, status=Status.PENDING).first()


def withdraw_request(kind: str, reference: UUID) -> None:
    """Nobody needs an answer any more. Call it before the lock of what was asked about is taken."""
    found = pending_request(kind, reference)
    if found is None:
        return
    with transaction.atomic():
        locked = _locked(found.pk)
        if locked.status == Status.PENDING:
            _end(locked, Status.EXPIRED)


def expire_requests() -> int:
    """Close the questions that nobody has answered in time: how many.

    Each in a transaction of its own; one that a listener cannot bear does not keep the others open.
    """
    expired = 0
    due = ApprovalRequest.objects.filter(status=Status.PENDING, expires_at__lte=timezone.now())
    for request in due.order_by("expires_at")[:BATCH]:
        try:
            expired += expire_request(request)
        except (ValidationError, IntegrityError, LookupError, ObjectDoesNotExist):
            logger.exception("Request %s cannot be closed", request.pk)
    return expired


def expire_request(request: ApprovalRequest) -> bool:
    """Close a question whose time is over, if nobody was faster."""
    with transaction.atomic():
        locked = _locked(request.pk)
        if locked.status != Status.PENDING:
            return False
        _close(locked, Status.EXPIRED, by=None)
        return True


def _locked(pk: UUID) -> ApprovalRequest:
    return ApprovalRequest.objects.select_for_update(of=("self",)).select_related("notification").get(pk=pk)


def _close(request: ApprovalRequest, status: str, *, by: Any) -> ApprovalRequest:
    _end(request, status)
    request_closed.send(ApprovalRequest, request=request, by=by)
    return request


def _end(request: ApprovalRequest, status: str) -> None:
    now = timezone.now()
    request.status, request.closed_at = status, now
    request.save(update_fields=["status", "closed_at"])
    notification = request.notification
    if status != Status.EXPIRED:
        notification.acted_at, notification.read_at = now, notification.read_at or now
        notification.save(update_fields=["acted_at", "read_at"])
    note_notification(notification, "updated")
    note_change("approval", request.pk, action="updated", customer=request.customer_id, business=request.business_id)


def told_of(customers: set[UUID], names: frozenset[str]) -> QuerySet[Notification]:
    """What these customers were told, and what businesses were told that names them."""
    named = Q(pk__in=[])
    for name in names:
        named |= Q(title__icontains=name) | Q(message__icontains=name)
    return Notification.objects.filter(Q(customer_id__in=customers) | named & Q(business_id__isnull=False))


def forget(told: QuerySet[Notification]) -> None:
    """Delete what was told. A question stays as a row, closed and without its words, and so does its answer."""
    for request in ApprovalRequest.objects.filter(notification__in=told, status=Status.PENDING):
        _end(_locked(request.pk), Status.EXPIRED)
    asked = ApprovalRequest.objects.filter(notification__in=told)
    asked.update(data={})
    kept = list(asked.values_list("notification", flat=True))
    Notification.objects.filter(pk__in=kept).update(title="", message="", data={}, email="", mail_error="")
    Preferences.objects.filter(pk__in=told.exclude(customer_id=None).values("customer_id")).delete()
    told.exclude(pk__in=kept).delete()
