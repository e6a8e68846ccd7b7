"""What is neither Loops nor Nango: the control API for tests and the pages for people."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qs

from config.sandbox.faults import KINDS, Fault, parse_fault
from config.sandbox.markup import page_response
from config.sandbox.nango_control import ROOT, answer_nango_control
from config.sandbox.nango_views import NANGO_PAGES
from config.sandbox.page import render_page
from config.sandbox.sandbox import Sandbox
from config.sandbox.wire import Request, Response, json_response, parse_json_object

STYLESHEET = Path(__file__).with_name("sandbox.css").read_bytes()
SHOWN_CONTACTS = 100
SHOWN_REQUESTS = 30


def answer_local(sandbox: Sandbox, request: Request) -> Response:
    """The answer to a request outside the APIs."""
    if request.path.startswith(f"{ROOT}/"):
        return answer_nango_control(sandbox.nango, request)
    methods = ROUTES.get(request.path)
    if methods is None:
        words = "Nothing here. The Loops API is under /api/v1, Nango's under /nango."
        return json_response(404, {"detail": words})
    view = methods.get("GET" if request.method == "HEAD" else request.method)
    if view is None:
        return Response(405, headers={"Allow": ", ".join(methods)})
    return view(sandbox, request)


def _state(sandbox: Sandbox, _: Request) -> Response:
    seen = sandbox.overview()
    return json_response(200, {"contacts": seen.contacts, "faults": seen.faults, "counters": seen.counters})


def _requests(sandbox: Sandbox, request: Request) -> Response:
    since = _field(request.query, "since") or "0"
    if not (since.isascii() and since.isdigit() and len(since) < 10):
        return json_response(400, {"detail": "since must be the number of a request."})
    return json_response(200, {"requests": [asdict(entry) for entry in sandbox.requests_since(int(since))]})


def _set_fault(sandbox: Sandbox, request: Request) -> Response:
    payload = parse_json_object(request.body)
    if payload is None:
        return json_response(400, {"detail": "The body must be a JSON object."})
    try:
        sandbox.switch_on(parse_fault(payload, Fault))
    except ValueError as error:
        return json_response(400, {"detail": str(error)})
    return _faults(sandbox)


def _clear_faults(sandbox: Sandbox, request: Request) -> Response:
    kind = _field(request.query, "kind")
    if kind and kind not in KINDS:
        return json_response(400, {"detail": f"kind must be one of {', '.join(KINDS)}"})
    sandbox.clear_faults(kind or None)
    return _faults(sandbox)


def _faults(sandbox: Sandbox) -> Response:
    return json_response(200, {"faults": sandbox.overview(contacts=0).faults})


def _mails(sandbox: Sandbox, _: Request) -> Response:
    return json_response(200, {"mails": sandbox.mails})


def _act(sandbox: Sandbox, request: Request) -> Response:
    given = parse_json_object(request.body) or {}
    try:
        statuses = sandbox.act(str(given.get("email", "")), str(given.get("action", "")))
    except KeyError as error:
        return json_response(404, {"detail": f"There is no {error.args[0]!r}."})
    return json_response(200, {"webhooks": statuses})


def _set_webhook(sandbox: Sandbox, request: Request) -> Response:
    given = parse_json_object(request.body) or {}
    sandbox.set_webhook(str(given.get("url", "")), str(given.get("secret", "")))
    return json_response(200, {"success": True})


def _reset(sandbox: Sandbox, _: Request) -> Response:
    sandbox.reset()
    return json_response(200, {"success": True})


def _page(sandbox: Sandbox, request: Request) -> Response:
    seen = sandbox.overview(contacts=SHOWN_CONTACTS, requests=SHOWN_REQUESTS)
    return page_response(render_page(seen, paused=bool(_field(request.query, "paused"))))


def _stylesheet(_: Sandbox, __: Request) -> Response:
    return Response(200, STYLESHEET, "text/css; charset=utf-8", {"Cache-Control": "max-age=60"})


def _page_fault(sandbox: Sandbox, request: Request) -> Response:
    form = request.body.decode("utf-8", "replace")
    kind = _field(form, "kind")
    if kind not in KINDS:
        return json_response(400, {"detail": "No such fault."})
    if _field(form, "switch") == "on":
        sandbox.set_fault(kind)
    else:
        sandbox.clear_faults(kind)
    return _back_to_page(form)


def _page_act(sandbox: Sandbox, request: Request) -> Response:
    form = request.body.decode("utf-8", "replace")
    try:
        sandbox.act(_field(form, "email"), _field(form, "action"))
    except KeyError:  # somebody was faster: the page shows how it is
        return _back_to_page(form)
    return _back_to_page(form)


def _page_reset(sandbox: Sandbox, request: Request) -> Response:
    sandbox.reset()
    return _back_to_page(request.body.decode("utf-8", "replace"))


def _back_to_page(form: str) -> Response:
    return Response(303, headers={"Location": "/?paused=1" if _field(form, "paused") else "/"})


def _field(encoded: str, name: str) -> str:
    return parse_qs(encoded).get(name, [""])[-1]


ROUTES: dict[str, dict[str, Callable[[Sandbox, Request], Response]]] = {
    "/": {"GET": _page},
    "/_static/sandbox.css": {"GET": _stylesheet},
    "/_page/faults": {"POST": _page_fault},
    "/_page/contacts": {"POST": _page_act},
    "/_page/reset": {"POST": _page_reset},
    "/_control/state": {"GET": _state},
    "/_control/requests": {"GET": _requests},
    "/_control/faults": {"POST": _set_fault, "DELETE": _clear_faults},
    "/_control/mails": {"GET": _mails},
    "/_control/contacts/act": {"POST": _act},
    "/_control/webhook/target": {"POST": _set_webhook},
    "/_control/reset": {"POST": _reset},
    **NANGO_PAGES,
}
