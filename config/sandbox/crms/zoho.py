"""Zoho CRM: Contacts and Leads of version 8 (https://www.zoho.com/crm/developer/docs/api/v8)."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence

from config.sandbox.crms import times
from config.sandbox.crms.account import Account, Json, View
from config.sandbox.crms.book import Place
from config.sandbox.crms.call import CrmCall, CrmError
from config.sandbox.crms.person import Owner, Person, Vocabulary
from config.sandbox.crms.places import PLACES
from config.sandbox.wire import Response, json_response

RECORDS = re.compile(r"/crm/v8/(Contacts|Leads)")
DELETED = re.compile(r"/crm/v8/(Contacts|Leads)/deleted")
USERS = re.compile(r"/crm/v8/users")
MODULES = {"Contacts": "contact", "Leads": "lead"}
PAGE, MOST_FIELDS, FIRST_ID = 200, 50, 7_328_395_000_000_680_000
BY_PAGE, BY_TOKEN = 2000, 100_000
# The clock of the account is three hours ahead.
ZONE = 3
SORTS = ("id", "Created_Time", "Modified_Time")
FAILURES = {
    "rate_limited": (429, "TOO_MANY_REQUESTS", "too many requests fired at the same time"),
    "unauthorized": (401, "INVALID_TOKEN", "invalid oauth token"),
    "forbidden": (401, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL"),
    "error": (500, "INTERNAL_ERROR", "Internal Server Error"),
    "not_found": (404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one"),
}


class Zoho(Account):
    """An organization: contacts and leads apart, and a feed of what was deleted (reference 5.4)."""

    provider = "zoho-crm"
    display_name = "Zoho CRM"
    has_leads = True
    hides = ("stage", "do_not_call")
    words = Vocabulary(
        statuses=("Attempted to Contact", "Contact in Future", "Contacted", "Lost Lead", "Not Contacted", "Junk Lead"),
        sources=("Advertisement", "Cold Call", "Employee Referral", "Trade Show", "Web Download"),
    )

    def person_id(self, position: int) -> str:
        """19 digits, as a string."""
        return str(FIRST_ID + self.seed % 1000 * 1_000_000_000 + position)

    def owner_id(self, number: int) -> str:
        """19 digits too."""
        return str(FIRST_ID - 1000 + self.seed % 1000 * 1_000_000_000 + number)

    def connection_config(self) -> Json:
        """The data centre."""
        return {"extension": "eu", "api_domain": "https://www.zohoapis.eu"}

    def views(self) -> Iterable[View]:
        """Records, deletions, users."""
        return ("GET", RECORDS, self._records), ("GET", DELETED, self._deleted), ("GET", USERS, self._users)

    def page_mark(self, call: CrmCall) -> str | None:
        """`page_token`, or the number of the page."""
        if not RECORDS.fullmatch(call.path):
            return None
        page = call.query.get("page", "1")
        return call.query.get("page_token") or ("" if page == "1" else page)

    def failure(self, kind: str) -> Response:
        """`code` tells."""
        status, code, message = FAILURES[kind]
        return json_response(status, _error(code, message))

    def shown_company(self, person: Person) -> str | None:
        """A contact's is an account with a name; a lead's is text."""
        return person.company if person.module == "lead" or (person.company or "").strip() else None

    def shown_activity(self, moment: int) -> str:
        """By the clock of the account."""
        return _stamp(moment)

    def convert(self, id_: str) -> str:
        """The lead leaves the list of leads."""
        contact_id = super().convert(id_)
        self.book.unlist(self.book.for_change(self.position_of(id_)))
        return contact_id

    def neutral(self, person: Person) -> Json:
        """Only a lead has a status."""
        facts = super().neutral(person)
        return facts if person.module == "lead" else {**facts, "status": None}

    def _records(self, call: CrmCall, table: str) -> Response | Json:
        """A page. Nothing changed since is a 304, nothing at all a 204, both without a body."""
        names = _fields(call)
        sort, size, since = _sort(call), self.fits(_per_page(call), PAGE), _since(call)
        token = call.query.get("page_token")
        if token and "page" in call.query:
            raise _refused("AMBIGUITY_DURING_PROCESSING", "page and page_token cannot be given together")
        last, page, served = _read_token(token, sort) if token else (None, *_page_start(call, size))
        rest = self._listed(MODULES[table], sort, since, last)[0 if token else served :]
        if not rest:
            return Response(304 if since is not None and not served else 204)
        shown, more = rest[:size], len(rest) > size
        mark = _token(sort, self.book.place(shown[-1]), page + 1, served + size) if more else None
        info = {"per_page": size, "count": len(shown), "page": page, "more_records": more, "next_page_token": mark}
        return {
            "data": [self._record(self.book.person(at), names) for at in shown],
            "info": {**info, "sort_by": sort.split()[0], "sort_order": sort.split()[1]},
        }

    def _listed(self, module: str, sort: str, since: int | None, last: Place | None) -> list[int]:
        """Those behind the last one of the page before, whatever became of it. Who was added later has a larger id."""
        return self.book.listing(
            module,
            by_change=sort.startswith("Modified_Time"),
            since=None if since is None else since + 1,
            descends=sort.endswith("desc"),
            behind=last,
        )

    def _record(self, person: Person, names: Sequence[str]) -> Json:
        """The fields asked for, and the id; one that does not exist is left out without a word."""
        values = self._values(person)
        return {"id": values["id"], **{name: values[name] for name in names if name in values}}

    def _values(self, person: Person) -> Json:
        """All fields that a reader may ask for."""
        owner, place = self.owner_of(person), PLACES.get(person.country or "")
        active = None if person.last_activity is None else _stamp(person.last_activity)
        return {
            "id": self.person_id(person.position),
            "First_Name": person.first_name,
            "Last_Name": person.last_name,
            "Full_Name": person.name,
            "Email": person.email,
            "Secondary_Email": person.other_email,
            "Phone": person.phone,
            "Mobile": person.mobile,
            "Owner": {"name": owner.name, "id": owner.id, "email": owner.email} if owner else None,
            "Lead_Source": person.lead_source,
            "Description": person.description,
            "Last_Activity_Time": active,
            "Created_Time": _stamp(person.created),
            "Modified_Time": _stamp(person.updated),
            "Email_Opt_Out": person.email_opt_out,
            "$in_merge": False,
            **self._own_values(person, place.name if place else person.country),
        }

    def _own_values(self, person: Person, country: str | None) -> Json:
        """What the two modules call differently."""
        company = self.shown_company(person)
        if person.module == "lead":
            own = {"Company": company, "Designation": person.title, "Lead_Status": person.status, "Country": country}
            return {**own, "$converted": person.converted_to is not None}
        number = str(FIRST_ID - 900_000 + self.company_number(company)) if company else ""
        return {
            "Account_Name": {"name": company, "id": number} if company else None,
            "Title": person.title,
            "Home_Phone": None,
            "Other_Phone": None,
            "Mailing_Country": country,
        }

    def _deleted(self, call: CrmCall, table: str) -> Response | Json:
        """What was deleted or merged away, by page."""
        size, since = self.fits(_per_page(call), PAGE), _since(call)
        gone = [person for person in self.book.gone(MODULES[table]) if since is None or (person.deleted or 0) > since]
        page, start = _page_start(call, size)
        shown = [self._tombstone(person) for person in gone[start : start + size]]
        if not shown:
            return Response(304 if since is not None else 204)
        more = start + size < len(gone)
        return {"data": shown, "info": {"per_page": size, "count": len(shown), "page": page, "more_records": more}}

    def _tombstone(self, person: Person) -> Json:
        """A row of the feed."""
        by = {"name": self.owners[0].name, "id": self.owners[0].id}
        return {
            "id": self.person_id(person.position),
            "display_name": person.name or None,
            "type": "recycle",
            "deleted_by": by,
            "created_by": by,
            "deleted_time": _stamp(person.deleted or 0),
        }

    def _users(self, call: CrmCall) -> Json:
        """The colleagues; only active ones with `type=ActiveUsers`."""
        only_active = call.query.get("type") == "ActiveUsers"
        users = [_user(owner) for owner in self.owners if owner.is_active or not only_active]
        return {"users": users, "info": {"per_page": PAGE, "count": len(users), "page": 1, "more_records": False}}


def _fields(call: CrmCall) -> list[str]:
    """The names asked for: mandatory, at most 50."""
    names = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
    if not names:
        payload = {**_error("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing")}
        raise CrmError(400, {**payload, "details": {"param_name": "fields"}})
    if len(names) > MOST_FIELDS:
        raise _refused("LIMIT_EXCEEDED", f"only {MOST_FIELDS} fields can be given")
    return names


def _sort(call: CrmCall) -> str:
    """Field and direction, as one word."""
    field, direction = call.query.get("sort_by", "id"), call.query.get("sort_order", "desc")
    if field not in SORTS or direction not in ("asc", "desc"):
        raise _refused("INVALID_DATA", "sort_by or sort_order is not supported")
    return f"{field} {direction}"


def _per_page(call: CrmCall) -> int:
    """1 to 200."""
    size = call.count("per_page", PAGE)
    if not size or size > PAGE:
        raise _refused("INVALID_DATA", f"per_page must be 1 to {PAGE}")
    return size


def _page_start(call: CrmCall, size: int) -> tuple[int, int]:
    """The number of a page, and where it begins; only the first 2,000 records have one."""
    page = call.count("page", 1)
    if not page:
        raise _refused("INVALID_DATA", "page must be a number")
    if page * size > BY_PAGE:
        words = f"You can only get the first {BY_PAGE} records without using page_token param"
        error = _error("DISCRETE_PAGINATION_LIMIT_EXCEEDED", words)
        raise CrmError(400, {**error, "details": {"limit": BY_PAGE}})
    return page, (page - 1) * size


def _since(call: CrmCall) -> int | None:
    """If-Modified-Since, here in ISO 8601 with an offset."""
    header = call.headers.get("if-modified-since")
    since = times.parse_iso(header)
    if header is not None and since is None:
        raise _refused("INVALID_DATA", "If-Modified-Since must be in ISO 8601 format")
    return since


def _token(sort: str, last: Place, page: int, served: int) -> str:
    """Opaque to the reader."""
    return urlsafe_b64encode(f"{sort}|{last[0]}|{last[1]}|{page}|{served}".encode()).decode()


def _read_token(text: str, sort: str) -> tuple[Place, int, int]:
    """The last record, the number of the page, how many came before. Raises CrmError for another listing's token."""
    try:
        own_sort, *numbers = urlsafe_b64decode(text.encode()).decode().split("|")
        updated, position, page, served = map(int, numbers)
    except ValueError:
        raise _refused("INVALID_DATA", "page_token is invalid") from None
    if own_sort != sort:
        raise _refused("TOKEN_BOUND_DATA_MISMATCH", "page_token and the given params do not match")
    if served >= BY_TOKEN:
        raise _refused("PAGINATION_LIMIT_EXCEEDED", f"You can get only {BY_TOKEN} records using page_token")
    return (updated, position), page, served


def _stamp(moment: int) -> str:
    """Seconds, in the time zone of the account."""
    return times.iso(moment, digits=0, hours=ZONE)


def _user(owner: Owner) -> Json:
    """A row of the users."""
    status = "active" if owner.is_active else "inactive"
    return {"id": owner.id, "full_name": owner.name, "email": owner.email, "status": status}


def _error(code: str, message: str) -> Json:
    """The body of every error."""
    return {"code": code, "details": {}, "message": message, "status": "error"}


def _refused(code: str, message: str) -> CrmError:
    """A 400 of Zoho."""
    return CrmError(400, _error(code, message))
