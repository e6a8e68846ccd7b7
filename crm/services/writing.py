"""What a sync writes to leads. Each function belongs into the transaction of its batch."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone

from crm.models import Connection, Lead, LeadAlias, Message, SyncOutcome, SyncRun
from crm.services.bulk import insert_rows
from crm.services.matching import COMPARED, LOADED, Bucket, Outcome, kept, left_alone

NEW_COLUMNS = (
    "id",
    "business",
    *COMPARED,
    "lead_type",
    "status",
    "edited_fields",
    "crm_id",
    "crm_source",
    "crm_account_id",
    "last_crm_sync_at",
    "last_message",
    "contacted",
    "created_at",
    "updated_at",
)
CHANGED = (
    *COMPARED,
    "lead_type",
    "crm_id",
    "crm_source",
    "crm_account_id",
    "crm_deleted_at",
    "last_crm_sync_at",
    "updated_at",
)
CHUNK = 5000


def write_batch(connection: Connection, outcomes: list[Outcome]) -> None:
    """New leads, and leads of which something really changed. The others are not touched."""
    now = timezone.now()
    source, account = connection.provider, connection.crm_account_id
    new = [outcome for outcome in outcomes if outcome.bucket == Bucket.CREATED]
    insert_rows(
        Lead,
        NEW_COLUMNS,
        (
            (
                outcome.lead,
                connection.business_id,
                *(outcome.values[name] for name in COMPARED),
                Lead.Type.NEW,
                "pending",
                [],
                outcome.contact.crm_id,
                source,
                account,
                now,
                "",
                False,
                now,
                now,
            )
            for outcome in new
        ),
    )
    changed = [outcome for outcome in outcomes if outcome.bucket == Bucket.UPDATED]
    rows = Lead.objects.select_for_update(no_key=True).filter(pk__in=[outcome.lead for outcome in changed])
    fresh = {row["id"]: row for row in rows.values(*LOADED)}
    for outcome in changed:
        if outcome.lead in fresh:  # somebody may have edited it since it was judged, or it was forgotten
            now_is = fresh[outcome.lead]
            outcome.values |= kept(outcome.values, now_is)
            if now_is["erased_at"] is not None:
                left_alone(outcome)
    # An upsert by id: far quicker than one UPDATE a row, on both databases.
    Lead.objects.bulk_create(
        [_changed(connection, outcome, now) for outcome in changed if outcome.bucket == Bucket.UPDATED],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=CHANGED,
    )


def _changed(connection: Connection, outcome: Outcome, now: Any) -> Lead:
    """`lead_type` is `old` once a lead that was there before is found in the CRM for the first time."""
    return Lead(
        id=outcome.lead,
        business_id=connection.business_id,
        **{name: outcome.values[name] for name in COMPARED},
        lead_type=outcome.values["lead_type"],
        crm_id=outcome.contact.crm_id,
        crm_source=connection.provider,
        crm_account_id=connection.crm_account_id,
        crm_deleted_at=None,
        last_crm_sync_at=now,
        updated_at=now,
    )


def merge_leads(connection: Connection, survivor_id: str, losing_ids: tuple[str, ...]) -> None:
    """After a merge in the CRM the survivor's lead stays, with the others' messages; their ids become its aliases."""
    here = {
        "business": connection.business,
        "crm_source": connection.provider,
        "crm_account_id": connection.crm_account_id,
    }
    survivor = Lead.objects.filter(**here, crm_id=survivor_id).first()
    if survivor is None:
        return
    losers = list(Lead.objects.filter(**here, crm_id__in=losing_ids).exclude(pk=survivor.pk))
    if losers:
        Message.objects.filter(lead__in=losers).update(lead=survivor)
        LeadAlias.objects.filter(lead__in=losers).update(lead=survivor)
        _inherit(survivor, losers)
        Lead.objects.filter(pk__in=[loser.pk for loser in losers]).delete()
    aliases = [LeadAlias(**here, lead=survivor, crm_id=crm_id) for crm_id in losing_ids if crm_id != survivor_id]
    LeadAlias.objects.bulk_create(aliases, ignore_conflicts=True)


def _inherit(survivor: Lead, losers: list[Lead]) -> None:
    """What was said to any of them was said to this one; and one opt-out is never lost."""
    of = (survivor, *losers)
    survivor.contacted, survivor.opted_out = any(lead.contacted for lead in of), any(lead.opted_out for lead in of)
    spoken = [(lead.last_message_at, lead.last_message) for lead in of if lead.last_message_at is not None]
    if spoken:
        survivor.last_message_at, survivor.last_message = max(spoken)
    survivor.save(update_fields=["contacted", "opted_out", "last_message", "last_message_at"])


def remove_leads(run: SyncRun, missing: Sequence[tuple[UUID, str | None, str]], *, write: bool) -> None:
    """Mark leads as gone from the CRM, each with its outcome; a preview only says which."""
    now = timezone.now()
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        if write:
            Lead.objects.filter(pk__in=[pk for pk, _crm_id, _name in chunk]).update(crm_deleted_at=now, updated_at=now)
        rows: list[tuple[Any, ...]] = [
            (run.pk, Bucket.REMOVED, "", crm_id, name, pk, {}) for pk, crm_id, name in chunk
        ]
        insert_rows(SyncOutcome, ("run", "bucket", "reason", "crm_id", "name", "lead", "changes"), rows)
    run.removed += len(missing)
    run.save(update_fields=["removed"])
