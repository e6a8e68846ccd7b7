"""Login and logout, who may call what, and the edge of idempotency."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from knox.models import get_token_model
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from crm import services
from crm.api.serializers import LoginSerializer, TokenSerializer

KEY_HEADER = "Idempotency-Key"
REPLAYED = {"Idempotent-Replay": "true"}


def check_key(key: str) -> None:
    """Raises ValidationError `idempotency_key_invalid` unless it is 1 to 255 printable characters."""
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        message = f"{KEY_HEADER} must be 1 to 255 printable characters."
        raise ValidationError(message, code="idempotency_key_invalid")


def fingerprint(data: Any) -> str:
    """Equal bodies have equal fingerprints, whatever the order of their fields."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def answer_once(request: Request, scope: str, effect: Callable[[], services.Answer]) -> Response:
    """Run the effect, under the request's Idempotency-Key if it has one."""
    return answer_under(request.headers.get(KEY_HEADER), scope, fingerprint(request.data), effect)


def answer_under(key: str | None, scope: str, mark: str, effect: Callable[[], services.Answer]) -> Response:
    """Run the effect, once for the key if there is one; `mark` tells whether it comes with the same wish again."""
    if key is None:
        status, body = effect()
        return Response(body, status=status)
    check_key(key)

    def in_writing() -> services.Answer:
        status, body = effect()
        # A column of JSON would forget the order of the fields.
        return status, JSONRenderer().render(body).decode()

    (status, text), replayed = services.remember_answer(scope, key, mark, in_writing)
    return Response(json.loads(text), status=status, headers=REPLAYED if replayed else {})


def address_of(request: HttpRequest) -> str:
    """Where a request comes from, as the throttles see it: behind TRUSTED_PROXY_COUNT proxies, else who connected."""
    # DRF's method reads nothing but request.META.
    return str(BaseThrottle().get_ident(request))  # type: ignore[arg-type]


class IsCron(BasePermission):
    """`Authorization: Bearer $CRON_SECRET`, compared in constant time; without a secret nobody passes."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises NotAuthenticated (401) for a wrong secret."""
        if not services.is_cron_secret(request.META.get("HTTP_AUTHORIZATION", "")):
            raise NotAuthenticated("The secret is missing or wrong.")
        return True


class IsStaffWith(BasePermission):
    """Staff with one of the models' permissions."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    def has_permission(self, request: Request, view: APIView) -> bool:
        """401 for nobody, 403 for whoever lacks the permission."""
        if not request.user.is_authenticated:
            raise NotAuthenticated
        return bool(request.user.is_staff and request.user.has_perm(self.permission))


class IsCronOrStaff(IsStaffWith):
    """Either of them."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """401 for nobody, 403 for whoever lacks the permission."""
        return services.is_cron_secret(request.META.get("HTTP_AUTHORIZATION", "")) or super().has_permission(
            request, view
        )


class LoginView(APIView):
    """Exchange an address and a password for a token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=LoginSerializer, responses=TokenSerializer, operation_id="login")
    def post(self, request: Request) -> Response:
        """401 `invalid_credentials`; 429 `locked` after 20 failures in 15 minutes from whatever address.

        Staff send the code of their authenticator app as `otp`, too: without it 401 `otp_required`; after wrong ones
        429 `throttled`, longer each time.
        """
        form = LoginSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        # The bare request is where django-axes leaves its mark for the middleware that answers 429.
        bare: HttpRequest = request._request
        user = services.check_login(bare, **form.validated_data)
        instance, token = get_token_model().objects.create(user=user)
        return Response(TokenSerializer({"token": token, "expiry": instance.expiry}).data)


class LogoutView(APIView):
    """End the token that was sent, or the session."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(request=None, responses={204: None}, operation_id="logout")
    def post(self, request: Request) -> Response:
        """204; the token is worth nothing from now on."""
        if request.auth is not None:
            request.auth.delete()
        else:
            request._request.session.flush()
        return Response(status=204)
