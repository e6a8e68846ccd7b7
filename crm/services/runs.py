"""The life of a run: one at a time for a connection, heard of while it works, and never half true when it dies."""

import math
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.models import Connection, SyncOutcome, SyncRun, User
from crm.models.connections import SILENT_AFTER
from crm.services.telling import require_reconnect, tell_failed
from crm.signals import run_wanted

Status, Strategy = SyncRun.Status, SyncRun.Strategy
OUTCOMES_KEPT_FOR = timedelta(days=30)


class RunLost(Exception):
    """Somebody else has declared this run dead: it must not write any more."""


def start_run(
    connection: Connection,
    *,
    strategy: str = Strategy.APPEND,
    of: str = "",
    trigger: str = SyncRun.Trigger.PERSON,
    by: User | None = None,
    is_confirmed: bool = False,
) -> SyncRun:
    """A run that waits to be executed. A run that has fallen silent is declared dead first.

    The first run, overwrite and preview read in full, the others what changed since the last that ended well. Raises
    ValidationError: `not_connected`, `sync_running`.
    """
    if not connection.is_active:
        raise ValidationError("No CRM is connected.", code="not_connected")
    bury_dead_runs(connection)
    is_full = strategy != Strategy.APPEND or connection.changed_since is None
    try:
        with transaction.atomic():
            return SyncRun.objects.create(
                connection=connection,
                strategy=strategy,
                of=(of or Strategy.APPEND) if strategy == Strategy.PREVIEW else "",
                trigger=trigger,
                by=by,
                is_confirmed=is_confirmed,
                is_full=is_full,
                since=None if is_full else connection.changed_since,
            )
    except IntegrityError as error:
        raise ValidationError("A sync of this connection is running already.", code="sync_running") from error


def queue_run(run: SyncRun) -> None:
    """Let a worker execute it, once this transaction is committed."""
    transaction.on_commit(lambda: run_wanted.send(SyncRun, run=run), robust=True)


def bury_dead_runs(connection: Connection) -> None:
    """Runs that have not been heard of become failed; the next one reads again what they should have."""
    silent = connection.runs.under_way().filter(heard_at__lt=timezone.now() - SILENT_AFTER)
    now = timezone.now()
    silent.update(status=Status.FAILED, error="The worker stopped in the middle.", error_code="died", finished_at=now)


def claim_run(run: SyncRun) -> bool:
    """Whether this process may execute the run: it waits, and nobody else was faster."""
    now = timezone.now()
    waiting = SyncRun.objects.filter(pk=run.pk, status=Status.QUEUED)
    claimed = waiting.update(status=Status.RUNNING, heard_at=now, started_at=run.started_at or now) == 1
    run.refresh_from_db()
    return claimed


def hear_of(run: SyncRun) -> None:
    """The run lives. Raises RunLost when it was declared dead meanwhile."""
    mine = SyncRun.objects.filter(pk=run.pk, status=Status.RUNNING)
    if not mine.update(heard_at=timezone.now()):
        raise RunLost


def hold_run(run: SyncRun) -> None:
    """Keep the run from being declared dead until this transaction ends. Raises RunLost."""
    held = SyncRun.objects.select_for_update().filter(pk=run.pk, status=Status.RUNNING)
    if not held.exists():
        raise RunLost


def pause_run(run: SyncRun) -> None:
    """It goes on later, from where it is."""
    SyncRun.objects.filter(pk=run.pk, status=Status.RUNNING).update(status=Status.QUEUED, heard_at=timezone.now())
    run.refresh_from_db()


def finish_run(run: SyncRun, *, began_at: datetime) -> SyncRun:
    """It has read and written all; the next one reads what changed since it began. Raises RunLost."""
    now = timezone.now()
    with transaction.atomic():
        hold_run(run)
        SyncRun.objects.filter(pk=run.pk).update(status=Status.DONE, finished_at=now, heard_at=now)
        if run.strategy != Strategy.PREVIEW:
            read: dict[str, Any] = {"changed_since": began_at, "last_synced_at": now}
            if run.is_full:
                read["read_in_full_at"] = now
            Connection.objects.filter(pk=run.connection_id).update(**read, last_error="", reconnect_required=False)
    run.refresh_from_db()
    return run


def fail_run(
    run: SyncRun, message: str, *, code: str, needs_reconnect: bool = False, retry_after: float | None = None
) -> SyncRun:
    """It ends here; what it has written stays, and the next one reads from where the last whole one began."""
    now = timezone.now()
    failed: dict[str, Any] = {"status": Status.FAILED, "error": message[:500], "error_code": code, "finished_at": now}
    failed["retry_after"] = None if retry_after is None else math.ceil(retry_after)
    with transaction.atomic():
        if SyncRun.objects.under_way().filter(pk=run.pk).update(**failed) and not needs_reconnect:
            tell_failed(run, message)
        Connection.objects.filter(pk=run.connection_id).update(last_error=message[:500])
        if needs_reconnect:
            require_reconnect(run.connection, message)
    run.refresh_from_db()
    return run


def purge_outcomes() -> int:
    """Drop outcomes of runs older than 30 days; the runs keep their counts."""
    old = SyncOutcome.objects.filter(run__finished_at__lt=timezone.now() - OUTCOMES_KEPT_FOR)
    return old.delete()[0]
