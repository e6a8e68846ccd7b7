"""What goes wrong on purpose between Laurel, Nango and a CRM, switched at run time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from config.sandbox.faults import OWN_OPTIONS, RULES, Fault, is_count
from config.sandbox.nango_values import NangoRefusal
from config.sandbox.wire import Response

KINDS = {
    "rate_limited": "429 of Nango, to every call",
    "server_error": "500 of Nango, or a load balancer's HTML page",
    "slow": "The answer comes late",
    "hang": "No answer until this is switched off (at most 120 s)",
    "reset": "The connection is reset",
    "unauthorized": "401: Nango knows no such key",
    "forbidden": "403: the key lacks a scope",
    "plan_limit": "402: the plan of Nango is used up",
    "connection_missing": "400: Nango has no such connection",
    "refresh_backoff": "424: the token could not be refreshed just now",
    "refresh_exhausted": "424: the token can no longer be refreshed",
    "refresh_refused": "400: the CRM refused to refresh the token",
    "crm_rate_limited": "The CRM's own 429 (Salesforce: 403)",
    "crm_error": "The CRM's own 500, or an HTML page",
    "crm_unauthorized": "The CRM's own 401",
    "crm_forbidden": "The CRM's own refusal for a missing scope",
    "crm_garbled": "200 with half of a JSON body",
}
# Those that only a call through the proxy meets; `refresh_…` also whoever asks for the connection.
PROXY_ONLY = {"plan_limit", "connection_missing", *(kind for kind in KINDS if kind.startswith("crm_"))}
REFRESHES = {"refresh_backoff", "refresh_exhausted", "refresh_refused"}
# After these Nango shows the connection as broken, until the person signs in again.
LASTING = {"refresh_exhausted", "refresh_refused"}
REFRESH_WORDS = {
    "refresh_backoff": "The connection could not be refreshed recently and is in a backoff period",
    "refresh_exhausted": "The refresh limit has been reached for this connection.",
    "refresh_refused": "The external API returned an error when trying to refresh the access token. "
    "Please try again later.",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a fault looks at in one call: its path without the base, whose it is, and which page of a listing."""

    path: str
    connection: str = ""
    page: int | None = None

    @property
    def is_proxy(self) -> bool:
        """Whether it goes on to a CRM."""
        return self.path.startswith("/proxy/")

    @property
    def uses_token(self) -> bool:
        """Whether Nango refreshes the token for it."""
        return self.is_proxy or self.path.startswith("/connections/")


@dataclass(slots=True)
class NangoFault(Fault):
    """One kind of failure and when it strikes.

    `times`, `probability`, `retry_after`, `status`, `html` and `seconds` as for Loops. `match`: only calls whose path
    contains this. `connection`: only those of this connection. `page`: only the so many-th page of a list of people,
    counted from 1; asking for the same page again is the same page.
    """

    connection: str = ""
    page: int | None = None

    KINDS: ClassVar[Mapping[str, str]] = KINDS
    OWN_OPTIONS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **OWN_OPTIONS,
        "retry_after": ("rate_limited", "crm_rate_limited"),
        "status": ("server_error", "crm_error"),
        "html": ("server_error", "crm_error"),
    }
    RULES: ClassVar[Mapping[str, Callable[[Any], bool]]] = {
        **RULES,
        "connection": lambda value: isinstance(value, str),
        "page": is_count,
    }

    def concerns(self, target: Target) -> bool:
        """Whether it may strike this call."""
        if self.kind in PROXY_ONLY and not target.is_proxy or self.kind in REFRESHES and not target.uses_token:
            return False
        if self.connection not in ("", target.connection) or self.page not in (None, target.page):
            return False
        return self.match.lower() in target.path.lower()


def nango_refusal(fault: Fault, target: Target, method: str, connection: Mapping[str, Any] | None) -> Response | None:
    """The answer of Nango itself to a call that a fault struck; None when the CRM is to answer."""
    if fault.kind in REFRESHES:
        return _refresh_failure(fault.kind, target, connection)
    if fault.kind == "rate_limited":
        return _rate_limited(fault, target, method)
    if fault.kind in REFUSALS:
        status, code, message = REFUSALS[fault.kind]
        return NangoRefusal(status, code, message).response
    return None


def _refresh_failure(kind: str, target: Target, connection: Mapping[str, Any] | None) -> Response:
    """The proxy quotes the reason; whoever asks for the connection gets it with what is known of it."""
    status, words = 400 if kind == "refresh_refused" else 424, REFRESH_WORDS[kind]
    if not target.is_proxy:
        return NangoRefusal(status, "invalid_credentials", words, payload={"connection": connection}).response
    if kind == "refresh_backoff":
        return NangoRefusal(status, "connection_refresh_backoff", words).response
    return NangoRefusal(status, "server_error", f"Failed to get connection credentials: '{words}'").response


def _rate_limited(fault: Fault, target: Target, method: str) -> Response:
    """Nango says when to come back; one second unless told otherwise."""
    refusal = NangoRefusal(429, "too_many_request", method=method, path=target.path).response
    wait = "1" if fault.retry_after is None else str(fault.retry_after)
    refusal.headers.update({"Retry-After": wait, "X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "0"})
    return refusal


UNKNOWN_ACCOUNT = (
    401,
    "unknown_account",
    "Authentication failed. The provided authorization header does not match any account.",
)
REFUSALS = {
    "unauthorized": UNKNOWN_ACCOUNT,
    "forbidden": (403, "forbidden", "Insufficient scope. Required: environment:proxy"),
    "plan_limit": (402, "plan_limit", "Your plan limits have been reached. Please upgrade your plan."),
    "connection_missing": (400, "server_error", "Failed to get connection"),
}
