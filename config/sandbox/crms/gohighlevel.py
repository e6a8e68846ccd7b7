"""GoHighLevel: contacts by search, users apart (https://marketplace.gohighlevel.com/docs/ghl/contacts)."""

import re
from base64 import b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

from config.sandbox.crms import times
from config.sandbox.crms.account import Account, Json, View
from config.sandbox.crms.call import CrmCall, CrmError
from config.sandbox.crms.person import Owner, Person, Vocabulary
from config.sandbox.wire import Response, json_response

SEARCH, ONE, USERS = re.compile("/contacts/search"), re.compile(r"/contacts/(\w{20})"), re.compile("/users/search")
VERSIONS = ("2021-07-28", "2021-04-15", "2023-02-21", "v3")
PAGE, BY_PAGE, USER_PAGE = 500, 10_000, 25
TRACE = "00000000-0000-4000-8000-000000000000"
MOMENTS = ("dateUpdated", "dateAdded")
BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "gte": lambda moment, bound: moment >= bound,
    "gt": lambda moment, bound: moment > bound,
    "lte": lambda moment, bound: moment <= bound,
    "lt": lambda moment, bound: moment < bound,
}
FAILURES = {
    "rate_limited": (429, "Too Many Requests"),
    "unauthorized": (401, "Invalid JWT"),
    "forbidden": (401, "The token is not authorized for this scope."),
    "error": (500, "Internal server error"),
    "not_found": (404, "Cannot find this route"),
}
Filter = tuple[str, str, int]


class GoHighLevel(Account):
    """A location. Phones are in E.164 where they can be; a merged or deleted contact is just gone (reference 5.5)."""

    provider = "highlevel"
    display_name = "HighLevel"
    step = 1
    needs_owner = False
    hides = ("status", "description", "title", "last_activity_at")
    words = Vocabulary(stages=("lead", "customer"), sources=("facebook", "website form", "referral"))

    def person_id(self, position: int) -> str:
        """20 letters and digits that tell nothing."""
        return _letters(f"contact {self.seed} {position}")

    def owner_id(self, number: int) -> str:
        """The same."""
        return _letters(f"user {self.seed} {number}")

    def connection_config(self) -> Json:
        """The agency and its location."""
        return {"companyId": self.company_id, "locationId": self.location_id}

    @property
    def company_id(self) -> str:
        """The agency."""
        return _letters(f"company {self.seed}")

    @property
    def location_id(self) -> str:
        """The location."""
        return _letters(f"location {self.seed}")

    def views(self) -> Iterable[View]:
        """Contacts and users."""
        return ("POST", SEARCH, self._search), ("GET", ONE, self._one), ("GET", USERS, self._users)

    def page_mark(self, call: CrmCall) -> str | None:
        """`searchAfter`, or the number of the page."""
        if not SEARCH.fullmatch(call.path):
            return None
        body = call.body or {}
        return str(body.get("searchAfter") or (body.get("page", 1) if body.get("page", 1) != 1 else ""))

    def failure(self, kind: str) -> Response:
        """Status and words."""
        status, message = FAILURES[kind]
        return json_response(status, _error(status, message))

    def answer(self, call: CrmCall) -> Response:
        """Every call names the version of the API; without, it is a 401 that is no matter of credentials."""
        version = call.headers.get("version")
        if version not in VERSIONS:
            wrong = "version header is invalid" if version else "version header was not found."
            return json_response(401, {"statusCode": 401, "message": wrong})
        return super().answer(call)

    def neutral(self, person: Person) -> Json:
        """One phone comes first, whichever it is."""
        facts = super().neutral(person)
        first, second = (*_phones(person), (None, None), (None, None))[:2]
        return {
            **facts,
            **dict(zip(("phone", "phone_e164"), first, strict=True)),
            **dict(zip(("mobile", "mobile_e164"), second, strict=True)),
        }

    def _search(self, call: CrmCall) -> object:
        """A page of the contacts that match, behind `searchAfter` or by number."""
        body = call.body or {}
        self._check(body)
        field, descends = _sort(body)
        filters = _filters(body.get("filters") or [])
        order = self.book.by_change("contact") if field == "dateUpdated" else self.book.by_id("contact")
        for test in filters:
            order = self._bounded(order, field, test)
        size = self.fits(body["pageLimit"], PAGE)
        start = self._start(order, body, field, descends=descends)
        page = (order[::-1] if descends else order)[start : start + size]
        contacts = [self._shown(self.book.person(at), field) for at in page]
        return {"contacts": contacts, "total": len(order), "traceId": TRACE}

    def _check(self, body: Json) -> None:
        """Refuse with all that is missing, and a location that is not the one connected."""
        limit, page = body.get("pageLimit"), body.get("page", 1)
        wrong = [] if isinstance(body.get("locationId"), str) else ["locationId must be a string"]
        if type(limit) is not int or not 0 < limit <= PAGE:
            wrong.append(f"pageLimit must be a number from 1 to {PAGE}")
        if type(page) is not int or page < 1:
            wrong.append("page must not be less than 1")
        elif not wrong and page * (limit or 0) > BY_PAGE:
            wrong.append(f"page reaches only the first {BY_PAGE} contacts")
        if "page" in body and "searchAfter" in body:
            wrong.append("page and searchAfter cannot be given together")
        if wrong:
            raise CrmError(422, _error(422, wrong))
        self._check_location(body["locationId"])

    def _check_location(self, location: object) -> None:
        """An agency's token reaches no contacts, a location's only its own."""
        if location != self.config.get("locationId"):
            raise CrmError(403, _error(403, "The token does not have access to this location."))

    def _moment(self, at: int, field: str) -> int:
        """When it was changed or added."""
        return self.book.updated(at) if field == "dateUpdated" else self.book.person(at).created

    def _bounded(self, order: list[int], sorted_by: str, test: Filter) -> list[int]:
        """Those within a bound: a cut where the order is by the same field."""
        field, name, bound = test
        if field != sorted_by:
            return [at for at in order if BOUNDS[name](self._moment(at, field), bound)]
        bisect = bisect_left if name in ("gte", "lt") else bisect_right
        cut = bisect(order, bound, key=lambda at: self._moment(at, field))
        return order[cut:] if name.startswith("g") else order[:cut]

    def _start(self, order: list[int], body: Json, field: str, *, descends: bool) -> int:
        """Where the page begins. Of several at the same moment those up to the one named are left out."""
        if "searchAfter" not in body:
            return int((body.get("page", 1) - 1) * body["pageLimit"])
        mark = body["searchAfter"]
        if not isinstance(mark, list) or len(mark) != 2 or type(mark[0]) is not int:
            raise CrmError(422, _error(422, ["searchAfter must be the one of the last contact"]))
        moment, id_ = mark
        left = bisect_left(order, moment, key=lambda at: self._moment(at, field))
        right = bisect_right(order, moment, key=lambda at: self._moment(at, field))
        named = next((n for n in range(left, right) if self.person_id(order[n]) == id_), None)
        if descends:
            return len(order) - (right if named is None else named)
        return left if named is None else named + 1

    def _shown(self, person: Person, field: str) -> Json:
        """One contact of a search, with where to go on behind it."""
        owner, id_ = self.owner_of(person), self.person_id(person.position)
        first, *others = [*(number for number, _ in _phones(person)), None]
        refusals = {"Email": person.email_opt_out, "Call": person.do_not_call, "SMS": person.do_not_call}
        return {
            "id": id_,
            "locationId": self.location_id,
            "firstName": person.first_name,
            "lastName": person.last_name,
            "firstNameLowerCase": person.first_name and person.first_name.lower(),
            "lastNameLowerCase": person.last_name and person.last_name.lower(),
            "contactName": person.name.lower() or None,
            "email": person.email,
            "additionalEmails": [{"email": person.other_email}] if person.other_email else [],
            "phone": first,
            "phoneLabel": None,
            "additionalPhones": [{"phone": number} for number in others if number],
            "companyName": person.company,
            "businessName": person.company,
            "businessId": None,
            "assignedTo": owner.id if owner else None,
            "followers": [],
            "type": person.stage,
            "source": person.lead_source,
            "tags": ["follow-up"] if person.position % 3 == 0 else [],
            "country": person.country,
            "dnd": all(refusals.values()),
            "dndSettings": {name: {"status": "active", "code": "103"} for name, on in refusals.items() if on},
            "inboundDndSettings": {},
            "customFields": [],
            "opportunities": [],
            "dateAdded": times.iso(person.created),
            "dateUpdated": times.iso(person.updated),
            "searchAfter": [person.updated if field == "dateUpdated" else person.created, id_],
        }

    def _one(self, _: CrmCall, id_: str) -> object:
        """One contact, with what a search leaves out."""
        try:
            person = self.book.person(self.position_of(id_))
        except KeyError:
            raise CrmError(400, _error(400, "Contact not found")) from None
        if person.deleted is not None:
            raise CrmError(400, _error(400, "Contact not found"))
        active = None if person.last_activity is None else times.iso(person.last_activity)
        return {"contact": {**self._shown(person, "dateUpdated"), "lastActivity": active}, "traceId": TRACE}

    def _users(self, call: CrmCall) -> object:
        """The colleagues, a page at a time."""
        if not call.query.get("companyId"):
            raise CrmError(422, _error(422, ["companyId should not be empty"]))
        skip, limit = call.count("skip", 0) or 0, call.count("limit", USER_PAGE) or USER_PAGE
        users = [_user(owner) for owner in self.owners]
        return {"users": users[skip : skip + limit], "count": len(users), "traceId": TRACE}


def _phones(person: Person) -> list[tuple[str, str | None]]:
    """The numbers that are no blanks, in E.164 where they can be, and what they stand for."""
    given = ((person.phone, person.phone_e164), (person.mobile, person.mobile_e164))
    return [(e164 or raw, e164) for raw, e164 in given if raw]


def _sort(body: Json) -> tuple[str, bool]:
    """Field and whether it descends; the newest first when nothing is said."""
    given = body.get("sort") or [{"field": "dateAdded", "direction": "desc"}]
    first = given[0] if isinstance(given, list) and isinstance(given[0], dict) else {}
    field, direction = first.get("field"), first.get("direction", "asc")
    if field not in MOMENTS or direction not in ("asc", "desc"):
        raise CrmError(422, _error(422, [f"sort.field must be one of {', '.join(MOMENTS)}"]))
    return str(field), direction == "desc"


def _filters(given: object) -> list[Filter]:
    """Ranges of time, which must all hold."""
    if not isinstance(given, list):
        raise CrmError(422, _error(422, ["filters must be an array"]))
    return [bound for entry in given for bound in _filter(entry)]


def _filter(entry: Any) -> list[Filter]:
    """One of them, or a group joined by AND."""
    if isinstance(entry, dict) and entry.get("group") == "AND":
        return _filters(entry.get("filters"))
    value = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(value, dict) or entry.get("field") not in MOMENTS or entry.get("operator") != "range":
        raise CrmError(422, _error(422, ["filters: only a range of dateUpdated or dateAdded is understood here"]))
    moments = {name: times.parse_moment(limit) for name, limit in value.items()}
    known = [(entry["field"], name, bound) for name, bound in moments.items() if name in BOUNDS and bound is not None]
    if len(known) != len(moments):
        raise CrmError(422, _error(422, ["filters: a bound is gt, gte, lt or lte and a time"]))
    return known


def _user(owner: Owner) -> Json:
    """A row of the users."""
    return {
        "id": owner.id,
        "name": owner.name,
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "email": owner.email,
        "phone": "",
        "deleted": not owner.is_active,
    }


def _letters(text: str) -> str:
    """20 letters and digits that belong to this text."""
    digest = blake2b(text.encode(), digest_size=15).digest()
    return b64encode(digest, b"aZ").decode()


def _error(status: int, message: object) -> Json:
    """The body of every error."""
    words = {403: "Forbidden", 422: "Unprocessable Entity", 400: "Bad Request"}
    return {"statusCode": status, "message": message, "error": words.get(status, "Error"), "traceId": TRACE}
