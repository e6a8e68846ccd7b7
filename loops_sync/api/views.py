"""The run endpoint, for an outside clock and for whoever watches; and where Loops tells us something by itself."""

import json
from dataclasses import asdict

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ParseError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.serializers.connections import DoneSerializer
from crm.api.views import IsCron, IsCronOrStaff
from loops_sync import selectors, services
from loops_sync.api.serializers import RelayStatusSerializer, RunSerializer, TallySerializer
from loops_sync.models import OutboxEntry

RUN_SECONDS = 60.0
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


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
        services.deliver_mails(seconds=RUN_SECONDS / 2)
        tally = services.drain(limit=form.validated_data["limit"], seconds=RUN_SECONDS / 2)
        remaining = OutboxEntry.objects.open().count()
        return Response(TallySerializer({**asdict(tally), "remaining": remaining}).data)

    @extend_schema(responses=RelayStatusSerializer, operation_id="loops_sync_status")
    def get(self, request: Request) -> Response:
        """What the workers saw last; asks nobody."""
        return Response(RelayStatusSerializer(selectors.relay_status()).data)


class SignedByLoops(BaseAuthentication):
    """The sender's signature over id, time and the body's bytes stands for a login."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, None]:
        """Raises AuthenticationFailed."""
        names = {"webhook_id": ID, "timestamp": TIMESTAMP, "signature": SIGNATURE}
        given = {name: request.headers.get(header, "") for name, header in names.items()}
        # The bytes as they came: written anew, the same JSON would have another signature.
        if not services.is_from_loops(request._request.body, **given):
            raise AuthenticationFailed("The signature is missing, wrong or old.")
        return AnonymousUser(), None

    def authenticate_header(self, request: Request) -> str:
        """So that a refusal is a 401."""
        return SIGNATURE


class SignedByLoopsScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the description calls it."""

    target_class = SignedByLoops
    name = "loops"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """As OpenAPI writes it."""
        return {"type": "apiKey", "in": "header", "name": SIGNATURE}


class LoopsWebhookView(APIView):
    """What Loops tells by itself."""

    authentication_classes = (SignedByLoops,)
    permission_classes = ()

    @extend_schema(
        request=OpenApiTypes.OBJECT,
        responses=DoneSerializer,
        operation_id="loops_webhook",
        parameters=[OpenApiParameter(name, str, OpenApiParameter.HEADER, required=True) for name in (ID, TIMESTAMP)],
    )
    def post(self, request: Request) -> Response:
        """A contact was unsubscribed, resubscribed or deleted, or their mail bounced. The same `webhook-id` counts
        once, and events may come late and in any order. Events of an unknown kind are left alone."""
        try:
            event = json.loads(request._request.body)
        except (ValueError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.") from error
        if isinstance(event, dict):
            services.receive_event(event, webhook_id=request.headers[ID], timestamp=request.headers[TIMESTAMP])
        return Response(DoneSerializer({}).data)
