"""What every CRM adapter takes and gives. Plain data in and out: no Django, no HTTP, no Nango."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

Json = dict[str, Any]
logger = logging.getLogger(__name__)


class ProviderError(Exception):
    """What the CRM is or says cannot be used. The message is for the person who connected it."""


class Refused(Exception):
    """A call that got no good answer; whoever answers calls raises it or a kind of it.

    `body` is what the CRM itself said, None when it was somebody else who refused.
    """

    status: int | None = None
    body: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a CRM, as its own documentation writes it."""

    method: str
    path: str
    query: dict[str, str] | None = None
    body: Json | None = None
    headers: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a 2xx or a 304, and the JSON, or None where there was none."""

    status: int
    body: Any


Ask = Callable[[Call], Answer]
Owners = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedContact:
    """A person as a CRM has it. Blank is "", times are UTC.

    `phone` is the CRM's phone, else its mobile. `merged_ids`: ids that are this contact since a merge. `owner_unread`:
    the CRM has an owner but does not let us see who, so that the blank says nothing.
    """

    crm_id: str
    first_name: str = ""
    last_name: str = ""
    name: str = ""
    phone: str = ""
    mobile: str = ""
    email: str = ""
    company: str = ""
    country: str = ""
    owner: str = ""
    owner_email: str = ""
    owner_unread: bool = False
    status: str = ""
    stage: str = ""
    description: str = ""
    last_activity_at: datetime | None = None
    changed_at: datetime | None = None
    opted_out: bool = False
    merged_ids: tuple[str, ...] = ()
    is_deleted: bool = False

    def __post_init__(self) -> None:
        if not self.crm_id:
            raise ProviderError("The CRM sent a contact without an id.")

    @property
    def label(self) -> str:
        """What to call it in a list."""
        return self.name or self.email or self.phone or self.crm_id


class Provider(Protocol):
    """One CRM; each of our modules is one. Whatever goes wrong rises: ProviderError, or what `ask` raises."""

    @property
    def source(self) -> str:
        """Our name of it."""

    def account_id(self, config: Json) -> str:
        """Which account of the CRM this is, from Nango's connection config. Raises ProviderError."""

    def pages(self, ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
        """All contacts, or those changed at `since` or later. One that changes meanwhile may come twice."""

    def deleted(self, ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
        """What the CRM says went since then, with nothing but ids in it; nothing where it has no such list.

        Either an id with `is_deleted`, or the survivor's id with the `merged_ids` that it took over. An id that was
        merged may come as deleted too.
        """

    def ids(self, ask: Ask, config: Json) -> Iterator[list[str]]:
        """The ids of all contacts, by the fewest and smallest answers."""


def walk(ask: Ask, first: Call, follow: Callable[[Any], Call | None]) -> Iterator[Answer]:
    """All pages. `follow` makes the next call out of a body, None after the last. Raises ProviderError in a circle."""
    call: Call | None = first
    while call is not None:
        answer = ask(call)
        yield answer
        asked, call = call, follow(answer.body)
        if call == asked:
            raise ProviderError("The CRM's pages lead in a circle.")


def windows(
    read: Callable[[datetime | None], Iterator[list[FetchedContact]]], since: datetime | None, most: int
) -> Iterator[list[FetchedContact]]:
    """All pages of a list, oldest change first, that the CRM cuts off after `most`.

    It is read again from the last change that it showed. Raises ProviderError where that is no way forward.
    """
    while True:
        count, last = 0, since
        for page in read(since):
            yield page
            count += len(page)
            last = page[-1].changed_at if page else last
            if count >= most:
                break
        else:
            return
        if last is None or last == since:
            raise ProviderError(f"More than {most} contacts changed in one moment, and the CRM does not list more.")
        since = last


def visible_owners(source: str, read: Callable[[], Owners]) -> Owners | None:
    """Names and emails by id, or None where our permission does not reach them: contacts matter more than owners."""
    try:
        return read()
    except Refused as error:
        lacks_scope = error.status == 403 or (error.status == 401 and "scope" in str(error.body).lower())
        if error.body is None or not lacks_scope:
            raise
    logger.warning("%s does not show us its users: owners stay blank until the permission is granted.", source)
    return None


def owned_by(owners: Owners | None, owner_id: str) -> Json:
    """The fields of FetchedContact that tell its owner."""
    if owners is None:
        return {"owner_unread": bool(owner_id)}
    name, email = owners.get(owner_id, ("", ""))
    return {"owner": name, "owner_email": email}


def rows(body: Any, name: str) -> list[Json]:
    """A list of objects that must be there: an answer without one is no empty page. Raises ProviderError."""
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ProviderError(f"The CRM's answer has no list of {name}.")
    return found


def nested(value: Any) -> Json:
    """An object that may be missing."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Json]:
    """A list of objects that may be missing."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """Trimmed, "" for what is missing. NUL and lone surrogates, which no database takes, are dropped."""
    if isinstance(value, str):
        clean = value if value.isascii() else value.encode("utf-8", "ignore").decode()
        return clean.replace("\0", "").strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def first_of(*values: Any) -> str:
    """The first that is not blank."""
    return next((found for found in map(text, values) if found), "")


def joined(*values: Any) -> str:
    """Those that are not blank, with a space between: a name out of its parts."""
    return " ".join(filter(None, map(text, values)))


def moment(value: Any) -> datetime | None:
    """ISO 8601, a date, or milliseconds, as UTC, which is meant where no zone is named; None for anything else."""
    found = text(value)
    try:
        if found.isdigit() and len(found) > 8:
            return datetime.fromtimestamp(int(found) / 1000, UTC)
        parsed = datetime.fromisoformat(found)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def stamp(since: datetime) -> str:
    """As `2026-05-01T07:25:37Z`, never later than `since`."""
    return since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def host(url: Any) -> str:
    """The host of an address, which names an account where each has a domain of its own."""
    return text(url).lower().partition("://")[2].split("/")[0]
