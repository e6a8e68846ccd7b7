"""Telling people, asking them, and noting what has changed for whom.

Each of these belongs into the transaction of the fact it speaks of.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.models import ApprovalRequest, Change, Notification, Preferences
from notifications.signals import request_closed

Status = ApprovalRequest.Status
REMEMBERED_FOR = timedelta(days=30)
BATCH = 500


def note_change(
    entity: str, entity_id: UUID, *, action: str, customer: UUID | None = None, business: UUID | None = None
) -> None:
    """What a customer, a business, or both of them see has changed: whoever asks for changes is told."""
    Change.objects.create(
        entity=entity, entity_id=entity_id, action=action, customer_id=customer, business_id=business
    )


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
    wants = _preferences(customer)
    if type in wants.muted or not (wants.in_app or wants.email):
        return None
    return _tell(
        type=type,
        title=title[:200],
        message=message[:1000],
        dedupe_key=dedupe_key,
        customer_id=customer,
        business_id=business,
        data=data or {},
        reference_id=reference,
        email=email if wants.email else "",
    )


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
    wants = _preferences(customer)
    request = ApprovalRequest(
        kind=kind,
        customer_id=customer,
        business_id=business,
        reference_id=reference,
        expires_at=expires_at,
        data=data or {},
    )
    notification = _tell(
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
    assert notification is not None  # its key is new
    request.notification = notification
    request.save(force_insert=True)
    note_change("approval", request.pk, action="created", customer=customer, business=business)
    return request


def _preferences(customer: UUID | None) -> Preferences:
    """What they have said; a business, and whoever has said nothing, wants to know everything."""
    found = Preferences.objects.filter(pk=customer).first() if customer else None
    return found or Preferences(customer_id=customer)


def _tell(**fields: Any) -> Notification | None:
    try:
        with transaction.atomic():
            notification = Notification.objects.create(**fields)
    except IntegrityError:
        if not Notification.objects.filter(dedupe_key=fields["dedupe_key"]).exists():
            raise
        return None
    _note(notification, "created")
    return notification


def _note(notification: Notification, action: str) -> None:
    note_change(
        "notification",
        notification.pk,
        action=action,
        customer=notification.customer_id,
        business=notification.business_id,
    )


def answer_request(request: ApprovalRequest, *, accept: bool, by: Any) -> ApprovalRequest:
    """The customer's yes or no, once. Listeners to `request_closed` do what it means, in the same transaction.

    Raises ValidationError: `already_answered`, `expired`, or what a listener refuses.
    """
    with transaction.atomic():
        locked = _locked(request.pk)
        if locked.status == Status.EXPIRED or (locked.status == Status.PENDING and locked.expires_at <= timezone.now()):
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
    """Close the questions that nobody has answered in time: how many."""
    expired = 0
    due = ApprovalRequest.objects.filter(status=Status.PENDING, expires_at__lte=timezone.now())
    for pk in list(due.order_by("expires_at").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            locked = _locked(pk)
            if locked.status == Status.PENDING:
                _close(locked, Status.EXPIRED, by=None)
                expired += 1
    return expired


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
    _note(notification, "updated")
    note_change(
        "approval", request.pk, action="updated", customer=request.customer_id, business=request.business_id
    )


def forget_old_changes() -> None:
    """Whoever has not asked for a month loads everything anew."""
    Change.objects.filter(at__lt=timezone.now() - REMEMBERED_FOR).delete()
