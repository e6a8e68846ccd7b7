"""HubSpot: contacts listed or searched, owners apart (https://developers.hubspot.com/docs/api-reference)."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from config.sandbox.crms import times
from config.sandbox.crms.account import Account, Json, View, fill_gaps
from config.sandbox.crms.call import CrmCall, whole
from config.sandbox.crms.hubspot_search import matching, refusal
from config.sandbox.crms.person import Owner, Person, Vocabulary
from config.sandbox.crms.places import PLACES
from config.sandbox.wire import Response, json_response

CONTACTS = r"/crm/(?:v3/objects|objects/2026-0[39])/contacts"
LIST, SEARCH, ONE = re.compile(CONTACTS), re.compile(CONTACTS + "/search"), re.compile(CONTACTS + r"/(\d+)")
OWNERS = re.compile(r"/crm/(?:v3/owners|owners/2026-0[39])/?")
LIST_PAGE, SEARCH_PAGE, SEARCH_END = 100, 200, 10_000
ALWAYS = ("createdate", "hs_object_id", "lastmodifieddate")
BY_DEFAULT = ("email", "firstname", "lastname")
# Status, words, and what else each failure says.
FAILURES: dict[str, tuple[int, str, dict[str, str]]] = {
    "rate_limited": (
        *(429, "You have reached your ten_secondly_rolling limit."),
        {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"},
    ),
    "unauthorized": (401, "The OAuth token used to make this call expired.", {"category": "EXPIRED_AUTHENTICATION"}),
    "forbidden": (
        *(403, "This app hasn't been granted all required scopes to make this call."),
        {"category": "MISSING_SCOPES"},
    ),
    "error": (500, "Internal Server Error", {"category": "INTERNAL_ERROR"}),
    "not_found": (404, "resource not found", {"category": "OBJECT_NOT_FOUND"}),
}


class HubSpot(Account):
    """A portal. Merging makes a new contact; archiving changes no time (reference 5.1)."""

    provider = "hubspot"
    display_name = "HubSpot"
    step = 1
    needs_owner = False
    hides = ("lead_source", "do_not_call")
    words = Vocabulary(
        statuses=tuple("NEW OPEN IN_PROGRESS OPEN_DEAL UNQUALIFIED ATTEMPTED_TO_CONTACT CONNECTED".split()),
        stages=tuple("subscriber lead marketingqualifiedlead salesqualifiedlead opportunity customer".split()),
    )

    def __init__(self, **options: Any) -> None:
        """Nothing was searched for yet."""
        self._answered: tuple[str, list[int]] = "", []
        super().__init__(**options)

    def person_id(self, position: int) -> str:
        """Digits, as a string."""
        return str(self._first_id + position)

    def owner_id(self, number: int) -> str:
        """Digits, as a string."""
        return str(47_000_000 + self.seed % 1000 * 100 + number)

    def connection_config(self) -> Json:
        """The portal."""
        return {"portalId": 147_000_000 + self.seed}

    def views(self) -> Iterable[View]:
        """Contacts and owners, in version 3 and the dated ones."""
        return (
            ("GET", LIST, self._list),
            ("POST", SEARCH, self._search),
            ("GET", ONE, self._one),
            ("GET", OWNERS, self._list_owners),
        )

    def page_mark(self, call: CrmCall) -> str | None:
        """`after`, in the query or the body."""
        if LIST.fullmatch(call.path):
            return call.query.get("after", "")
        return str((call.body or {}).get("after") or "") if SEARCH.fullmatch(call.path) else None

    def failure(self, kind: str) -> Response:
        """`category` tells them apart, and for rates `errorType`."""
        status, message, more = FAILURES[kind]
        return json_response(status, {"status": "error", "message": message, "correlationId": "0" * 8, **more})

    def properties(self, person: Person) -> dict[str, str | None]:
        """All properties of a contact: strings or null."""
        owner, place = self.owner_of(person), PLACES.get(person.country or "")
        e164 = person.phone_e164 or person.mobile_e164
        active = None if person.last_activity is None else self.shown_activity(person.last_activity)
        return {
            "hs_object_id": self.person_id(person.position),
            "createdate": times.iso(person.created),
            "lastmodifieddate": times.iso(person.updated),
            "firstname": person.first_name,
            "lastname": person.last_name,
            "email": person.email,
            "hs_additional_emails": person.other_email,
            "phone": person.phone,
            "mobilephone": person.mobile,
            "hs_calculated_phone_number": e164,
            "hs_searchable_calculated_phone_number": e164 and e164.removeprefix(f"+{place.code if place else ''}"),
            "company": person.company,
            "jobtitle": person.title,
            "country": place.name if place else person.country,
            "hubspot_owner_id": owner.id if owner else None,
            "hs_lead_status": person.status,
            "lifecyclestage": person.stage,
            "message": person.description,
            "notes_last_updated": active,
            "notes_last_contacted": active,
            "hs_email_optout": "true" if person.email_opt_out else None,
            "hs_merged_object_ids": ";".join(map(self.person_id, person.merged_from)) or None,
        }

    @property
    def _first_id(self) -> int:
        """Ids of two portals are far apart."""
        return 713_000_000_000 + self.seed % 1000 * 100_000_000

    def _list(self, call: CrmCall) -> object:
        """A page in order of id; `archived=true` lists what was archived, without what was merged away."""
        limit, after = call.count("limit", 10), call.count("after", 0)
        if not limit or limit > LIST_PAGE or after is None:
            raise refusal(f"limit must be 1 to {LIST_PAGE}, after the cursor of a page")
        if call.query.get("archived") == "true":
            gone = (person for person in self.book.gone("contact") if person.merged_into is None)
            order = sorted(person.position for person in gone)
        else:
            order = self.book.by_id("contact")
        start = bisect_right(order, after - self._first_id)
        end = start + self.fits(limit, LIST_PAGE)
        page = order[start:end]
        mark = self.person_id(page[-1]) if end < len(order) else None
        return {"results": self._shown(page, _named(call.query.get("properties", ""))), **_paging(call.path, mark)}

    def _search(self, call: CrmCall) -> object:
        """A page of what matches; nothing beyond the first 10,000."""
        body = call.body
        if body is None:
            raise refusal("Invalid input JSON")
        limit, start = body.get("limit", 10), whole(str(body.get("after") or 0))
        if type(limit) is not int or not 0 < limit <= SEARCH_PAGE or start is None:
            raise refusal(f"limit must be 1 to {SEARCH_PAGE}, after the cursor of a page")
        if start + limit > SEARCH_END:
            raise refusal(f"Paging beyond {SEARCH_END} results is not supported")
        order = self._found(body)
        end = start + self.fits(limit, SEARCH_PAGE)
        names = body.get("properties") or []
        mark = str(end) if end < len(order) else None
        return {
            "total": len(order),
            "results": self._shown(order[start:end], [name for name in names if isinstance(name, str)]),
            **_paging(call.path, mark),
        }

    def _found(self, body: Json) -> list[int]:
        """What a search finds, sought again only when it or the contacts changed."""
        question = json.dumps([self.book.version, body.get("filterGroups"), body.get("sorts")])
        if question != self._answered[0]:
            self._answered = question, matching(self, body)
        return self._answered[1]

    def _one(self, call: CrmCall, id_: str) -> object:
        """One contact; an id that was merged away leads to what it became."""
        try:
            person = self.book.person(self.position_of(id_))
        except KeyError:
            return self.failure("not_found")
        while person.merged_into is not None:
            person = self.book.person(person.merged_into)
        if (person.deleted is not None) != (call.query.get("archived") == "true"):
            return self.failure("not_found")
        return self._shown([person.position], _named(call.query.get("properties", "")))[0]

    def _list_owners(self, call: CrmCall) -> object:
        """All active ones, or with `archived=true` those who left."""
        wanted = call.query.get("archived") != "true"
        return {"results": [_owner(owner) for owner in self.owners if owner.is_active == wanted]}

    def _shown(self, page: Sequence[int], names: Sequence[str]) -> list[Json]:
        """Records with the properties asked for; an unknown one is left out without a word."""
        wanted = {*ALWAYS, *(names or BY_DEFAULT)} - self.hidden_fields
        return [self._record(self.book.person(position), wanted) for position in page]

    def _record(self, person: Person, wanted: set[str]) -> Json:
        """One contact."""
        properties = self.properties(person)
        shown: Json = {
            "id": properties["hs_object_id"],
            "properties": {name: value for name, value in properties.items() if name in wanted},
            "createdAt": properties["createdate"],
            "updatedAt": properties["lastmodifieddate"],
            "archived": person.deleted is not None,
        }
        if person.deleted is not None:
            shown["archivedAt"] = times.iso(person.deleted)
        return shown

    def _merged(self, winner: Person, loser: Person) -> Person:
        """A new contact with a new id; both old ids are retired and lead to it (reference 5.1)."""
        fill_gaps(winner, loser)
        made_of = [winner.position, *winner.merged_from, loser.position, *loser.merged_from]
        merged = self.book.add(replace(winner, merged_from=made_of))
        for old in (winner, loser):
            self.book.remove(old, touch=False)
            old.merged_into = merged.position
        return merged


def _named(names: str) -> list[str]:
    """The properties of a query, separated by commas."""
    return [name.strip() for name in names.split(",") if name.strip()]


def _paging(path: str, mark: str | None) -> Json:
    """Nothing on a last page."""
    return {"paging": {"next": {"after": mark, "link": f"https://api.hubapi.com{path}?after={mark}"}}} if mark else {}


def _owner(owner: Owner) -> Json:
    """A row of the owners."""
    return {
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": int(owner.id),
        "createdAt": "2023-01-01T00:00:00.000Z",
        "updatedAt": "2023-01-01T00:00:00.000Z",
        "archived": not owner.is_active,
    }
