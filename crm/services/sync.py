"""How a CRM's contacts become leads: page after page, in batches, each judged and then written in a transaction."""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection as database
from django.db import transaction
from django.db.models import F, Model, Q, QuerySet
from django.utils import timezone

from crm.client import NangoError
from crm.models import Business, Connection, Lead, LeadAlias, SyncOutcome, SyncRun
from crm.providers import FetchedContact, ProviderError
from crm.services.bulk import insert_rows
from crm.services.matching import LOADED, Bucket, Free, Known, Outcome, judge, phone_of, values_of
from crm.services.reading import OutOfTime, Reading
from crm.services.runs import (
    RunLost,
    claim_run,
    fail_run,
    finish_run,
    hold_run,
    pause_run,
    queue_run,
    start_run,
)
from crm.services.writing import merge_leads, remove_leads, write_batch

BATCH = 1000
# Changes may become visible late, and clocks differ: read a little again.
OVERLAP = timedelta(minutes=15)
LARGEST_LOSS = 0.5


def execute_run(run: SyncRun, *, seconds: float | None = None) -> SyncRun:
    """Read, judge and write, to the end, or for so many seconds and then leave the rest to a worker.

    Each batch is a transaction. A page that fails ends the run before anything is marked as gone. The run comes back
    with how it ended: done, failed with its reason, or waiting. Nothing happens to one that is executed elsewhere.
    """
    if not claim_run(run):
        return run
    reading = Reading(run, seconds=seconds)
    try:
        _read_all(reading)
        return finish_run(run, began_at=reading.began_at)
    except OutOfTime:
        pause_run(run)
        queue_run(run)
    except RunLost:
        run.refresh_from_db()
    except NangoError as error:
        # A refused renewal may pass; one that comes again does not.
        again = error.needs_reconnect and reading.connection.last_error == str(error)[:500]
        must_reconnect = error.is_gone or again or (error.needs_reconnect and error.permanent)
        return fail_run(
            run, str(error), code=error.api_code, needs_reconnect=must_reconnect, retry_after=error.retry_after
        )
    except ProviderError as error:
        return fail_run(run, str(error), code="upstream_error")
    except ValidationError as error:
        return fail_run(run, error.messages[0], code=str(error.code))
    return run


def _read_all(reading: Reading) -> None:
    run = reading.run
    _resume(reading)
    since = None if run.is_full or run.since is None else run.since - OVERLAP
    config = reading.connection.connection_metadata
    batch: list[FetchedContact] = []
    for page in reading.provider.pages(reading.ask, config, since):
        batch += _not_seen(reading, page)
        while len(batch) >= BATCH:
            take_in(reading, batch[:BATCH])
            batch = batch[BATCH:]
    if batch:
        take_in(reading, batch)
    read_before = reading.connection.changed_since
    if read_before is not None and reading.writes:
        # Before anything is marked as gone: what was merged is not.
        _follow_merges(reading, config, read_before - OVERLAP)
    if reading.overwrites:
        _mark_missing(reading, reading.seen)
    elif run.trigger == SyncRun.Trigger.NIGHTLY:
        _mark_missing(reading, {crm_id for ids in reading.provider.ids(reading.ask, config) for crm_id in ids})


def _not_seen(reading: Reading, page: list[FetchedContact]) -> Iterator[FetchedContact]:
    """A contact that changes while it is read may come on two pages: it is one."""
    for contact in page:
        if contact.crm_id not in reading.seen:
            reading.seen.add(contact.crm_id)
            yield contact


def _resume(reading: Reading) -> None:
    """What this run has accounted for before it was paused is not accounted for again."""
    rows = reading.run.outcomes.values_list("crm_id", "lead_id", "lead__phone", "lead__email")
    for crm_id, lead, phone, email in rows.iterator():
        reading.seen.add(crm_id)
        if lead is not None:
            reading.claims.add(lead, phone, email)


def take_in(reading: Reading, contacts: list[FetchedContact]) -> None:
    """Judge one batch, and write it with its outcomes and the run's counts, in one transaction."""
    with transaction.atomic():
        hold_run(reading.run)
        hurry()
        outcomes = judge_all(reading, contacts)
        if reading.writes:
            write_batch(reading.connection, outcomes)
            for contact in contacts:
                if contact.merged_ids:
                    merge_leads(reading.connection, contact.crm_id, contact.merged_ids)
        note_outcomes(reading.run, outcomes)


def judge_all(reading: Reading, contacts: list[FetchedContact]) -> list[Outcome]:
    """What becomes of each, in their order."""
    known = leads_by_id(reading, contacts)
    judged = []
    for contact in contacts:
        lead = next((known[crm_id] for crm_id in (contact.crm_id, *contact.merged_ids) if crm_id in known), None)
        phone, raw = phone_of(contact, reading.business.default_region, lead)
        judged.append((contact, values_of(contact, phone, raw), lead))
    free = free_leads(reading, [values for _contact, values, lead in judged if lead is None])
    require_phone = reading.connection.require_phone
    return [
        judge(contact, values, lead, free=free, claims=reading.claims, require_phone=require_phone)
        for contact, values, lead in judged
    ]


def leads_by_id(reading: Reading, contacts: list[FetchedContact]) -> dict[str, Known]:
    """Leads of this CRM account by the id they have, or go by since a merge."""
    ids = {crm_id for contact in contacts for crm_id in (contact.crm_id, *contact.merged_ids)}
    source, account = reading.account
    here = {"crm_source": source, "crm_account_id": account}
    known_as = among(reading.business, LeadAlias, "crm_id", ids).filter(**here)
    aliases = dict(known_as.values_list("crm_id", "lead_id"))
    own = {lead["id"]: lead for lead in among(reading.business, Lead, "crm_id", ids).filter(**here).values(*LOADED)}
    further = set(aliases.values()) - set(own)
    own |= {lead["id"]: lead for lead in Lead.objects.filter(pk__in=further).values(*LOADED)} if further else {}
    found = {crm_id: own[lead] for crm_id, lead in aliases.items() if lead in own}
    return found | {lead["crm_id"]: lead for lead in own.values() if lead["crm_id"] in ids}


def free_leads(reading: Reading, wanted: list[dict[str, Any]]) -> Free:
    """Leads that new contacts may turn out to be: never those of another id of the same CRM account."""
    source, account = reading.account
    taken = Q(crm_source=source, crm_account_id=account, crm_id__isnull=False)
    free, seen = Free(), set()
    for column in ("phone", "email"):
        known = {values[column] for values in wanted} - {""}
        rows = among(reading.business, Lead, column, known).exclude(taken)
        narrowed = rows.order_by("created_at", "id").values(*LOADED)
        for lead in narrowed if known else ():
            if lead["id"] not in seen:
                seen.add(lead["id"])
                free.add(lead)
    return free


def among(business: Business, model: type[Model], column: str, values: Collection[str]) -> QuerySet[Any]:
    """Rows of the business with one of many normal values, in no order.

    PostgreSQL plans one array at once, and a list of a thousand slowly. And as an import fills a business quicker
    than statistics are taken, it believes that the business has few rows and would read all of them for each batch:
    a comparison that no index has leaves it only the index of the column.
    """
    rows = model._default_manager.order_by()
    if database.vendor != "postgresql":
        return rows.filter(business=business, **{f"{column}__in": values})
    table = model._meta.db_table
    where = [f"{table}.{column} = ANY(%s)", f"{table}.business_id::text = %s"]
    return rows.extra(where=where, params=[list(values), str(business.pk)])  # noqa: S610


def hurry() -> None:
    """Have PostgreSQL write this transaction the way an import wants it.

    A table that was small when it was last looked at is read by its indexes all the same; and a batch need not reach
    the disk by itself: after a crash the next run reads it again, and the commit that ends the run waits for them all.
    """
    if database.vendor == "postgresql":
        with database.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL synchronous_commit = off")


def note_outcomes(run: SyncRun, outcomes: list[Outcome]) -> None:
    """A row for each contact, and the run's counts."""
    written = run.strategy != SyncRun.Strategy.PREVIEW
    insert_rows(
        SyncOutcome,
        ("run", "bucket", "reason", "crm_id", "name", "lead", "changes"),
        (
            (
                run.pk,
                outcome.bucket,
                outcome.reason,
                outcome.contact.crm_id[:255],
                outcome.contact.label[:255],
                outcome.lead if written or outcome.bucket != Bucket.CREATED else None,
                outcome.changes,
            )
            for outcome in outcomes
        ),
    )
    counts = Counter(outcome.bucket for outcome in outcomes)
    for reason, count in Counter(outcome.reason for outcome in outcomes if outcome.reason).items():
        run.skipped_reasons[reason] = run.skipped_reasons.get(reason, 0) + count
    run.fetched += len(outcomes)
    for bucket, count in counts.items():
        setattr(run, bucket, getattr(run, bucket) + count)
    run.heard_at = timezone.now()
    run.save(update_fields=["fetched", *counts, "skipped_reasons", "heard_at"])


def _mark_missing(reading: Reading, there: set[str]) -> None:
    """Leads of this CRM account that a whole reading did not find are marked, never deleted.

    Raises ValidationError: `empty_fetch` when nothing came, `limit_exceeded` when more than half would go.
    """
    run = reading.run
    source, account = reading.account
    live = Lead.objects.live().filter(business=reading.business, crm_source=source, crm_account_id=account)
    live = live.exclude(crm_id=None)
    if not there:
        raise ValidationError("The CRM returned no contacts, so nothing is marked as gone.", code="empty_fetch")
    missing = [row for row in live.values_list("id", "crm_id", "name") if row[1] not in there]
    # What this run has added is not what there was to lose.
    of = live.count() - run.created if missing else 0
    if reading.writes and len(missing) > LARGEST_LOSS * of and not run.is_confirmed:
        message = f"{len(missing)} of {of} leads would be marked as gone. Confirm it, if the CRM really lost them."
        raise ValidationError(message, code="limit_exceeded")
    with transaction.atomic():
        hold_run(run)
        remove_leads(run, missing, write=reading.writes)


def _follow_merges(reading: Reading, config: dict[str, Any], since: datetime) -> None:
    """The CRM's own list of what went says which contact took over another. What is only deleted the night marks."""
    for page in reading.provider.deleted(reading.ask, config, since):
        with transaction.atomic():
            hold_run(reading.run)
            for contact in page:
                if contact.merged_ids:
                    merge_leads(reading.connection, contact.crm_id, contact.merged_ids)


def replace_dead_run(run: SyncRun) -> SyncRun | None:
    """Bury the run, and execute a new one of its kind, if nobody has started one."""
    try:
        fresh = start_run(
            run.connection,
            strategy=run.strategy,
            of=run.of,
            trigger=run.trigger,
            by=run.by,
            is_confirmed=run.is_confirmed,
        )
    except ValidationError:
        return None
    return execute_run(fresh)


def queue_all(*, trigger: str) -> int:
    """A run for every active connection that has none, the one longest ago first: how many were queued."""
    queued = 0
    for connection in in_turn():
        try:
            queue_run(start_run(connection, trigger=trigger))
        except ValidationError:
            continue  # one is under way
        queued += 1
    return queued


def in_turn() -> QuerySet[Connection]:
    """Active connections, longest unread first."""
    return Connection.objects.active().order_by(F("last_synced_at").asc(nulls_first=True), "id")
