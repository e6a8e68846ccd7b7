"""What the pages of the Nango half do."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from config.sandbox.markup import page_response
from config.sandbox.nango_faults import KINDS
from config.sandbox.nango_page import (
    render_connect,
    render_connected,
    render_contacts,
    render_expired,
    render_overview,
)
from config.sandbox.wire import Request, Response, json_response

if TYPE_CHECKING:
    from config.sandbox.sandbox import Sandbox

CONNECT_PATH = "/connect"
SHOWN_PEOPLE, SHOWN_REQUESTS, MOST_CONTACTS = 100, 30, 100_000


def _overview(sandbox: "Sandbox", request: Request) -> Response:
    """All connections, or the people of one."""
    connection_id = _field(request.query, "connection")
    if connection_id:
        return _contacts(sandbox, connection_id)
    seen = sandbox.nango.overview(requests=SHOWN_REQUESTS)
    paused = bool(_field(request.query, "paused"))
    return page_response(render_overview(seen, paused=paused, now=time.monotonic()))


def _contacts(sandbox: "Sandbox", connection_id: str) -> Response:
    """The people changed last."""
    try:
        connection, people = sandbox.nango.newest(connection_id, SHOWN_PEOPLE)
    except KeyError:
        return json_response(404, {"detail": "There is no such connection."})
    return page_response(render_contacts(connection, people, connection["contacts"] - len(people)))


def _connect(sandbox: "Sandbox", request: Request) -> Response:
    """The page that a connect link opens."""
    token = _field(request.query, "session_token")
    offered = sandbox.nango.offered(token)
    if offered is None:
        return page_response(render_expired(), 404)
    return page_response(render_connect(token, offered, sandbox.nango.integrations))


def _complete(sandbox: "Sandbox", request: Request) -> Response:
    """The person pressed Connect."""
    form = request.body.decode("utf-8", "replace")
    count = _field(form, "contacts")
    contacts = min(int(count), MOST_CONTACTS) if count.isascii() and count.isdigit() and len(count) < 9 else 0
    connection_id = sandbox.nango.complete_session(
        *(_field(form, "session_token"), _field(form, "integration")),
        contacts=contacts,
        dirty=bool(_field(form, "dirty")),
    )
    return page_response(render_connected(connection_id)) if connection_id else page_response(render_expired(), 404)


def _start(sandbox: "Sandbox", _: Request) -> Response:
    """A session for somebody who comes from nowhere."""
    return Response(303, headers={"Location": sandbox.nango.start_session({"end_user_id": "sandbox"})})


def _switch(sandbox: "Sandbox", request: Request) -> Response:
    """A fault on or off."""
    form = request.body.decode("utf-8", "replace")
    kind = _field(form, "kind")
    if kind not in KINDS:
        return json_response(400, {"detail": "No such fault."})
    if _field(form, "switch") == "on":
        sandbox.nango.set_fault(kind)
    else:
        sandbox.nango.clear_faults(kind)
    return Response(303, headers={"Location": "/crms?paused=1" if _field(form, "paused") else "/crms"})


def _field(encoded: str, name: str) -> str:
    """A field of a query or a form."""
    return parse_qs(encoded).get(name, [""])[-1]


NANGO_PAGES: dict[str, dict[str, Callable[["Sandbox", Request], Response]]] = {
    "/crms": {"GET": _overview},
    CONNECT_PATH: {"GET": _connect, "POST": _complete},
    "/_page/nango/connect": {"POST": _start},
    "/_page/nango/faults": {"POST": _switch},
}
