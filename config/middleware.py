"""What every answer carries, and what no request may contain."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_header_parameters

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
