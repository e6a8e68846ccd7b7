"""Whether Loops holds what it should."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings

from crm.models import Client
from loops_sync import selectors
from loops_sync.contacts import Properties, differences, properties_of
from loops_sync.models import Contact, Drift, OutboxEntry, RemoteCheck
from loops_sync.services.remote import look_at_loops
from nominations.models import Nominator, Nominee, Vote, Voter

CHUNK, EXAMPLES = 500, 10


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

    Changes nothing but the record of what was found. News that still waits is drift too: Loops does not hold it.
    """
    checks = [_check_line(), _check_dead(), _check_unheard(), _check_accepted(sample)]
    if remote:
        checks.append(_check_remote(sample))
    return [*checks, _check_drift()]


def _check_line() -> Check:
    state = selectors.connection_state()
    broken = state == "unauthorized" or (settings.LOOPS_SYNC_ENABLED and not settings.LOOPS_API_KEY)
    answer = "broken" if broken else "unknown" if state == "unreachable" else "ok"
    return Check("line", answer, None, state)


def _check_dead() -> Check:
    dead = OutboxEntry.objects.dead().count()
    return Check("dead", "drift" if dead else "ok", dead, f"{dead} dead entries")


def _check_unheard() -> Check:
    """Clients and people with a role whom nobody ever told Loops about, as after a bulk write or a restored backup."""
    known = Contact.objects.exclude(email=None).values("email")
    people = (
        Nominator.objects.filter(nominations__isnull=False).exclude(email=None),
        Nominee.objects.live().exclude(email=""),
        Voter.objects.filter(votes__state=Vote.State.COUNTED).exclude(email=None),
        Client.objects.filter(is_active=True),
    )
    unheard = (rows.exclude(email__in=known).values_list("email", flat=True) for rows in people)
    emails = {email for rows in unheard for email in rows if email}
    detail = f"{len(emails)} people are no contact yet"
    return Check("unheard", "drift" if emails else "ok", len(emails), detail, sorted(emails)[:EXAMPLES])


def _check_accepted(sample: int | None) -> Check:
    looked = 0
    wrong: list[str] = []
    for contact, properties in _expected(sample):
        looked += 1
        if not contact.is_as(properties):
            wrong.append(f"{contact.email}: {_names(contact.accepted or {}, properties)}")
    detail = f"{len(wrong)} of {looked} contacts are not what Loops last accepted"
    return Check("accepted", "drift" if wrong else "ok", len(wrong), detail, wrong[:EXAMPLES])


def _check_drift() -> Check:
    """What an earlier look at Loops found, and nobody mended."""
    found = Drift.objects.open().count()
    return Check("drift", "drift" if found else "ok", found, f"{found} contacts differ at Loops since an earlier look")


def _check_remote(sample: int | None) -> Check:
    look = look_at_loops(sample=sample)
    detail = f"{look.differing} of {look.looked} contacts differ at Loops"
    if look.error:
        detail = f"{look.error} after {look.looked} contacts"
    finished = look.state in (RemoteCheck.State.OK, RemoteCheck.State.DRIFT)
    return Check("remote", str(look.state), look.differing if finished else None, detail, look.examples[:EXAMPLES])


def _expected(sample: int | None) -> Iterator[tuple[Contact, Properties]]:
    """Contacts, each with the properties it should have."""
    rows = Contact.objects.filter(forgotten_at=None)
    ids = list(rows.order_by("?" if sample else "pk").values_list("pk", flat=True)[:sample])
    for start in range(0, len(ids), CHUNK):
        contacts = list(Contact.objects.filter(pk__in=ids[start : start + CHUNK]))
        people = selectors.people([contact.email for contact in contacts])
        for contact in contacts:
            yield contact, properties_of(people[contact.email], user_id=str(contact.pk))


def _names(held: Properties, wanted: Properties) -> str:
    return ", ".join(name for name, _held, _wanted in differences(held, wanted))
