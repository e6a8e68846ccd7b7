"""What Loops really holds, a contact at a time, against what it should."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from loops_sync import client, selectors
from loops_sync.contacts import OWN_KEYS, TIME_KEYS, Properties, differences, properties_of
from loops_sync.models import Contact, Drift, DriftQuerySet, OutboxEntry, RemoteCheck
from loops_sync.services import relay
from loops_sync.services.outbox import record_change
from loops_sync.services.pace import Stop, pause_all, wait_for_slot
from loops_sync.services.setup import set_up_account

# As long as a chunk is looked at, its first properties grow old; whoever seems to differ is looked at again.
CHUNK = 50
TRIES, PAUSE_SECONDS = 3, 1.0
# The queue stops a task after 150 s.
NIGHTLY_SAMPLE, NIGHTLY_SECONDS = 50, 60.0
RESEND = "resync"
State = RemoteCheck.State
Differences = list[tuple[str, Any, Any]]
logger = logging.getLogger(__name__)


@dataclass
class Look:
    """How a look at Loops ended; `error` when it could not be finished."""

    looked: int = 0
    differing: int = 0
    state: str = State.OK
    error: str = ""
    examples: list[str] = field(default_factory=list)


def look_at_loops(*, sample: int | None = None, seconds: float | None = None) -> Look:
    """Ask Loops for each contact that it should hold, or for so many by chance, and keep what differs.

    Whoever is being told something is left out. Takes its turns among the workers' requests; an error that repeats,
    or the end of its time, ends it as `unknown`, a refused key as `broken`. Never raises for a foreign error.
    """
    row = RemoteCheck.objects.create()
    ends_at, look = None if seconds is None else time.monotonic() + seconds, Look()
    try:
        for contact, wanted in _held_contacts(sample):
            if ends_at is not None and time.monotonic() >= ends_at:
                look.state, look.error = State.UNKNOWN, "Time was up"
                break
            _compare(look, contact, wanted)
    except client.LoopsError as error:
        look.state, look.error = State.BROKEN if error.is_unauthorized else State.UNKNOWN, str(error)
        if error.is_unauthorized:
            relay.note_failure(error, is_new=True)
    except Stop:
        look.state, look.error = State.UNKNOWN, "Loops asked for patience"
    values = {"state": look.state, "looked": look.looked, "differing": look.differing, "error": look.error}
    RemoteCheck.objects.filter(pk=row.pk).update(finished_at=timezone.now(), **values)
    return look


def look_by_night() -> None:
    """Whether the account still has what it must, and whether a small sample of it is right."""
    try:
        set_up_account(create=False)
    except (client.LoopsError, Stop) as error:  # the sample meets it, too, and keeps it for staff
        logger.warning("The account at Loops was not looked at: %s", error)
    look_at_loops(sample=NIGHTLY_SAMPLE, seconds=NIGHTLY_SECONDS)


def resend_drifted(drifts: DriftQuerySet) -> list[UUID]:
    """Have these contacts told everything anew, whatever Loops accepted before: their ids.

    Those a worker speaks of at this moment are left out: what it notes at its end would undo this.
    """
    with transaction.atomic():
        contact_ids = drifts.open().values("contact_id")
        tellable = Contact.objects.filter(pk__in=contact_ids, deleted_at=None, forgotten_at=None)
        chosen = tellable.free(timezone.now()).order_by("pk")
        emails = dict(chosen.select_for_update(no_key=True).values_list("pk", "email"))
        Contact.objects.filter(pk__in=emails).update(accepted=None, next_attempt_at=None, failures=0)
        return record_change(RESEND, emails.values())


def _held_contacts(sample: int | None) -> Iterator[tuple[Contact, Properties]]:
    """Those that Loops has accepted, each with the properties it should hold."""
    rows = Contact.objects.filter(synced_at__isnull=False, deleted_at=None, forgotten_at=None)
    ids = list(rows.order_by("?" if sample else "pk").values_list("pk", flat=True)[:sample])
    for start in range(0, len(ids), CHUNK):
        contacts = list(Contact.objects.filter(pk__in=ids[start : start + CHUNK]))
        people = selectors.people([contact.email for contact in contacts])
        for contact in contacts:
            yield contact, properties_of(people[contact.email], user_id=str(contact.pk))


def _compare(look: Look, contact: Contact, wanted: Properties) -> None:
    held = _ask(contact.email)
    found = _differing(contact, held, wanted)
    if found:
        # It may have changed since it was read: only what differs twice, while nobody speaks of it, does.
        contact.refresh_from_db()
        told_at, person = contact.synced_at, selectors.people([contact.email])[contact.email]
        held = _ask(contact.email)
        found = _differing(contact, held, properties_of(person, user_id=str(contact.pk)))
        contact.refresh_from_db()
        is_told = OutboxEntry.objects.open().filter(contact=contact).exists()
        if is_told or contact.synced_at != told_at or contact.is_gone:
            return
    look.looked += 1
    if not found:
        Drift.objects.open().filter(contact=contact).update(mended_at=timezone.now())
        return
    look.differing, look.state = look.differing + 1, State.DRIFT
    names = "missing" if held is None else ", ".join(name for name, _ours, _theirs in found)
    look.examples.append(f"{contact.email}: {names}")
    _keep(contact, found, is_missing=held is None)


def _keep(contact: Contact, found: Differences, *, is_missing: bool) -> None:
    """One open finding of a contact, as it was seen last."""
    rows = [{"property": name, "ours": ours, "theirs": theirs} for name, ours, theirs in found]
    with transaction.atomic():
        Drift.objects.bulk_create([Drift(contact=contact)], ignore_conflicts=True)
        Drift.objects.open().filter(contact=contact).update(differences=rows, is_missing=is_missing)


def _ask(email: str) -> dict[str, Any] | None:
    """What Loops says of the address. Raises LoopsError when it fails again and again, Stop when it has to rest."""
    for _try in range(TRIES - 1):
        try:
            return _ask_once(email)
        except client.LoopsError as error:
            if error.permanent or error.is_unauthorized:
                raise
    return _ask_once(email)


def _ask_once(email: str) -> dict[str, Any] | None:
    wait_for_slot()
    try:
        return client.find_contact(email)
    except client.LoopsError as error:
        if error.is_throttled:
            pause_all(PAUSE_SECONDS if error.retry_after is None else error.retry_after)
        raise


def _differing(contact: Contact, held: dict[str, Any] | None, wanted: Properties) -> Differences:
    """What is ours and what is theirs, by property. Who unsubscribed is on no list, and that is right."""
    known = {} if held is None else _known(held, wanted)
    if contact.is_unsubscribed or (held is not None and held.get("subscribed") is False):
        known.pop("mailingLists", None)
        wanted = {key: value for key, value in wanted.items() if key != "mailingLists"}
    return differences(wanted, known)


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
