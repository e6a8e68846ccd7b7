"""What a business is told of its CRM: once when something breaks, not again each hour while it stays so."""

from django.utils import timezone

from crm.models import Connection, SyncRun
from notifications.services import notify


def require_reconnect(connection: Connection, message: str) -> None:
    """The CRM wants the person to sign in again."""
    rows = Connection.objects.filter(pk=connection.pk)
    was_fine = rows.filter(reconnect_required=False).update(reconnect_required=True)
    rows.update(last_error=message[:500])
    if not was_fine:
        return
    provider = connection.get_provider_display()
    notify(
        "crm_reconnect_required",
        title=f"{provider} has to be connected again",
        message=f"{message} Until then no leads are synced.",
        # It may break again, and only who broke it first comes here.
        dedupe_key=f"crm_reconnect_required:{connection.pk}:{timezone.now().isoformat()}",
        business=connection.business_id,
        data={"connection": str(connection.pk), "provider": connection.provider},
    )


def tell_failed(run: SyncRun, message: str) -> None:
    """The first run that fails after one that did not."""
    connection = run.connection
    before = connection.runs.exclude(pk=run.pk).filter(created_at__lt=run.created_at).order_by("-created_at").first()
    if before is not None and before.status == SyncRun.Status.FAILED:
        return
    notify(
        "sync_failed",
        title=f"The sync with {connection.get_provider_display()} failed",
        message=f"{message} It is tried again every hour.",
        dedupe_key=f"sync_failed:{run.pk}",
        business=connection.business_id,
        data={"run": str(run.pk), "provider": connection.provider},
    )
