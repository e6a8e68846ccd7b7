"""For the clock."""

import time
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import services
from crm.api.serializers.runs import CronSerializer
from crm.api.views.access import IsCron
from crm.models import Connection, SyncRun

Status = SyncRun.Status
CRON_SECONDS = 50.0


class SyncAllView(APIView):
    """Sync every connection."""

    permission_classes = (IsCron,)

    @extend_schema(responses=CronSerializer, operation_id="sync_all_crms")
    def get(self, request: Request) -> Response:
        """For an outside clock, with `Authorization: Bearer $CRON_SECRET`. The connection that waits longest comes
        first; after 50 s a worker goes on with the rest. No failure stops the others."""
        return Response(CronSerializer(sync_in_turn(CRON_SECONDS)).data)


def sync_in_turn(seconds: float) -> dict[str, Any]:
    """Run each connection, and leave what is not done after so many seconds to a worker: what became of them."""
    deadline = time.monotonic() + seconds
    runs = [_synced(connection, deadline) for connection in services.in_turn()]
    ended = [run for run in runs if run is not None and run.status in (Status.DONE, Status.FAILED)]
    synced = sum(run.status == Status.DONE for run in ended)
    return {
        "success": True,
        "synced": synced,
        "failed": len(ended) - synced,
        "queued": len(runs) - len(ended),
        "total": len(runs),
        "results": [_told(run) for run in ended],
    }


def _synced(connection: Connection, deadline: float) -> SyncRun | None:
    """The run, to its end or left to a worker; None where one is under way already."""
    try:
        run = services.start_run(connection, trigger=SyncRun.Trigger.CRON)
    except ValidationError:
        return None
    left = deadline - time.monotonic()
    if left > 0:
        return services.execute_run(run, seconds=left)
    services.queue_run(run)
    return run


def _told(run: SyncRun) -> dict[str, Any]:
    """What became of it."""
    success = run.status == Status.DONE
    told: dict[str, Any] = {"results": run.results} if success else {"error": run.error}
    connection = run.connection
    return {"business": connection.business_id, "provider": connection.provider, "success": success, **told}
