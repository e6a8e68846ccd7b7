"""Every failure of the API in one shape: a broken rule becomes a status by its code."""

import math
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from crm.client import NangoError

STATUS_BY_CODE = {
    **dict.fromkeys(("reason_required", "below_minimum", "not_a_multiple", "over_order_limit", "limit_exceeded"), 400),
    **dict.fromkeys(("idempotency_key_invalid", "bad_request"), 400),
    **dict.fromkeys(("invalid_credentials", "otp_required"), 401),
    **dict.fromkeys(("nominations_closed", "voting_closed", "csrf_failed", "permission_denied"), 403),
    **dict.fromkeys(("not_live", "no_season", "not_found"), 404),
    **dict.fromkeys(("already_nominated", "already_voted", "already_decided", "duplicate_email"), 409),
    **dict.fromkeys(("insufficient_points", "not_enrolled", "already_enrolled", "already_reversed", "expired"), 409),
    **dict.fromkeys(("already_answered", "not_connected", "reconnect_required", "sync_running", "empty_fetch"), 409),
    **dict.fromkeys(("reference_conflict", "program_inactive", "hold_closed", "identify_only", "not_a_question"), 409),
    **dict.fromkeys(("enrollment_pending", "declined_recently"), 409),
    "gone": 410,
    "too_large": 413,
    "idempotency_key_reused": 422,
    "throttled": 429,
    "upstream_error": 502,
    "upstream_busy": 503,
    "upstream_timeout": 504,
}
# What a foreign system says in its own words stays with us: it may hold more than the caller should see.
FOREIGN = {
    "reconnect_required": "The CRM wants its user to sign in again: connect it anew.",
    "upstream_error": "Nango, or the CRM behind it, did not answer as asked.",
    "upstream_busy": "Nango, or the CRM behind it, asks to wait. Try again later.",
    "upstream_timeout": "Nango, or the CRM behind it, did not answer in time. Try again later.",
}
RETRY_AFTER_SECONDS = 60
CODE_BY_STATUS = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    410: "gone",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
}


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler. Returns None only for a bug, which rises as one."""
    set_rollback()
    if isinstance(error, DjangoValidationError):
        return _broken_rule(error)
    if isinstance(error, Http404):
        return coded(404, str(error) if error.args and isinstance(error.args[0], str) else "Not found.", "not_found")
    if isinstance(error, DjangoPermissionDenied):
        return coded(403, str(error) or "You do not have permission to do this.", "permission_denied")
    if isinstance(error, RequestDataTooBig):
        return coded(413, "The body is larger than 1 MB.", "too_large")
    if isinstance(error, NangoError):
        return _foreign(error)
    if isinstance(error, exceptions.ValidationError):
        body = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        return Response(body, status=400)
    return _api_exception(error) if isinstance(error, exceptions.APIException) else None


def _broken_rule(error: DjangoValidationError) -> Response:
    if hasattr(error, "error_dict"):
        fields = error.message_dict
        if NON_FIELD_ERRORS in fields:
            fields["non_field_errors"] = fields.pop(NON_FIELD_ERRORS)
        return Response(fields, status=400)
    code = getattr(error, "code", None)
    if code in STATUS_BY_CODE:
        response = coded(STATUS_BY_CODE[code], error.messages[0], code)
        if code == "throttled":
            response["Retry-After"] = str(max(1, math.ceil((error.params or {}).get("wait", RETRY_AFTER_SECONDS))))
        return response
    return Response({"non_field_errors": error.messages}, status=400)


def _foreign(error: NangoError) -> Response:
    code = "reconnect_required" if error.needs_reconnect else error.api_code
    response = coded(STATUS_BY_CODE[code], FOREIGN[code], code)
    if code == "upstream_busy":
        wait = RETRY_AFTER_SECONDS if error.retry_after is None else error.retry_after
        response["Retry-After"] = str(max(1, math.ceil(wait)))
    return response


def _api_exception(error: exceptions.APIException) -> Response:
    status = error.status_code
    own = getattr(error.detail, "code", None)
    code = own if own in STATUS_BY_CODE else CODE_BY_STATUS.get(status, "error")
    response = coded(status, str(error.detail), str(code))
    wait = getattr(error, "wait", None)
    if wait is not None:
        response["Retry-After"] = str(max(1, math.ceil(wait)))
    challenge = getattr(error, "auth_header", None)
    if challenge:
        response["WWW-Authenticate"] = challenge
    return response


def coded(status: int, detail: str, code: str) -> Response:
    """An error that is not about one field."""
    return Response({"detail": detail, "code": code}, status=status)


def _page_or_json(request: HttpRequest, status: int, title: str, detail: str, code: str) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": detail, "code": code}, status=status)
    return render(request, "error.html", {"title": title, "detail": detail}, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400 outside a view of the API."""
    if isinstance(exception, RequestDataTooBig):
        return _page_or_json(request, 413, "Too large", "The body is larger than 1 MB.", "too_large")
    return _page_or_json(request, 400, "Bad request", "The request could not be understood.", "bad_request")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403 outside a view of the API."""
    return _page_or_json(request, 403, "Not allowed", "You may not open this page.", "permission_denied")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form's token was missing or old."""
    detail = "This form was opened too long ago, or in another browser. Go back, reload the page and send it again."
    return _page_or_json(request, 403, "Form expired", detail, "csrf_failed")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404 for a path that no route has."""
    return _page_or_json(request, 404, "Page not found", "Not found.", "not_found")


@csrf_exempt
def missing_route(request: HttpRequest) -> JsonResponse:
    """404 in the API's shape, also while DEBUG is on."""
    return JsonResponse({"detail": "Not found.", "code": "not_found"}, status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a bug, told as one."""
    detail = "Something broke on our side. It has been written down."
    if request.path_info.startswith("/api/"):
        return JsonResponse({"detail": detail, "code": "server_error"}, status=500)
    return render(None, "error.html", {"title": "Server error", "detail": detail}, status=500)


def locked_out(request: HttpRequest, credentials: dict[str, Any] | None = None, *args: Any) -> HttpResponse:
    """What a locked account gets, from whatever address: 429 until the quarter of an hour is over."""
    detail = "Too many failed logins for this account. Try again in 15 minutes."
    response = _page_or_json(request, 429, "Account locked", detail, "locked")
    response["Retry-After"] = "900"
    return response
