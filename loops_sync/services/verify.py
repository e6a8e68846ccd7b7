"""Whether Loops holds what it should."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from loops_sync import client, selectors
from loops_sync.contacts import OWN_KEYS, Properties, properties_of
from loops_sync.models import Contact, OutboxEntry
from loops_sync.services.pace import Stop, wait_for_slot
from nominations.models import Nominator, Nominee, Vote, Voter

CHUNK, EXAMPLES = 500, 10
TIME_KEYS = ("approvalDate", "lastVoteDate")


@dataclass
class Check:
    """One question and its answer: `ok`, `drift`, `unknown` (it could not run) or `broken`."""

    name: str
    state: str
    count: int | None
    detail: str
    examples: list[str] = field(default_factory=list)


def verify(*, sample: int | None = None, remote: bool = False) -> list[Check]:
    """Line, dead entries, and each contact (or a sample) against what Loops last accepted, or says with `remote`.

    Changes nothing. News that still waits is drift too: Loops does not hold it.
    """
    checks = [_check_line(), _check_dead(), _check_unheard(), _check_accepted(sample)]
    if remote:
        checks.append(_check_remote(sample))
    return checks


def _check_line() -> Check:
    state = selectors.connection_state()
    broken = state == "unauthorized" or (settings.LOOPS_SYNC_ENABLED and not settings.LOOPS_API_KEY)
    answer = "broken" if broken else "unknown" if state == "unreachable" else "ok"
    return Check("line", answer, None, state)


def _check_dead() -> Check:
    dead = OutboxEntry.objects.dead().count()
    return Check("dead", "drift" if dead else "ok", dead, f"{dead} dead entries")


def _check_unheard() -> Check:
    """People with a role whom nobody ever told Loops about, as after a bulk write or a restored backup."""
    known = Contact.objects.values("email")
    people = (
        Nominator.objects.filter(nominations__isnull=False),
        Nominee.objects.live().exclude(email=""),
        Voter.objects.filter(votes__state=Vote.State.COUNTED),
    )
    emails = {email for rows in people for email in rows.exclude(email__in=known).values_list("email", flat=True)}
    detail = f"{len(emails)} people are no contact yet"
    return Check("unheard", "drift" if emails else "ok", len(emails), detail, sorted(emails)[:EXAMPLES])


def _check_accepted(sample: int | None) -> Check:
    looked = 0
    wrong: list[str] = []
    for contact, properties in _expected(sample):
        looked += 1
        if not contact.is_as(properties):
            wrong.append(f"{contact.email}: {', '.join(_differing(contact.accepted or {}, properties))}")
    detail = f"{len(wrong)} of {looked} contacts are not what Loops last accepted"
    return Check("accepted", "drift" if wrong else "ok", len(wrong), detail, wrong[:EXAMPLES])


def _check_remote(sample: int | None) -> Check:
    looked = 0
    wrong: list[str] = []
    for contact, properties in _expected(sample):
        if contact.accepted == {}:
            continue
        try:
            wait_for_slot()
            held = client.find_contact(contact.email)
        except (client.LoopsError, Stop) as error:
            refused = isinstance(error, client.LoopsError) and error.is_unauthorized
            state = "broken" if refused else "unknown"
            return Check("remote", state, None, f"{error} after {looked} contacts", wrong[:EXAMPLES])
        looked += 1
        differing = ["missing"] if held is None else _differing(_known(held, properties), properties)
        if differing:
            wrong.append(f"{contact.email}: {', '.join(differing)}")
    detail = f"{len(wrong)} of {looked} contacts differ at Loops"
    return Check("remote", "drift" if wrong else "ok", len(wrong), detail, wrong[:EXAMPLES])


def _expected(sample: int | None) -> Iterator[tuple[Contact, Properties]]:
    """Contacts, each with the properties it should have."""
    ids = list(Contact.objects.order_by("?" if sample else "pk").values_list("pk", flat=True)[:sample])
    for start in range(0, len(ids), CHUNK):
        contacts = list(Contact.objects.filter(pk__in=ids[start : start + CHUNK]))
        people = selectors.people([contact.email for contact in contacts])
        for contact in contacts:
            yield contact, properties_of(people[contact.email], user_id=str(contact.pk))


def _differing(held: Properties, wanted: Properties) -> list[str]:
    return [key for key in sorted({*held, *wanted}) if held.get(key) != wanted.get(key)]


def _known(held: dict[str, Any], wanted: Properties) -> Properties:
    """Loops' answer in our words: our keys and lists only, blanks left out, times as we write them."""
    known = {key: held.get(key) for key in ("email", "userId", *OWN_KEYS)}
    lists = {name: True for name in held.get("mailingLists") or {} if name in settings.LOOPS_LISTS.values()}
    known["mailingLists"] = lists
    for key in TIME_KEYS:
        if _same_moment(known.get(key), wanted.get(key)):
            known[key] = wanted[key]
    return {key: value for key, value in known.items() if value not in (None, "", {})}


def _same_moment(one: Any, other: Any) -> bool:
    """Loops answers dates as ISO text or as milliseconds."""
    if one is None or other is None:
        return False
    try:
        return _moment(one) == _moment(other)
    except (ValueError, OverflowError):
        return False


def _moment(value: Any) -> datetime:
    text = str(value)
    return datetime.fromtimestamp(int(text) / 1000, UTC) if text.isdigit() else datetime.fromisoformat(text)
