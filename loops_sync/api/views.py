"""The run endpoint, for an outside clock and for whoever watches."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.views import IsCron, IsCronOrStaff
from loops_sync import selectors, services
from loops_sync.api.serializers import RelayStatusSerializer, RunSerializer, TallySerializer
from loops_sync.models import OutboxEntry

RUN_SECONDS = 60.0


class RunView(APIView):
    """Deliver what waits, or tell how it stands."""

    def get_permissions(self) -> list[BasePermission]:
        """Running is for the clock; staff with a view of the outbox may look."""
        return [IsCron()] if self.request.method == "POST" else [IsCronOrStaff("loops_sync.view_outboxentry")]

    @extend_schema(request=RunSerializer, responses=TallySerializer, operation_id="run_loops_sync")
    def post(self, request: Request) -> Response:
        """Restart a stopped line if Loops answers again, then deliver up to `limit` contacts."""
        form = RunSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.probe_if_due(now=True)
        tally = services.drain(limit=form.validated_data["limit"], seconds=RUN_SECONDS)
        remaining = OutboxEntry.objects.open().count()
        return Response(TallySerializer({**asdict(tally), "remaining": remaining}).data)

    @extend_schema(responses=RelayStatusSerializer, operation_id="loops_sync_status")
    def get(self, request: Request) -> Response:
        """What the workers saw last; asks nobody."""
        return Response(RelayStatusSerializer(selectors.relay_status()).data)
