"""How the API reads, authenticates, pages and throttles: named in settings, imported by nobody."""

import json
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from knox.auth import TokenAuthentication
from rest_framework import exceptions
from rest_framework.authentication import SessionAuthentication
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.middleware import is_storable
from crm import services

if TYPE_CHECKING:  # DRF's views import these classes while they load
    from rest_framework.views import APIView

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 50


class TooLarge(exceptions.APIException):
    """A body over 1 MB."""

    status_code = 413
    default_detail = "The body is larger than 1 MB."
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """JSON objects that both databases can store; anything else is a 400 or a 413, never a 500."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Read at most 1 MB. Raises ParseError, or TooLarge."""
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge
        try:
            data = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError("The body is not valid JSON in UTF-8.") from error
        if not isinstance(data, dict):
            raise exceptions.ValidationError({"non_field_errors": ["A JSON object is expected."]})
        _check_storable(data, 0)
        return data


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _check_storable(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise exceptions.ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, str) and not is_storable(value):
        raise exceptions.ParseError("The body contains a NUL or half a character.")
    if isinstance(value, dict):
        for name, item in value.items():
            _check_storable(name, depth)
            _check_storable(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_storable(item, depth + 1)


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]
    """`Authorization: Bearer <token>` from the login; another scheme is not ours to judge."""

    def authenticate(self, request: Request) -> Any:
        """Raises AuthenticationFailed for a token that is malformed, unknown or expired."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if services.is_cron_secret(header):
            return None
        if not header.isascii():
            raise exceptions.AuthenticationFailed("The token is malformed.")
        return super().authenticate(request)


class StrictSessionAuthentication(SessionAuthentication):
    """A browser's session, with the CSRF check's failure told apart from a lack of rights."""

    def enforce_csrf(self, request: Request) -> None:
        """Raises PermissionDenied with the code `csrf_failed`."""
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise exceptions.PermissionDenied(str(error.detail), code="csrf_failed") from error


class Pages(PageNumberPagination):
    """`page` and `page_size`: 25 unless asked, 100 at most; a page past the end is a 404."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100


class GateThrottle(BaseThrottle):
    """Holds a view's `throttle_scope` to its rate per address, over all processes, by one row in the database.

    A view's `relieve` may let somebody known through where the address has no turn left.
    """

    wait_seconds = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Only requests that would do something are counted."""
        scope = getattr(view, "throttle_scope", None)
        if scope is None or request.method in ("GET", "HEAD", "OPTIONS"):
            return True
        address = str(self.get_ident(request))
        self.wait_seconds = services.take_turn(f"{scope}:{address}", settings.THROTTLE_RATES.get(scope, ""))
        relieve = getattr(view, "relieve", None)
        if self.wait_seconds and relieve is not None:
            self.wait_seconds = relieve(request, address, self.wait_seconds)
        return self.wait_seconds == 0

    def wait(self) -> float:
        """Seconds until the next request would pass."""
        return self.wait_seconds
