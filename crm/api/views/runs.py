"""Syncing, and what came of it."""

from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from crm import services
from crm.api.serializers import runs as shapes
from crm.api.views.connections import SYNC, UPSTREAM, VIEW
from crm.api.views.tenants import BusinessView
from crm.client import NangoError
from crm.models import Connection, Membership, SyncOutcome, SyncRun
from crm.selectors import active_connection, examples_of, outcomes_of

Status, Strategy = SyncRun.Status, SyncRun.Strategy
FOREGROUND_SECONDS = 10.0
OURS = ("empty_fetch", "limit_exceeded")
# The client's codes behind ours.
CLIENT_CODES = {"upstream_busy": "too_many_request", "upstream_timeout": "timeout"}
ORDERINGS = {"started_at", "-started_at", "finished_at", "-finished_at"}


class SyncView(BusinessView):
    """Sync leads with the CRM."""

    @extend_schema(
        request=shapes.SyncSerializer,
        responses={200: shapes.SyncedSerializer, 202: shapes.QueuedSerializer, **UPSTREAM},
        operation_id="sync_crm",
    )
    def post(self, request: Request) -> Response:
        """200 with the results, or 202 when it is left to a worker: in the background, or after 10 s. See the run.

        `append` adds and updates; `overwrite`, by a manager or an owner, also marks what the CRM no longer has as
        deleted; `preview` only looks. 409 `not_connected`, `reconnect_required`, `sync_running`, `empty_fetch`; 400
        `limit_exceeded` when more than half of the leads would go."""
        sent = self.read(shapes.SyncSerializer)
        role = Membership.Role.MANAGER if sent["strategy"] == Strategy.OVERWRITE else ""
        connection = active_connection(self.business(SYNC, sent.get("business"), role=role))
        if connection.reconnect_required:
            refuse_until_reconnected(connection)
        run = services.start_run(
            connection,
            strategy=sent["strategy"],
            of=sent.get("of", ""),
            by=self.user,
            is_confirmed=sent["confirm"],
        )
        if sent["background"]:
            services.queue_run(run)
        else:
            run = services.execute_run(run, seconds=FOREGROUND_SECONDS)
        return _answer(run)


def _answer(run: SyncRun) -> Response:
    """How the run stands. Raises what it failed of."""
    if run.status == Status.FAILED:
        refuse(run)
    body: dict[str, Any] = {"success": True, "run_id": run.pk}
    if run.status != Status.DONE:
        return Response(shapes.QueuedSerializer(body).data, status=202)
    body["results"] = run.results
    if run.strategy == Strategy.PREVIEW:
        body["contacts"] = examples_of(run)
    return Response(shapes.SyncedSerializer(body).data)


def refuse(run: SyncRun) -> NoReturn:
    """Raises what a run failed of."""
    connection = Connection.objects.get(pk=run.connection_id)
    if connection.reconnect_required:
        refuse_until_reconnected(connection)
    if run.error_code in OURS:
        raise ValidationError(run.error, code=run.error_code)
    code = CLIENT_CODES.get(run.error_code, "")
    raise NangoError(run.error, permanent=False, retry_after=run.retry_after, code=code)


def refuse_until_reconnected(connection: Connection) -> NoReturn:
    """Raises ValidationError `reconnect_required`: nothing else helps, and a call would only take its time."""
    crm = connection.get_provider_display()
    raise ValidationError(f"{crm} wants you to sign in again: connect it anew.", code="reconnect_required")


class RunsView(BusinessView, ListAPIView[SyncRun]):
    """What was synced."""

    queryset = SyncRun.objects.all()
    serializer_class = shapes.RunSerializer
    filter_backends = ()

    @extend_schema(parameters=[shapes.RunsQuerySerializer], operation_id="sync_runs")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first, also of earlier connections. Sorted by `started_at` or `finished_at`, with a minus
        downwards."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[SyncRun]:
        """Of the business, in order."""
        ordering = self.asked(shapes.RunsQuerySerializer).get("ordering", "")
        rows = SyncRun.objects.filter(connection__business=self.business(VIEW))
        return rows.order_by(ordering if ordering in ORDERINGS else "-created_at", "id")


class RunAccess(BusinessView):
    """About one run."""

    def run_named(self) -> SyncRun:
        """The one of the address. Raises Http404."""
        rows = SyncRun.objects.filter(connection__business__in=self.businesses(VIEW))
        return get_object_or_404(rows, pk=self.kwargs["id"])


class RunView(RunAccess):
    """One run."""

    @extend_schema(responses=shapes.RunSerializer, operation_id="sync_run")
    def get(self, request: Request, id: str) -> Response:
        """Ask again while it is queued or running."""
        return Response(shapes.RunSerializer(self.run_named()).data)


class OutcomesView(RunAccess, ListAPIView[SyncOutcome]):
    """What became of each contact."""

    queryset = SyncOutcome.objects.all()
    serializer_class = shapes.OutcomeSerializer
    filter_backends = ()

    @extend_schema(parameters=[shapes.OutcomesQuerySerializer], operation_id="sync_outcomes")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """In the order in which they were read. Kept for 30 days."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[SyncOutcome]:
        """Of the run, of one bucket if it is named."""
        return outcomes_of(self.run_named(), self.asked(shapes.OutcomesQuerySerializer).get("bucket", ""))
