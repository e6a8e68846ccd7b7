"""Connecting a business with its CRM, and parting them."""

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from crm import services
from crm.api.serializers import connections as shapes
from crm.api.views.tenants import CHOSEN, BusinessView
from crm.models import Membership
from crm.selectors import status_of

VIEW, SYNC = "crm.view_connection", "crm.sync_connection"
UPSTREAM = {
    502: OpenApiResponse(description="`upstream_error`: Nango, or the CRM behind it, did not answer as asked."),
    503: OpenApiResponse(description="`upstream_busy`: it asks to wait; `Retry-After` tells the seconds."),
    504: OpenApiResponse(description="`upstream_timeout`: it did not answer in time."),
}


class SessionTokenView(BusinessView):
    """Begin to connect a CRM."""

    @extend_schema(
        request=shapes.SessionInSerializer,
        responses={200: shapes.SessionSerializer, **UPSTREAM},
        operation_id="start_connecting",
    )
    def post(self, request: Request) -> Response:
        """A session at Nango for half an hour, in which a person signs in to the CRM. What is connected in it belongs
        to the business."""
        sent = self.read(shapes.SessionInSerializer)
        business = self.business(SYNC, sent.get("business"))
        session = services.create_session(business, by=self.user, provider=sent.get("provider", ""))
        return Response(shapes.SessionSerializer(session).data)


class ConnectView(BusinessView):
    """Take over a CRM that was connected."""

    @extend_schema(
        request=shapes.ConnectSerializer,
        responses={200: shapes.ConnectedSerializer, **UPSTREAM},
        operation_id="connect_crm",
    )
    def post(self, request: Request) -> Response:
        """By a manager or an owner. An older connection is switched off, and the first sync begins in the background.
        404 unless Nango says that it was connected for this business; 409 `reconnect_required`."""
        sent = self.read(shapes.ConnectSerializer)
        business = self.business(SYNC, sent.get("business"), role=Membership.Role.MANAGER)
        info = services.look_up(sent["connection_id"], sent["provider_config_key"])
        connection = services.connect(business, info, by=self.user)
        return Response(shapes.ConnectedSerializer(connection).data)


class StatusView(BusinessView):
    """The line to the CRM."""

    @extend_schema(parameters=[CHOSEN], responses=shapes.StatusSerializer, operation_id="crm_status")
    def get(self, request: Request) -> Response:
        """Asks nobody else. `reconnectRequired`: a person must sign in to the CRM again."""
        return Response(shapes.StatusSerializer(status_of(self.business(VIEW))).data)


class DisconnectView(BusinessView):
    """Part from the CRM."""

    @extend_schema(request=shapes.BusinessSerializer, responses=shapes.DoneSerializer, operation_id="disconnect_crm")
    def post(self, request: Request) -> Response:
        """By a manager or an owner, at once; Nango forgets the connection soon after, and leads stay.
        409 `not_connected`."""
        sent = self.read(shapes.BusinessSerializer)
        services.disconnect(self.business(SYNC, sent.get("business"), role=Membership.Role.MANAGER))
        return Response(shapes.DoneSerializer({}).data)
