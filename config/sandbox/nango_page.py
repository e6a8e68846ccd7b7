"""The pages of the Nango half, for people: who is connected, whom an account holds, and Connect."""

from collections.abc import Sequence

from config.sandbox.crms import CRMS
from config.sandbox.markup import button, chip, escaped, fault_switches, pairs, request_list
from config.sandbox.nango import NangoOverview
from config.sandbox.nango_faults import KINDS
from config.sandbox.nango_values import Json

REFRESH_SECONDS = 3
# What is told elsewhere on the card, or says nothing to a person.
NOT_LISTED = "id name first_name last_name dirt deleted opted_out module created_at phone_e164 mobile_e164".split()
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/_static/sandbox.css">
</head>
<body>
<header>
<div>
<h1>{title}</h1>
<p class="promise">Sandbox: nothing here reaches the real Nango or any CRM.</p>
</div>
<p>{links}</p>
</header>
<main>
{main}
</main>
</body>
</html>
"""


def render_overview(seen: NangoOverview, *, paused: bool, now: float) -> str:
    """All connections; reloads itself every three seconds unless `paused`."""
    fields = {"paused": "1"} if paused else {}
    state = 'Paused. <a href="/crms">Resume</a>' if paused else f"Refreshes every {REFRESH_SECONDS} s. {PAUSE}"
    parts = (
        _section("connections", "Connections", _connections(seen.connections) + _connect_button()),
        _section("faults", "Faults", fault_switches(KINDS, seen.faults, "/_page/nango/faults", fields)),
        _section("requests", "Last requests", request_list(seen.requests, "", now)),
        f'<p class="quiet">Webhooks go {_target(seen.webhook_url)}.</p>',
    )
    return PAGE.format(
        title="Nango sandbox",
        refresh="" if paused else f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">\n',
        links=f'<a href="/">Loops</a> · {state}',
        main="".join(parts),
    )


def render_contacts(connection: Json, people: Sequence[Json], hidden: int) -> str:
    """The people of one connection."""
    more = f'<p class="quiet">{hidden} more are not shown.</p>' if hidden else ""
    cards = "".join(map(_person, people)) or '<p class="quiet">Nobody is in this account.</p>'
    head = _connection(connection, linked=False)
    return PAGE.format(
        title=f"{escaped(CRMS[connection['provider']].display_name)} contacts",
        refresh="",
        links='<a href="/crms">All connections</a>',
        main=f'<div class="cards">{head}</div>'
        + _section("people", "Contacts", f'<div class="cards">{cards}</div>{more}'),
    )


def render_connect(token: str, offered: Sequence[str], integrations: dict[str, str]) -> str:
    """Choose a CRM, press Connect."""
    choices = "".join(_choice(key, CRMS[integrations[key]].display_name, at == 0) for at, key in enumerate(offered))
    form = (
        f'<form method="post" action="/connect">'
        f'<input type="hidden" name="session_token" value="{escaped(token)}">'
        f"<fieldset><legend>Which CRM do you use?</legend>{choices}</fieldset>"
        '<p><label for="contacts">Invented contacts</label> '
        '<input id="contacts" name="contacts" type="number" min="0" max="100000" value="230"></p>'
        '<p><label><input type="checkbox" name="dirty" value="1" checked> with the faults of real data</label></p>'
        "<p><button>Connect</button></p></form>"
    )
    return _small("Connect your CRM", form)


def render_connected(connection_id: str) -> str:
    """It is done."""
    words = f"<p>Connected. You can close this window.</p><p><code>{escaped(connection_id)}</code></p>"
    return _small("Your CRM is connected", words)


def render_expired() -> str:
    """The link is of no use any more."""
    return _small(
        "This link has expired", "<p>A link works once, for half an hour. Go back and ask for a new one.</p>"
    )


PAUSE = '<a href="/crms?paused=1">Pause</a>'


def _small(title: str, main: str) -> str:
    """A page of one thing."""
    return PAGE.format(title=title, refresh="", links='<a href="/crms">Nango sandbox</a>', main=main)


def _section(id_: str, title: str, body: str) -> str:
    """A headline and what is under it."""
    return f'<section aria-labelledby="{id_}"><h2 id="{id_}">{title}</h2>{body}</section>'


def _connections(connections: Sequence[Json]) -> str:
    """A card each, or a word that there are none."""
    if not connections:
        return '<p class="quiet">Nobody connected a CRM yet.</p>'
    cards = "".join(_connection(connection, linked=True) for connection in reversed(connections))
    return f'<div class="cards">{cards}</div>'


def _connection(connection: Json, *, linked: bool) -> str:
    """Which CRM, whose, how many people."""
    name = escaped(CRMS[connection["provider"]].display_name)
    state = ("no", "Needs reconnecting") if connection["errors"] else ("yes", "Connected")
    count = f"{connection['contacts']:,} contacts"
    shown = f'<a href="/crms?connection={escaped(connection["connection_id"])}">{count}</a>' if linked else count
    facts = [("connection", connection["connection_id"]), ("integration", connection["provider_config_key"])]
    facts += [*connection["tags"].items(), *connection["connection_config"].items()]
    return (
        f'<article><h3>{name}</h3><p>{shown}</p><p class="chips">{chip(*state)}</p><dl>{pairs(facts)}</dl></article>'
    )


def _person(person: Json) -> str:
    """One contact or lead."""
    chips = chip("group", "Lead") if person["module"] == "lead" else ""
    chips += chip("no", "Opted out") if person["opted_out"] else ""
    chips += chip("none", person["dirt"].replace("_", " ")) if person["dirt"] else ""
    facts = [("id", person["id"])]
    facts += [(key, value) for key, value in person.items() if key not in NOT_LISTED and value]
    name = escaped(person["name"] or "No name")
    return f'<article><h3>{name}</h3><p class="chips">{chips}</p><dl>{pairs(facts)}</dl></article>'


def _connect_button() -> str:
    """As somebody who comes from Laurel would, but belonging to nobody there."""
    return button("/_page/nango/connect", "Connect a CRM", {})


def _choice(key: str, name: str, chosen: bool) -> str:
    """One CRM."""
    checked = " checked" if chosen else ""
    box = f'<input type="radio" name="integration" value="{escaped(key)}"{checked}>'
    return f"<p><label>{box} {escaped(name)}</label></p>"


def _target(url: str) -> str:
    """Where webhooks go."""
    return f"to <code>{escaped(url)}</code>" if url else "nowhere until somebody says where"
