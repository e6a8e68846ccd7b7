"""Entries in, entries revived, entries given up."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from loops_sync.models import Contact, Drift, OutboxEntry, RemoteCheck, SyncAttempt, WebhookEvent

KEPT_DONE = timedelta(days=30)
Status, Priority = OutboxEntry.Status, OutboxEntry.Priority
# What staff decided, and who is to be left alone, before what happens all day, before what is done by the thousand.
PRIORITIES = {
    "nomination_approved": Priority.DECISION,
    "nomination_rejected": Priority.DECISION,
    "nomination_withdrawn": Priority.DECISION,
    "nomination_duplicate": Priority.DECISION,
    "nomination_reopened": Priority.DECISION,
    "nominee_merged": Priority.DECISION,
    "nominee_unmerged": Priority.DECISION,
    "client_deleted": Priority.DECISION,
    "person_forgotten": Priority.DECISION,
    "backfill": Priority.BACKFILL,
}


def record_change(event_type: str, emails: Iterable[str | None], *, reference: Model | None = None) -> list[UUID]:
    """Write one entry for each address, in the caller's transaction: the ids of the contacts.

    Contacts are only inserted here, never updated, so that no writer waits for a worker.
    """
    wanted = sorted({email for email in emails if email})
    if not wanted:
        return []
    with transaction.atomic():
        Contact.objects.bulk_create([Contact(email=email) for email in wanted], ignore_conflicts=True)
        contact_ids = list(Contact.objects.filter(email__in=wanted).values_list("pk", flat=True))
        OutboxEntry.objects.bulk_create(
            OutboxEntry(
                event_type=event_type,
                priority=PRIORITIES.get(event_type, Priority.NEWS),
                contact_id=contact_id,
                reference_type=reference._meta.model_name or "" if reference else "",
                reference_id=str(reference.pk) if reference else "",
            )
            for contact_id in contact_ids
        )
    return contact_ids


def retry_entries(entries: QuerySet[OutboxEntry]) -> list[UUID]:
    """Give dead entries, and waiting ones in their backoff, a new start now: the ids of their contacts."""
    with transaction.atomic():
        ids, contact_ids = _locked(entries)
        OutboxEntry.objects.filter(pk__in=ids).update(status=Status.PENDING, attempts=0, outcome="", finished_at=None)
        contacts = Contact.objects.filter(pk__in=contact_ids)
        list(contacts.order_by("pk").select_for_update(no_key=True).values_list("pk"))
        contacts.update(next_attempt_at=None, failures=0)
    return contact_ids


def _locked(entries: QuerySet[OutboxEntry]) -> tuple[list[int], list[UUID]]:
    """The dead and waiting ones that nobody else has in hand, and their contacts. Never waits for a lock."""
    chosen = entries.filter(status__in=[Status.DEAD, Status.PENDING]).order_by("id")
    rows = list(chosen.select_for_update(skip_locked=True, of=("self",)).values_list("pk", "contact_id"))
    return [pk for pk, _contact in rows], sorted({contact for _pk, contact in rows})


def discard_entries(entries: QuerySet[OutboxEntry], *, reason: str) -> int:
    """Give up entries that are dead or waiting, for a stated reason: how many.

    Raises ValidationError `reason_required`.
    """
    if not reason.strip():
        raise ValidationError("Say why they are discarded.", code="reason_required")
    with transaction.atomic():
        ids, _contact_ids = _locked(entries)
        return OutboxEntry.objects.filter(pk__in=ids).update(
            status=Status.DONE,
            outcome=OutboxEntry.Outcome.DISCARDED,
            last_error=f"Discarded: {reason.strip()}"[:500],
            finished_at=timezone.now(),
        )


def purge_old() -> None:
    """Forget what was done 30 days ago. Dead entries stay until somebody decides."""
    before = timezone.now() - KEPT_DONE
    OutboxEntry.objects.filter(status=Status.DONE, finished_at__lt=before).delete()
    SyncAttempt.objects.filter(at__lt=before).delete()
    WebhookEvent.objects.filter(received_at__lt=before).delete()
    Drift.objects.filter(mended_at__lt=before).delete()
    RemoteCheck.objects.filter(started_at__lt=before).delete()
