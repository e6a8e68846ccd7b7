"""The page of the sandbox, for people. Everything that a caller sent is escaped."""

from typing import Any

from config.sandbox.faults import KINDS
from config.sandbox.loops import BASE_PATH, MAILING_LISTS
from config.sandbox.loops_contacts import Contact
from config.sandbox.loops_webhooks import ACTIONS
from config.sandbox.markup import button, chip, escaped, fault_switches, pairs, request_list
from config.sandbox.sandbox import Overview

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
<p><a href="/crms">Nango</a> · {refresh_link}</p>
</header>
<main>
<section aria-labelledby="counters"><h2 id="counters" class="quiet">At a glance</h2>{counters}</section>
<section aria-labelledby="contacts"><h2 id="contacts">Contacts</h2>{contacts}</section>
<section aria-labelledby="mails"><h2 id="mails">Mails</h2>{mails}</section>
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
        contacts=_contacts(seen, _fields(paused)),
        mails=_mails(seen),
        faults=fault_switches(KINDS, seen.faults, "/_page/faults", _fields(paused)),
        requests=request_list(seen.requests, BASE_PATH, seen.now),
        reset=button("/_page/reset", "Empty the sandbox", _fields(paused)),
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
    return f'<dl class="figures">{pairs(figures.items())}</dl>'


def _contacts(seen: Overview, fields: dict[str, str]) -> str:
    if not seen.contacts:
        return '<p class="quiet">No contact yet. The first one appears here as soon as Laurel sends it.</p>'
    hidden = seen.counters["contacts"] - len(seen.contacts)
    more = f'<p class="quiet">{hidden} more, written earlier, are not shown.</p>' if hidden else ""
    return f'<div class="cards">{"".join(_contact(contact, fields) for contact in seen.contacts)}</div>{more}'


def _mails(seen: Overview) -> str:
    """The newest first, each with what its template was given."""
    if not seen.mails:
        return '<p class="quiet">No mail yet. Laurel sends one only for a template that it was told of.</p>'
    return f'<div class="cards">{"".join(map(_mail, seen.mails))}</div>'


def _mail(mail: dict[str, Any]) -> str:
    return (
        f"<article><h3>{escaped(mail['email'])}</h3>"
        f'<p class="chips">{chip("list", mail["transactionalId"])}</p>'
        f"<dl>{pairs(mail['dataVariables'].items())}</dl></article>"
    )


def _actions(contact: Contact, fields: dict[str, str]) -> str:
    """What a person may do at Loops, which tells us of it."""
    done = "resubscribe" if contact["subscribed"] else "unsubscribe"
    email = contact["email"]
    return "".join(
        button(
            "/_page/contacts",
            action.capitalize(),
            {"email": email, "action": action, **fields},
            spoken=f"{action.capitalize()} {escaped(email)}",
        )
        for action in ACTIONS
        if action != done
    )


def _contact(contact: Contact, fields: dict[str, str]) -> str:
    name = " ".join(part for part in (contact["firstName"], contact["lastName"]) if part)
    state = ("yes", "Subscribed") if contact["subscribed"] else ("no", "Unsubscribed")
    group = chip("group", contact["userGroup"]) if contact["userGroup"] else chip("none", "No group")
    lists = "".join(chip("list", MAILING_LISTS.get(list_id, list_id)) for list_id in contact["mailingLists"])
    properties = [(key, value) for key, value in contact.items() if key not in HEAD_KEYS and value not in (None, "")]
    return (
        f"<article><h3>{escaped(contact['email'])}</h3><p>{escaped(name or 'No name')}</p>"
        f'<p class="chips">{group}{chip(*state)}{lists}</p><dl>{pairs(properties)}</dl>'
        f'<div class="actions">{_actions(contact, fields)}</div></article>'
    )


def _fields(paused: bool) -> dict[str, str]:
    return {"paused": "1"} if paused else {}
