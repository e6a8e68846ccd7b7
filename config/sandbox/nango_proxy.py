"""The proxy: finds the connection, hands the call on to its CRM, and gives back what comes (reference 1.4)."""

import re
from urllib.parse import unquote

from config.sandbox.crms.call import CrmCall
from config.sandbox.faults import GATEWAY_PAGE, Fault
from config.sandbox.nango_connections import Connection
from config.sandbox.nango_environment import ApiCall, Environment
from config.sandbox.nango_faults import Target
from config.sandbox.nango_values import CONNECTION_ID, KEY, NangoRefusal, invalid, issue, wrong_type
from config.sandbox.wire import Response

PROXY = "/proxy"
FORWARDED = "nango-proxy-"
# The own options of the proxy, and what they may be.
OPTIONS = {
    "retries": re.compile(r"\d{1,3}"),
    "retry-on": re.compile(r"\d+(,\d+)*"),
    "decompress": re.compile("true|false"),
    "forward-headers-on-redirect": re.compile("true|false"),
}
CRM_FAILURES = {
    "crm_rate_limited": "rate_limited",
    "crm_error": "error",
    "crm_unauthorized": "unauthorized",
    "crm_forbidden": "forbidden",
}


def aim(environment: Environment, call: ApiCall) -> tuple[Target, Connection | None]:
    """What faults look at, and the connection that a call names, by its headers or in its path."""
    if not call.path.startswith(f"{PROXY}/"):
        named = unquote(call.path.removeprefix("/connections/"))
        connection = environment.connections.get(named)
        return Target(call.path, named if connection else ""), connection
    connection = environment.connections.get(call.headers.get("connection-id", ""))
    if connection is None:
        return Target(call.path), None
    mark = connection.account.page_mark(crm_call(call))
    page = None if mark is None else connection.page_of(mark)
    return Target(call.path, connection.connection_id, page), connection


def crm_call(call: ApiCall) -> CrmCall:
    """What the CRM sees: of the headers only those that are meant for it."""
    headers = {n.removeprefix(FORWARDED): value for n, value in call.headers.items() if n.startswith(FORWARDED)}
    return CrmCall(call.method, unquote(call.path.removeprefix(PROXY)), call.query, headers, call.body)


def proxied(environment: Environment, call: ApiCall, fault: Fault | None) -> Response:
    """The answer of the CRM, or how it fails. Raises NangoRefusal when there is no way to it."""
    account = _connection(environment, call).account
    if fault and fault.kind in CRM_FAILURES:
        return _failed(account.failure(CRM_FAILURES[fault.kind]), fault)
    answer = account.answer(crm_call(call))
    if fault and fault.kind == "crm_garbled":
        return Response(200, answer.body[: len(answer.body) // 2])
    return answer


def _connection(environment: Environment, call: ApiCall) -> Connection:
    """The connection of the headers."""
    key, connection_id = (
        _named(call, name, known) for name, known in (("provider-config-key", KEY), ("connection-id", CONNECTION_ID))
    )
    for name, known in OPTIONS.items():
        if name in call.headers and not known.fullmatch(call.headers[name]):
            raise invalid("headers", issue("invalid_format", "Invalid string", name))
    if key not in environment.integrations:
        words = "Provider config not found for the given provider config key."
        raise NangoRefusal(404, "unknown_provider_config", words)
    found = environment.connections.get(connection_id)
    if found is None or found.integration != key:
        raise NangoRefusal(400, "server_error", "Failed to get connection")
    return found


def _named(call: ApiCall, name: str, known: re.Pattern[str]) -> str:
    """A header that must be there."""
    value = call.headers.get(name)
    if value is None:
        raise invalid("headers", wrong_type("string", None, name))
    if not known.fullmatch(value):
        raise invalid("headers", issue("invalid_format", "Invalid string", name))
    return value


def _failed(answer: Response, fault: Fault) -> Response:
    """The failure with what the fault says of it."""
    answer.status = fault.status or answer.status
    if fault.html:
        answer.body, answer.content_type = GATEWAY_PAGE, "text/html"
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer
