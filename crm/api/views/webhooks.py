"""What Nango tells by itself."""

import json

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import services
from crm.api.serializers.connections import DoneSerializer

SIGNATURE = "X-Nango-Hmac-Sha256"


class SignedByNango(BaseAuthentication):
    """The sender's signature over the body's bytes stands for a login."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, None]:
        """Raises AuthenticationFailed."""
        # The bytes as they came: written anew, the same JSON would have another signature.
        if not services.is_signed(request._request.body, request.headers.get(SIGNATURE, "")):
            raise AuthenticationFailed("The signature is missing or wrong.")
        return AnonymousUser(), None

    def authenticate_header(self, request: Request) -> str:
        """So that a refusal is a 401."""
        return SIGNATURE


class SignedByNangoScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the description calls it."""

    target_class = SignedByNango
    name = "nango"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """As OpenAPI writes it."""
        return {"type": "apiKey", "in": "header", "name": SIGNATURE}


class NangoWebhookView(APIView):
    """What Nango tells by itself."""

    authentication_classes = (SignedByNango,)
    permission_classes = ()

    @extend_schema(request=OpenApiTypes.OBJECT, responses=DoneSerializer, operation_id="nango_webhook")
    def post(self, request: Request) -> Response:
        """A connection came, was renewed or broke; a CRM has news. The same event may come again and late: it does no
        more. Events of an unknown kind are left alone."""
        try:
            event = json.loads(request._request.body)
        except (ValueError, RecursionError) as error:
            raise AuthenticationFailed("The body is not valid JSON.") from error
        # What Nango cannot match with a connection comes as the CRM sent it, and that may be a list.
        if isinstance(event, dict):
            services.receive(event)
        return Response(DoneSerializer({}).data)
