"""How a connection stands, and how far its runs are: what its pages show, also while they are watched."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from crm.admin.deciding import may
from crm.admin.words import RUN_COLOURS, Trouble, ago, asked_by, buckets_of, sentence_of, title_of, took, trouble_of
from crm.models import Connection, Lead, Membership, SyncOutcome, SyncRun
from notifications.admin import badge

HISTORY = 10
# A queued run that nobody takes by then: perhaps no worker runs.
LATE_AFTER = timedelta(seconds=15)
Bucket, Role = SyncOutcome.Bucket, Membership.Role
Status, Strategy = SyncRun.Status, SyncRun.Strategy


@dataclass(frozen=True)
class Part:
    """What became of some of the contacts, and where they are listed."""

    count: str
    label: str
    url: str


@dataclass(frozen=True)
class RunLine:
    """A run in words."""

    run: SyncRun
    title: str
    url: str
    asked_by: str
    state: SafeString
    took: str
    said: str
    fetched: str
    trouble: Trouble | None
    parts: list[Part]
    is_under_way: bool
    is_given_up: bool
    is_late: bool
    is_preview: bool


def page_of(site: AdminSite, request: HttpRequest, connection: Connection) -> dict[str, Any]:
    """What the connection's page shows. In a constant number of queries."""
    runs = list(connection.runs.select_related("by")[: HISTORY + 1])
    return {
        "connection": connection,
        "crm": connection.get_provider_display(),
        "state": state_badge(connection),
        "synced": ago(connection.last_synced_at),
        "lead_count": leads_of(connection),
        "may_sync": connection.is_active and may(request, connection.business_id, Role.CASHIER),
        "may_manage": may(request, connection.business_id, Role.MANAGER),
        "may_see_runs": site.get_model_admin(SyncRun).has_view_permission(request),
        "line": line_of(_shown(runs)) if runs else None,
        "history": [line_of(run) for run in runs[:HISTORY]],
        "has_more": len(runs) > HISTORY,
    }


def _shown(runs: list[SyncRun]) -> SyncRun:
    """The one under way, else the last that was to write: what a preview saw is on its own page."""
    written = (run for run in runs if run.strategy != Strategy.PREVIEW)
    return runs[0] if runs[0].finished_at is None else next(written, runs[0])


def leads_of(connection: Connection) -> int:
    """How many live leads come from this account of the CRM."""
    here = {"business": connection.business_id, "crm_source": connection.provider}
    return Lead.objects.live().filter(**here, crm_account_id=connection.crm_account_id, crm_id__isnull=False).count()


def state_badge(connection: Connection) -> SafeString:
    """Whether it works."""
    if not connection.is_active:
        return badge("closed", "Disconnected")
    return badge("failed", "Sign in again") if connection.reconnect_required else badge("live", "Connected")


def run_badge(run: SyncRun) -> SafeString:
    """How far it is, in its colour."""
    if run.is_silent:
        return badge("failed", "Given up")
    return badge(RUN_COLOURS[Status(run.status)], run.get_status_display())


def line_of(run: SyncRun) -> RunLine:
    """The run in words, each part leading to its contacts."""
    return RunLine(
        run,
        title_of(run),
        reverse("admin:crm_syncrun_change", args=[run.pk]),
        asked_by(run),
        run_badge(run),
        took(run),
        sentence_of(run),
        f"{run.fetched:,}",
        trouble_of(run),
        _parts(run),
        is_under_way=run.finished_at is None and not run.is_silent,
        is_given_up=run.is_silent,
        is_late=run.status == Status.QUEUED and run.heard_at < timezone.now() - LATE_AFTER,
        is_preview=run.strategy == Strategy.PREVIEW,
    )


def _parts(run: SyncRun) -> list[Part]:
    return [
        Part(f"{count:,}", label, outcomes_url(run, bucket, reason))
        for bucket, reason, count, label in buckets_of(run)
    ]


def outcomes_url(run: SyncRun, bucket: str = "", reason: str = "") -> str:
    """Where the contacts of a run are listed, of one bucket or reason."""
    wanted = {"run": run.pk, "bucket": str(bucket), "reason": str(reason)}
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{reverse('admin:crm_syncoutcome_changelist')}?{query}"
