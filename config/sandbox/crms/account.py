"""One account of a CRM: its people and colleagues. A subclass for each CRM says how they look from outside."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from config.sandbox.crms import times
from config.sandbox.crms.book import Book
from config.sandbox.crms.call import CrmCall, CrmError
from config.sandbox.crms.people import COMPANIES, OWNERS, make_owners, make_person
from config.sandbox.crms.person import Owner, Person, Vocabulary
from config.sandbox.wire import Response, json_response

Json = dict[str, Any]
View = tuple[str, re.Pattern[str], Callable[..., object]]
TEXTS = (
    "first_name last_name email other_email phone mobile phone_e164 mobile_e164 company title country "
    "status stage lead_source description"
).split()
FLAGS = ("email_opt_out", "do_not_call")
# What a survivor of a merge takes from the other where it has nothing itself.
FILLED = [name for name in TEXTS if not name.endswith("_e164")]
LEAD_EVERY = 3


class Account(ABC):
    """An account, deterministic by its seed. Not thread safe: Nango holds its lock around every call.

    `hides` are the neutral facts that the lists of this CRM do not tell. `page_size` shrinks all pages,
    `hidden_fields` are those that the connected user may not see, `config` is what Nango knows of the account.
    """

    provider: ClassVar[str]
    display_name: ClassVar[str]
    words: ClassVar[Vocabulary]
    step: ClassVar[int] = times.SECOND
    has_leads: ClassVar[bool] = False
    needs_owner: ClassVar[bool] = True
    deleting_touches: ClassVar[bool] = False
    hides: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, seed: int, people: int = 0, dirt: Sequence[str] = (), region: str = "GB") -> None:
        """So many invented people, and five colleagues."""
        self.seed, self.region, self.dirt = seed, region, tuple(dirt)
        self.page_size: int | None = None
        self.hidden_fields: frozenset[str] = frozenset()
        self.config = self.connection_config()
        self.owners = make_owners([self.owner_id(number) for number in range(len(OWNERS))])
        self._companies = dict.fromkeys(COMPANIES)
        self._positions: dict[str, int] = {}
        self.book = Book(self._make, self._invented_module, step=self.step)
        self.book.add_generated(people)

    # What each CRM says for itself.

    @abstractmethod
    def person_id(self, position: int) -> str:
        """The id that the CRM shows; grows with the position."""

    @abstractmethod
    def owner_id(self, number: int) -> str:
        """The id of a colleague."""

    @abstractmethod
    def connection_config(self) -> Json:
        """What Nango learns of the account when it is connected (reference 1.3)."""

    @abstractmethod
    def views(self) -> Iterable[View]:
        """Method, path and what answers it."""

    @abstractmethod
    def page_mark(self, call: CrmCall) -> str | None:
        """The cursor of a call that lists people, "" for a first page; None for any other call."""

    @abstractmethod
    def failure(self, kind: str) -> Response:
        """How this CRM says `rate_limited`, `unauthorized`, `forbidden`, `error` or `not_found`."""

    def answer(self, call: CrmCall) -> Response:
        """One call of the CRM's API."""
        try:
            for method, pattern, view in self.views():
                found = pattern.fullmatch(call.path)
                if found and method == call.method:
                    answer = view(call, *found.groups())
                    return answer if isinstance(answer, Response) else json_response(200, answer)
        except CrmError as error:
            return error.response
        return self.failure("not_found")

    def fits(self, wanted: int, most: int) -> int:
        """How many a page holds: what was asked for, or less when pages were shrunk for a test."""
        return min(wanted, most, self.page_size or most)

    def position_of(self, id_: str) -> int:
        """Raises KeyError for an id that was never given."""
        for position in range(len(self._positions), self.book.size):
            self._positions[self.person_id(position)] = position
        return self._positions[id_]

    def owner_of(self, person: Person) -> Owner | None:
        """The colleague it belongs to."""
        if person.owner is None:
            return self.owners[0] if self.needs_owner else None
        return self.owners[person.owner]

    def company_number(self, name: str) -> int:
        """Companies with records of their own count from 1 in order of appearance."""
        self._companies.setdefault(name)
        return list(self._companies).index(name) + 1

    def company_name(self, number: int) -> str | None:
        """The company of a number."""
        return list(self._companies)[number - 1] if 1 <= number <= len(self._companies) else None

    def shown_company(self, person: Person) -> str | None:
        """The company as the lists tell it."""
        return person.company

    def shown_activity(self, moment: int) -> str:
        """A last activity as the lists tell it."""
        return times.iso(moment)

    # What a test does to the account.

    def add_people(self, count: int) -> list[str]:
        """Add invented people as of now; their ids."""
        return [self.person_id(position) for position in self.book.add_generated(count, at=self.book.tick())]

    def upsert(self, id_: str | None, facts: Json) -> Person:
        """Change a person, or add one without an id. Raises KeyError, and ValueError on a fact that does not exist."""
        changes = self._checked(facts)
        if id_ is None:
            return self.book.add(Person(0, **{"module": "contact", **changes}))
        if "module" in changes:
            raise ValueError("module is chosen once, when a contact is added")
        person = self.book.for_change(self.position_of(id_))
        for name, value in changes.items():
            setattr(person, name, value)
        self.book.touch(person)
        return person

    def delete(self, id_: str) -> None:
        """Delete, archive, or move to the bin. Raises KeyError."""
        self.book.remove(self.book.for_change(self.position_of(id_)), touch=self.deleting_touches)

    def restore(self, id_: str) -> None:
        """Undo it. Raises KeyError."""
        person = self.book.for_change(self.position_of(id_))
        self.book.revive(person)
        self.book.touch(person)

    def merge(self, winner_id: str, loser_id: str) -> str:
        """Make one of two; the id that is left. Raises KeyError, and ValueError when they cannot be merged."""
        winner, loser = (self.book.for_change(self.position_of(id_)) for id_ in (winner_id, loser_id))
        if winner.position == loser.position or winner.module != loser.module or winner.deleted or loser.deleted:
            raise ValueError("two different live records of one module can be merged")
        survivor = self._merged(winner, loser)
        self.book.touch(survivor)
        return self.person_id(survivor.position)

    def convert(self, id_: str) -> str:
        """Make a contact of a lead; the id of the contact. Raises KeyError, and ValueError for what is no lead."""
        lead = self.book.for_change(self.position_of(id_))
        if lead.module != "lead" or lead.converted_to is not None:
            raise ValueError("only a lead can be converted, once")
        contact = self.book.add(replace(lead, module="contact", merged_from=[]))
        lead.converted_to = contact.position
        self.book.touch(lead)
        return self.person_id(contact.position)

    def neutral(self, person: Person) -> Json:
        """What a reader of this CRM can know of a person, in words of no CRM; None for what it cannot."""
        owner = self.owner_of(person)
        facts: Json = {name: getattr(person, name) for name in (*TEXTS, *FLAGS, "module", "dirt")}
        facts |= {
            "id": self.person_id(person.position),
            "name": person.name,
            "company": self.shown_company(person),
            "owner": owner.name if owner else None,
            "owner_email": owner.email if owner else None,
            "last_activity_at": None if person.last_activity is None else self.shown_activity(person.last_activity),
            "created_at": times.iso(person.created),
            "updated_at": times.iso(person.updated),
            "deleted": person.deleted is not None,
            "merged_into": None if person.merged_into is None else self.person_id(person.merged_into),
            "merged_from": [self.person_id(position) for position in person.merged_from],
            "converted_to": None if person.converted_to is None else self.person_id(person.converted_to),
        }
        facts |= dict.fromkeys(self.hides)
        facts["opted_out"] = bool(facts["email_opt_out"] or facts["do_not_call"])
        return facts

    def _make(self, position: int) -> Person:
        """Invent the person at a position."""
        module = self._invented_module(position)
        return make_person(
            seed=self.seed, index=position, module=module, region=self.region, words=self.words, dirt=self.dirt
        )

    def _invented_module(self, position: int) -> str:
        """Every third is a lead where the CRM keeps leads apart."""
        return "lead" if self.has_leads and position % LEAD_EVERY == LEAD_EVERY - 1 else "contact"

    def _merged(self, winner: Person, loser: Person) -> Person:
        """The winner keeps its id and its values, and fills its gaps (reference 5.3, 6)."""
        fill_gaps(winner, loser)
        self.book.remove(loser, touch=self.deleting_touches)
        loser.merged_into = winner.position
        return winner

    def _checked(self, facts: Json) -> Json:
        """Facts of the neutral form as fields of a person. Raises ValueError."""
        changes: Json = {}
        for name, value in facts.items():
            changes |= self._checked_fact(name, value)
        # A raw phone that was changed stands for what the caller says, and else for nothing known.
        for name in ("phone", "mobile"):
            if name in changes:
                changes.setdefault(f"{name}_e164", None)
        return changes

    def _checked_fact(self, name: str, value: object) -> Json:
        """One of them."""
        if name in TEXTS and (value is None or isinstance(value, str)):
            return {name: value}
        if name in FLAGS and isinstance(value, bool):
            return {name: value}
        if name == "module" and value in ("contact", "lead") and (value == "contact" or self.has_leads):
            return {name: value}
        if name == "owner_email":
            return {"owner": None if value is None else [owner.email for owner in self.owners].index(str(value))}
        if name == "last_activity_at" and (value is None or times.parse_iso(value) is not None):
            return {"last_activity": times.parse_iso(value)}
        raise ValueError(f"{name} is no fact of a {self.display_name} contact, or not of that type")


def fill_gaps(winner: Person, loser: Person) -> None:
    """The winner's values win; the other's fill what is missing."""
    for name in FILLED:
        if not getattr(winner, name) and getattr(loser, name):
            setattr(winner, name, getattr(loser, name))
            if name in ("phone", "mobile"):
                setattr(winner, f"{name}_e164", getattr(loser, f"{name}_e164"))
