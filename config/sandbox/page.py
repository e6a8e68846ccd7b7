"""The page of the sandbox, for people. Everything that a caller sent is escaped."""

from html import escape
from typing import Any

from config.sandbox.faults import KINDS
from config.sandbox.loops import BASE_PATH, MAILING_LISTS
from config.sandbox.loops_contacts import Contact
from config.sandbox.sandbox import Overview
from config.sandbox.traffic import RecordedRequest

REFRESH_SECONDS = 3
# Told in the head of a contact, so not again among its properties.
HEAD_KEYS = {"email", "firstName", "lastName", "userGroup", "subscribed", "mailingLists"}
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>Loops sandbox</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/_static/sandbox.css">
</head>
<body>
<header>
<div>
<h1>Loops sandbox</h1>
<p class="promise">Sandbox: nothing here reaches the real Loops.</p>
</div>
<p>{refresh_link}</p>
</header>
<main>
<section aria-labelledby="counters"><h2 id="counters" class="quiet">At a glance</h2>{counters}</section>
<section aria-labelledby="contacts"><h2 id="contacts">Contacts</h2>{contacts}</section>
<section aria-labelledby="faults"><h2 id="faults">Faults</h2>{faults}</section>
<section aria-labelledby="requests"><h2 id="requests">Last requests</h2>{requests}</section>
<section aria-labelledby="reset"><h2 id="reset">Start afresh</h2>{reset}</section>
</main>
<footer>API under <code>{base}</code>, control under <code>/_control</code>.</footer>
</body>
</html>
"""


def render_page(seen: Overview, *, paused: bool) -> str:
    """One whole page; reloads itself every three seconds unless `paused`."""
    return PAGE.format(
        refresh="" if paused else f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">\n',
        refresh_link=_refresh_link(paused),
        counters=_counters(seen),
        contacts=_contacts(seen),
        faults=_faults(seen, paused),
        requests=_requests(seen),
        reset=_form("/_page/reset", "Empty the sandbox", paused),
        base=BASE_PATH,
    )


def _refresh_link(paused: bool) -> str:
    if paused:
        return 'Paused. <a href="/">Resume</a>'
    return f'Refreshes every {REFRESH_SECONDS} s. <a href="/?paused=1">Pause</a>'


def _counters(seen: Overview) -> str:
    figures = {
        "Contacts": seen.counters["contacts"],
        "Requests": seen.counters["requests"],
        "Events": seen.counters["events"],
        "Transactional": seen.counters["transactional"],
        "Requests a second": f"at most {seen.rate}" if seen.rate else "no limit",
    }
    pairs = "".join(f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>" for name, value in figures.items())
    return f'<dl class="figures">{pairs}</dl>'


def _contacts(seen: Overview) -> str:
    if not seen.contacts:
        return '<p class="quiet">No contact yet. The first one appears here as soon as Laurel sends it.</p>'
    hidden = seen.counters["contacts"] - len(seen.contacts)
    more = f'<p class="quiet">{hidden} more, written earlier, are not shown.</p>' if hidden else ""
    return f'<div class="cards">{"".join(map(_contact, seen.contacts))}</div>{more}'


def _contact(contact: Contact) -> str:
    name = " ".join(part for part in (contact["firstName"], contact["lastName"]) if part)
    state = ("yes", "Subscribed") if contact["subscribed"] else ("no", "Unsubscribed")
    group = _chip("group", contact["userGroup"]) if contact["userGroup"] else _chip("none", "No group")
    lists = "".join(_chip("list", MAILING_LISTS.get(list_id, list_id)) for list_id in contact["mailingLists"])
    properties = [(key, value) for key, value in contact.items() if key not in HEAD_KEYS and value not in (None, "")]
    rows = "".join(f"<div><dt>{_text(key)}</dt><dd>{_text(value)}</dd></div>" for key, value in properties)
    return (
        f"<article><h3>{_text(contact['email'])}</h3><p>{_text(name or 'No name')}</p>"
        f'<p class="chips">{group}{_chip(*state)}{lists}</p><dl>{rows}</dl></article>'
    )


def _faults(seen: Overview, paused: bool) -> str:
    active = {fault["kind"]: fault for fault in seen.faults}
    rows = "".join(_fault(kind, words, active.get(kind), paused) for kind, words in KINDS.items())
    return f'<ul class="faults">{rows}</ul>'


def _fault(kind: str, words: str, active: dict[str, Any] | None, paused: bool) -> str:
    options = ", ".join(f"{key} {value}" for key, value in (active or {}).items() if key != "kind")
    told = f"{_chip('no', 'On')} <small>{_text(options)}</small>" if active else ""
    verb, switch = ("Switch off", "off") if active else ("Switch on", "on")
    fields = {"kind": kind, "switch": switch}
    form = _form("/_page/faults", verb, paused, fields, spoken=f"{verb} {kind}")
    return f"<li{' class=active' if active else ''}><div><strong>{kind}</strong> {told}<p>{words}</p></div>{form}</li>"


def _requests(seen: Overview) -> str:
    if not seen.requests:
        return '<p class="quiet">No request yet.</p>'
    rows = "".join(_request(entry, seen.now) for entry in seen.requests)
    return f'<ol class="requests">{rows}</ol>'


def _request(entry: RecordedRequest, now: float) -> str:
    status = "no answer" if entry.status is None else str(entry.status)
    good = entry.status is not None and entry.status < 300
    path = entry.path.removeprefix(BASE_PATH)
    return (
        f"<li>{_chip('yes' if good else 'no', status)} <code>{_text(entry.method)} {_text(path)}</code> "
        f"<span>{_text(entry.email)}</span> <small>{now - entry.at:.0f} s ago</small></li>"
    )


def _form(action: str, label: str, paused: bool, fields: dict[str, str] | None = None, spoken: str = "") -> str:
    given = {**(fields or {}), **({"paused": "1"} if paused else {})}
    hidden = "".join(f'<input type="hidden" name="{key}" value="{value}">' for key, value in given.items())
    aria = f' aria-label="{spoken}"' if spoken else ""
    return f'<form method="post" action="{action}">{hidden}<button{aria}>{label}</button></form>'


def _chip(kind: str, text: str) -> str:
    return f'<span class="chip {kind}">{_text(text)}</span>'


def _text(value: object) -> str:
    return escape(str(value))
