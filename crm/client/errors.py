"""What can go wrong with Nango and with the CRMs behind it: one error, and the one table that makes it."""

from typing import Any

from django.conf import settings

from crm.providers import Refused
from crm.providers.contract import first_of, joined, nested, text

LONGEST_PAUSE_SECONDS = 3600.0
# Nango takes no refresh of a token again within this time.
REFRESH_PAUSE_SECONDS = 30.0
KEY_REFUSED = {
    "missing_auth_header",
    "malformed_auth_header",
    "invalid_secret_key_format",
    "unknown_account",
    "forbidden",
}
RECONNECT = {"invalid_credentials", "refresh_refused", "refresh_exhausted", "crm_unauthorized"}
GONE = {"unknown_connection", "not_found"}
THROTTLED = {"too_many_request", "crm_throttled"}
# What Nango itself may say on its proxy, and whether that is for good; whatever else comes there is the CRM's own.
FOR_GOOD = {
    **dict.fromkeys(KEY_REFUSED, False),
    "too_many_request": False,
    "connection_refresh_backoff": False,
    "refresh_refused": False,
    "invalid_credentials": False,
    "failed_to_get_connection": False,
    "refresh_exhausted": True,
    "unknown_connection": True,
    "unknown_provider_config": True,
    "plan_limit": True,
    "invalid_headers": True,
    "base_url_override_not_allowed": True,
}


class NangoError(Refused):
    """A request that Nango, or a CRM behind it, did not answer as asked.

    `permanent`: repeating it cannot help. `retry_after`: seconds to wait first. `status`: what came back, None when
    nothing did. `code`: Nango's word for it where it has a clear one, else one of ours. `body`: a CRM's own words.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool,
        retry_after: float | None = None,
        status: int | None = None,
        code: str = "",
        body: Any = None,
    ) -> None:
        super().__init__(message[:500])
        self.permanent = permanent
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.body = body

    @property
    def is_unauthorized(self) -> bool:
        """Our key was refused, or may not do this: no connection will work."""
        return self.code in KEY_REFUSED

    @property
    def needs_reconnect(self) -> bool:
        """The person must sign in to the CRM again. While not `permanent`, this is certain only when it repeats."""
        return self.code in RECONNECT

    @property
    def is_gone(self) -> bool:
        """Nango has no such connection, or none any more."""
        return self.code in GONE

    @property
    def is_throttled(self) -> bool:
        """Too many requests: of all our connections (`too_many_request`), or of this CRM account (`crm_throttled`)."""
        return self.code in THROTTLED

    @property
    def api_code(self) -> str:
        """What our own API says of it."""
        if self.code == "timeout" or self.status in (408, 504):
            return "upstream_timeout"
        return "upstream_busy" if self.is_throttled or self.retry_after is not None else "upstream_error"


def refusal(status: int, body: Any, *, wait: str, by_proxy: bool) -> NangoError:
    """The one error table. `wait` is the Retry-After header.

    On the proxy only the codes of FOR_GOOD are Nango's: a CRM may answer with any status.
    """
    code = _own_code(status, body)
    if by_proxy and code not in FOR_GOOD:
        return _crm_refusal(status, body, wait)
    if code not in FOR_GOOD:
        code = {401: "forbidden", 403: "forbidden", 429: "too_many_request"}.get(status, code)
    retry_after = REFRESH_PAUSE_SECONDS if code == "connection_refresh_backoff" else _retry_after(status, wait)
    permanent = FOR_GOOD.get(code, 400 <= status < 500)
    message = _message("Nango", status, code, body)
    return NangoError(message, permanent=permanent, retry_after=retry_after, status=status, code=code)


def _own_code(status: int, body: Any) -> str:
    """Nango's code. `server_error` stands for several things, which only the message tells apart."""
    error = nested(nested(body).get("error"))
    code, message = text(error.get("code")), text(error.get("message"))
    if code != "server_error":
        return code
    if message.startswith("Failed to get connection credentials"):
        return "refresh_exhausted" if status == 424 else "refresh_refused"
    return "unknown_connection" if message.startswith("Failed to get connection") else code


def _crm_refusal(status: int, body: Any, wait: str) -> NangoError:
    """What a CRM answered. A daily limit of Salesforce is a 403."""
    message = _message("The CRM", status, "", body)
    if status == 429 or "REQUEST_LIMIT_EXCEEDED" in message:
        code, permanent = "crm_throttled", False
    else:
        code, permanent = "crm_unauthorized" if status == 401 else "", 400 <= status < 500 and status != 408
    retry_after = _retry_after(status, wait)
    return NangoError(message, permanent=permanent, retry_after=retry_after, status=status, code=code, body=body)


def _message(who: str, status: int, code: str, body: Any) -> str:
    """In a line: who, what, and their own words, wherever they put them. Our key is in none."""
    first = body[0] if isinstance(body, list) and body else body
    inner = nested(first).get("error")
    told = nested(inner) or nested(first)
    said = told.get("message")
    words = joined(*said) if isinstance(said, list) else first_of(said, inner)
    line = joined(f"{who} answered {status}.", code or told.get("code"), told.get("errorCode"), words)
    return line.replace(settings.NANGO_SECRET_KEY, "…") if settings.NANGO_SECRET_KEY else line


def _retry_after(status: int, wait: str) -> float | None:
    """Seconds; only where waiting is what is asked for."""
    if status not in (429, 503) or not wait.isascii() or not wait.isdigit():
        return None
    return min(float(wait), LONGEST_PAUSE_SECONDS)
