"""Pipedrive: persons of version 2, users and organizations apart (https://developers.pipedrive.com/docs/api/v1)."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable

from config.sandbox.crms import times
from config.sandbox.crms.account import Account, Json, View
from config.sandbox.crms.book import Place
from config.sandbox.crms.call import CrmCall, CrmError
from config.sandbox.crms.person import Owner, Person, Vocabulary
from config.sandbox.wire import Response, json_response

PERSONS, ORGANIZATIONS, USERS = (re.compile(path) for path in ("/v2/persons", "/v2/organizations", "/v1/users"))
MOST, USUAL, MOST_IDS = 500, 100, 100
SORTS = ("id", "update_time", "add_time")
KNOWN = frozenset(
    "filter_id ids owner_id org_id deal_id updated_since updated_until sort_by sort_direction include_fields "
    "custom_fields limit cursor".split()
)
FAILURES = {
    "rate_limited": (429, "Rate limit exceeded"),
    "unauthorized": (401, "unauthorized access"),
    "forbidden": (403, "Scope and URL mismatch"),
    "error": (500, "Internal server error"),
    "not_found": (404, "Unknown method ."),
}


class Pipedrive(Account):
    """A company. Ids are 1, 2, 3 in every company; what is deleted is just not listed (reference 5.3)."""

    provider = "pipedrive"
    display_name = "Pipedrive"
    hides = ("status", "stage", "lead_source", "last_activity_at", "do_not_call", "country")
    words = Vocabulary()

    def person_id(self, position: int) -> str:
        """A small number, shown as one."""
        return str(position + 1)

    def owner_id(self, number: int) -> str:
        """A number too."""
        return str(18_000_000 + self.seed % 1000 * 100 + number)

    def connection_config(self) -> Json:
        """The company's own host."""
        return {"api_domain": f"https://laurel-{self.seed}.pipedrive.com"}

    def views(self) -> Iterable[View]:
        """Under the base that Nango has, which ends in /api."""
        return (
            ("GET", PERSONS, self._persons),
            ("GET", ORGANIZATIONS, self._organizations),
            ("GET", USERS, self._users),
        )

    def page_mark(self, call: CrmCall) -> str | None:
        """`cursor`."""
        return call.query.get("cursor", "") if PERSONS.fullmatch(call.path) else None

    def failure(self, kind: str) -> Response:
        """`success` false, and words."""
        status, message = FAILURES[kind]
        return json_response(status, _error(status, message))

    def shown_company(self, person: Person) -> str | None:
        """An organization with a name."""
        return person.company if (person.company or "").strip() else None

    def _persons(self, call: CrmCall) -> object:
        """A page in the order asked for, from the cursor on."""
        if unknown := call.query.keys() - KNOWN:
            raise _refused(f"Parameter '{min(unknown)}' is not allowed")
        limit = call.count("limit", USUAL)
        if not limit or limit > MOST:
            raise _refused(f"Parameter 'limit' must be a number from 1 to {MOST}")
        sort = _sort(call)
        field, direction = sort.split()
        rest = self.book.listing(
            "contact",
            by_change=field == "update_time",
            since=_moment(call, "updated_since"),
            descends=direction == "desc",
            behind=_read_cursor(call.query["cursor"], sort) if call.query.get("cursor") else None,
        )
        rest = self._narrowed(rest, call)
        page = rest[: self.fits(limit, MOST)]
        mark = _cursor(sort, self.book.place(page[-1])) if len(page) < len(rest) else None
        persons = [self._shown(self.book.person(at), call) for at in page]
        return {"success": True, "data": persons, "additional_data": {"next_cursor": mark}}

    def _narrowed(self, order: list[int], call: CrmCall) -> list[int]:
        """By the rarer filters."""
        until = _moment(call, "updated_until")
        if until is not None:
            order = [at for at in order if self.book.updated(at) <= until]
        if "ids" in call.query:
            wanted = _ids(call.query["ids"])
            order = [at for at in order if at + 1 in wanted]
        return order

    def _organizations(self, call: CrmCall) -> object:
        """Those of the ids that exist, or all."""
        wanted = _ids(call.query["ids"]) if "ids" in call.query else set(range(1, USUAL + 1))
        named = [(number, self.company_name(number)) for number in sorted(wanted)]
        found = [{"id": number, "name": name, "is_deleted": False} for number, name in named if name]
        return {"success": True, "data": found, "additional_data": {"next_cursor": None}}

    def _users(self, _: CrmCall) -> object:
        """All at once, also who left."""
        return {"success": True, "data": [_user(owner) for owner in self.owners]}

    def _shown(self, person: Person, call: CrmCall) -> Json:
        """One person; no name of the owner, none of the organization."""
        owner, company = self.owner_of(person), self.shown_company(person)
        extra = call.query.get("include_fields", "").split(",")
        consent = "unsubscribed" if person.email_opt_out else "subscribed"
        return {
            "id": person.position + 1,
            "name": person.name or None,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "add_time": times.iso(person.created, digits=0),
            "update_time": times.iso(person.updated, digits=0),
            "visible_to": 3,
            "custom_fields": {},
            "owner_id": int(owner.id) if owner else None,
            "org_id": self.company_number(company) if company else None,
            "is_deleted": False,
            "label_ids": [1 + person.position % 3] if person.position % 2 else [],
            "picture_id": None,
            "phones": _labelled(("work", person.phone), ("mobile", person.mobile)),
            "emails": _labelled(("work", person.email), ("home", person.other_email)),
            "notes": person.description,
            "job_title": person.title,
            **({"marketing_status": consent} if "marketing_status" in extra else {}),
        }


def _sort(call: CrmCall) -> str:
    """Field and direction, as one word. Those added later have larger ids."""
    field, direction = call.query.get("sort_by", "id"), call.query.get("sort_direction", "asc")
    if field not in SORTS or direction not in ("asc", "desc"):
        raise _refused(f"Parameter 'sort_by' must be one of {', '.join(SORTS)}, 'sort_direction' asc or desc")
    return f"{field} {direction}"


def _moment(call: CrmCall, name: str) -> int | None:
    """A time of the query."""
    moment = times.parse_iso(call.query.get(name))
    if moment is None and name in call.query:
        raise _refused(f"Parameter '{name}' must be in RFC3339 format")
    return moment


def _labelled(*values: tuple[str, str | None]) -> list[Json]:
    """Each with its label, the first primary. An emptied one stays as an entry without a value (reference 5.3)."""
    given = [(label, value) for label, value in values if value is not None]
    return [{"value": value, "primary": at == 0, "label": label} for at, (label, value) in enumerate(given)]


def _user(owner: Owner) -> Json:
    """A row of the users."""
    return {
        "id": int(owner.id),
        "name": owner.name,
        "email": owner.email,
        "active_flag": owner.is_active,
        "is_deleted": not owner.is_active,
    }


def _cursor(sort: str, last: Place) -> str:
    """Opaque to the reader: the order and the last person of the page."""
    return urlsafe_b64encode(f"{sort}|{last[0]}|{last[1]}".encode()).decode()


def _read_cursor(text: str, sort: str) -> Place:
    """Raises CrmError for a cursor of another order, or none at all."""
    try:
        own_sort, updated, position = urlsafe_b64decode(text.encode()).decode().split("|")
        last = int(updated), int(position)
    except ValueError:
        raise _refused("Parameter 'cursor' is invalid") from None
    if own_sort != sort:
        raise _refused("Parameter 'cursor' is invalid")
    return last


def _ids(text: str) -> set[int]:
    """At most 100 whole numbers between commas."""
    words = text.split(",")
    if len(words) > MOST_IDS or not all(word.isascii() and word.isdigit() for word in words):
        raise _refused(f"Parameter 'ids' must be at most {MOST_IDS} numbers")
    return {int(word) for word in words}


def _error(status: int, message: str) -> Json:
    """The body of every error."""
    info = "Please check developers.pipedrive.com"
    return {"success": False, "error": message, "errorCode": status, "error_info": info, "data": None}


def _refused(message: str) -> CrmError:
    """A 400 of Pipedrive."""
    return CrmError(400, {**_error(400, message), "code": "ERR_SCHEMA_VALIDATION_FAILED"})
