"""What every answer carries, what is written down of it, and what no request may contain."""

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject
from django.utils.http import parse_header_parameters
from structlog.contextvars import bind_contextvars, clear_contextvars

GetResponse = Callable[[HttpRequest], HttpResponseBase]
NO_STORE = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private",
    "Pragma": "no-cache",
    "Expires": "0",
}
PRIVATE_PATHS = (
    "/api/loyalty",
    "/api/customer",
    "/api/enrollments",
    "/api/qr",
    "/api/admin/customers",
    "/api/clients",
    "/api/crm",
    "/api/leads",
    "/api/threads",
    "/api/changes",
    "/cards",
    "/qr",
    "/notifications",
    "/login",
    "/logout",
    "/join",
    "/sign-in",
    "/business",
)


REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
logger = logging.getLogger("laurel.requests")


def request_id_of(header: str) -> str:
    """The caller's id if it is one and carries nothing personal, else a new one."""
    is_good = REQUEST_ID.fullmatch(header) and settings.REDACTOR.text(header) == header
    return header if is_good else uuid.uuid4().hex[:16]


def who(request: HttpRequest) -> dict[str, str]:
    """The role and a hash of the user, if anybody has looked for them: a log line costs no query."""
    user = request.__dict__.get("user")
    if user is None or isinstance(user, LazyObject):
        user = getattr(request, "_cached_user", None)
    if user is None or not user.is_authenticated:
        return {"role": "anonymous"}
    role = "superuser" if user.is_superuser else "staff" if user.is_staff else "user"
    return {"role": role, "user": settings.REDACTOR.hash(f"user {user.pk}")}


class RequestLogMiddleware:
    """One line a request, and an id by which its other lines, the caller's and the proxy's are found."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        clear_contextvars()
        given = request.headers.get("X-Request-ID")
        request_id = request_id_of(given or "")
        bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        # Nobody else gets it: answers about rows that are missing and rows of others are the same to the letter.
        if given is not None:
            response["X-Request-ID"] = request_id
        line = {
            "method": request.method,
            "path": request.path_info,
            "status": response.status_code,
            "ms": round((time.perf_counter() - started) * 1000),
            **who(request),
        }
        is_file = request.path_info.startswith(settings.STATIC_URL)
        logger.log(logging.DEBUG if is_file else logging.INFO, "request", extra=line)
        clear_contextvars()
        return response


def is_private(path: str) -> bool:
    """Whether answers under this path are about one person and must not be kept anywhere."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in PRIVATE_PATHS)


class SecurityHeadersMiddleware:
    """Sets the content security policy on every answer, and no-store on what is about one person."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policy = "; ".join(f"{name} {' '.join(values)}" for name, values in settings.SECURE_CSP.items())

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Content-Security-Policy"] = self.policy
        if is_private(request.path_info):
            for name, value in NO_STORE.items():
                response[name] = value
        return response


def is_storable(text: str) -> bool:
    """Whether both databases can store and compare the text: no NUL, no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def parameters_of(header: str) -> dict[str, str] | None:
    """A header's parameters, or None where they cannot be taken apart, which is an error wherever it is tried."""
    try:
        return dict(parse_header_parameters(header)[1])
    except (ValueError, LookupError):
        return None


class CleanTextMiddleware:
    """Answers 400 to an address or header that no database could hold, before any view turns it into a 500."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        pairs = [text for name, values in request.GET.lists() for text in (name, *values)]
        texts = [request.path_info, *pairs, *request.COOKIES.values(), *request.headers.values()]
        if all(map(is_storable, texts)) and parameters_of(request.headers.get("Accept", "")) is not None:
            return self.get_response(request)
        detail = "The address or a header contains characters that cannot be read or stored."
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": detail, "code": "bad_request"}, status=400)
        return HttpResponse(detail, status=400, content_type="text/plain")
