"""The control API of the Nango half, for tests that are no Python in this process."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from config.sandbox.faults import parse_fault
from config.sandbox.nango import Nango
from config.sandbox.nango_faults import KINDS, NangoFault
from config.sandbox.nango_values import NangoRefusal
from config.sandbox.wire import Request, Response, json_response, parse_json_object

ROOT = "/_control/nango"


def answer_nango_control(nango: Nango, request: Request) -> Response:
    """The answer to a request under ROOT."""
    action = ACTIONS.get((request.method, request.path.removeprefix(ROOT)))
    if action is None:
        return json_response(404, {"detail": f"Nothing here for {request.method}."})
    try:
        return json_response(200, action(nango, _given(request)))
    except KeyError as error:
        return json_response(404, {"detail": f"There is no {error.args[0]!r}."})
    except (ValueError, TypeError) as error:  # a TypeError names the option that does not exist
        return json_response(400, {"detail": str(error)})
    except NangoRefusal as refusal:
        return refusal.response


def _given(request: Request) -> dict[str, Any]:
    """The query of a GET or DELETE, else the body. Raises ValueError."""
    if request.method in ("GET", "DELETE"):
        return {name: values[-1] for name, values in parse_qs(request.query).items()}
    payload = parse_json_object(request.body or b"{}")
    if payload is None:
        raise ValueError("The body must be a JSON object.")
    return payload


def _state(nango: Nango, _: dict[str, Any]) -> object:
    """Connections, faults, counters."""
    return asdict(nango.overview())


def _connect(nango: Nango, given: dict[str, Any]) -> object:
    """A new connection."""
    return {"connection_id": nango.connect(given.pop("provider", ""), **given)}


def _drop(nango: Nango, given: dict[str, Any]) -> object:
    """One connection less."""
    nango.drop_connection(given["connection"])
    return {"success": True}


def _settings(nango: Nango, given: dict[str, Any]) -> object:
    """Page size, hidden fields, auth error: those that are given."""
    connection = given.pop("connection")
    setters: dict[str, Callable[[str, Any], None]] = {
        "page_size": nango.set_page_size,
        "hidden_fields": nango.hide_fields,
        "auth_error": nango.set_auth_error,
    }
    if unknown := given.keys() - setters:
        raise ValueError(f"unknown setting: {', '.join(sorted(unknown))}")
    for name, value in given.items():
        setters[name](connection, value)
    return nango.connection(connection)


def _contacts(nango: Nango, given: dict[str, Any]) -> object:
    """Everybody, or everybody who is gone."""
    return {"contacts": nango.contacts(given["connection"], deleted=given.get("deleted") in ("1", "true"))}


def _upsert(nango: Nango, given: dict[str, Any]) -> object:
    """Add or change one."""
    return nango.upsert_contact(given.pop("connection"), given.pop("id", None), **given)


def _add(nango: Nango, given: dict[str, Any]) -> object:
    """Add some."""
    return {"ids": nango.add_contacts(given["connection"], given["count"])}


def _delete(nango: Nango, given: dict[str, Any]) -> object:
    """Delete one."""
    nango.delete_contact(given["connection"], given["id"])
    return {"success": True}


def _restore(nango: Nango, given: dict[str, Any]) -> object:
    """Bring one back."""
    nango.restore_contact(given["connection"], given["id"])
    return {"success": True}


def _merge(nango: Nango, given: dict[str, Any]) -> object:
    """Make one of two."""
    return {"id": nango.merge_contacts(given["connection"], given["winner"], given["loser"])}


def _convert(nango: Nango, given: dict[str, Any]) -> object:
    """Make a contact of a lead."""
    return {"id": nango.convert_lead(given["connection"], given["id"])}


def _requests(nango: Nango, given: dict[str, Any]) -> object:
    """The calls that came in."""
    return {"requests": [asdict(entry) for entry in nango.requests_since(int(given.get("since", 0)))]}


def _set_fault(nango: Nango, given: dict[str, Any]) -> object:
    """Switch one on."""
    nango.switch_on(parse_fault(given, NangoFault))
    return {"faults": nango.faults}


def _clear_faults(nango: Nango, given: dict[str, Any]) -> object:
    """Switch one or all off."""
    kind = given.get("kind")
    if kind and kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    nango.clear_faults(kind)
    return {"faults": nango.faults}


def _send_webhook(nango: Nango, given: dict[str, Any]) -> object:
    """Post one webhook now."""
    return {"status": nango.send_webhook(given.pop("connection"), **given)}


def _set_webhook(nango: Nango, given: dict[str, Any]) -> object:
    """Where the Connect page reports to."""
    nango.set_webhook(given["url"], given["secret"])
    return {"success": True}


def _reset(nango: Nango, _: dict[str, Any]) -> object:
    """Start this half afresh."""
    nango.reset()
    return {"success": True}


ACTIONS: dict[tuple[str, str], Callable[[Nango, dict[str, Any]], object]] = {
    ("GET", "/state"): _state,
    ("GET", "/requests"): _requests,
    ("GET", "/contacts"): _contacts,
    ("POST", "/connections"): _connect,
    ("DELETE", "/connections"): _drop,
    ("POST", "/settings"): _settings,
    ("POST", "/contacts"): _upsert,
    ("POST", "/contacts/add"): _add,
    ("POST", "/contacts/delete"): _delete,
    ("POST", "/contacts/restore"): _restore,
    ("POST", "/contacts/merge"): _merge,
    ("POST", "/contacts/convert"): _convert,
    ("POST", "/faults"): _set_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("POST", "/webhook"): _send_webhook,
    ("POST", "/webhook/target"): _set_webhook,
    ("POST", "/reset"): _reset,
}
