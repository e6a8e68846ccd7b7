"""Pieces of HTML that the pages of the sandbox share. Everything that a caller sent is escaped."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from config.sandbox.traffic import RecordedRequest
from config.sandbox.wire import Response

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def page_response(html: str, status: int = 200) -> Response:
    """A page as an answer."""
    # "replace": a lone surrogate in a name is shown as a question mark rather than as no page at all.
    return Response(status, html.encode("utf-8", "replace"), "text/html; charset=utf-8", dict(PAGE_HEADERS))


def escaped(value: object) -> str:
    """Text that is no markup."""
    return escape(str(value))


def chip(kind: str, words: str) -> str:
    """A word with a colour."""
    return f'<span class="chip {kind}">{escaped(words)}</span>'


def pairs(values: Iterable[tuple[str, object]]) -> str:
    """Rows of a description list."""
    return "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in values)


def button(action: str, label: str, fields: Mapping[str, str], spoken: str = "") -> str:
    """A form of one button."""
    hidden = "".join(f'<input type="hidden" name="{key}" value="{escaped(value)}">' for key, value in fields.items())
    aria = f' aria-label="{spoken}"' if spoken else ""
    return f'<form method="post" action="{action}">{hidden}<button{aria}>{label}</button></form>'


def fault_switches(
    kinds: Mapping[str, str], faults: Iterable[dict[str, Any]], action: str, fields: Mapping[str, str]
) -> str:
    """All kinds of faults, each with a button."""
    active = {fault["kind"]: fault for fault in faults}
    rows = (_fault(kind, words, active.get(kind), action, fields) for kind, words in kinds.items())
    return f'<ul class="faults">{"".join(rows)}</ul>'


def request_list(entries: Iterable[RecordedRequest], base: str, now: float) -> str:
    """The calls of an API, newest first."""
    rows = "".join(_request(entry, base, now) for entry in entries)
    return f'<ol class="requests">{rows}</ol>' if rows else '<p class="quiet">No request yet.</p>'


def _fault(kind: str, words: str, active: dict[str, Any] | None, action: str, fields: Mapping[str, str]) -> str:
    """One kind, and whether it is on."""
    options = ", ".join(f"{key} {value}" for key, value in (active or {}).items() if key != "kind")
    told = f"{chip('no', 'On')} <small>{escaped(options)}</small>" if active else ""
    verb, switch = ("Switch off", "off") if active else ("Switch on", "on")
    form = button(action, verb, {"kind": kind, "switch": switch, **fields}, spoken=f"{verb} {kind}")
    return f"<li{' class=active' if active else ''}><div><strong>{kind}</strong> {told}<p>{words}</p></div>{form}</li>"


def _request(entry: RecordedRequest, base: str, now: float) -> str:
    """One call: how it ended, what it was, whom it spoke of."""
    status = "no answer" if entry.status is None else str(entry.status)
    good = entry.status is not None and entry.status < 300
    path = entry.path.removeprefix(base)
    return (
        f"<li>{chip('yes' if good else 'no', status)} <code>{escaped(entry.method)} {escaped(path)}</code> "
        f"<span>{escaped(entry.provider or entry.email)}</span> <small>{now - entry.at:.0f} s ago</small></li>"
    )
