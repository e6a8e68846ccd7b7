"""Salesforce: SOQL over Contact and Lead (https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta)."""

import re
from collections.abc import Iterable
from typing import Any

from config.sandbox.crms import times
from config.sandbox.crms.account import Account, Json, View
from config.sandbox.crms.call import CrmCall, CrmError
from config.sandbox.crms.person import Owner, Person, Vocabulary
from config.sandbox.crms.salesforce_fields import (
    RELATED,
    TABLES,
    Row,
    field_names,
    record,
    salesforce_id,
    stamp,
    values,
)
from config.sandbox.crms.soql import Query, SoqlError, parse_soql
from config.sandbox.wire import Response, json_response

VERSION = r"/services/data/v(\d\d\.\d)"
QUERY, MORE = re.compile(VERSION + "/(query|queryAll)/?"), re.compile(VERSION + r"/query/(\w{18})-(\d{1,9})")
DELETED = re.compile(VERSION + "/sobjects/(Contact|Lead)/deleted/?")
BATCH, SMALLEST_BATCH, KEPT_QUERIES = 2000, 200, 100
LONGEST_FEED = 15 * times.DAY
PREFIXES = {"contact": "003", "lead": "00Q"}
NATURAL_ORDERS = ([("systemmodstamp", False)], [("systemmodstamp", False), ("id", False)])
FAILURES = {
    "rate_limited": (403, "TotalRequests Limit exceeded.", "REQUEST_LIMIT_EXCEEDED"),
    "unauthorized": (401, "Session expired or invalid", "INVALID_SESSION_ID"),
    "forbidden": (403, "The REST API is not enabled for this Organization.", "API_DISABLED_FOR_ORG"),
    "error": (500, "An unexpected error occurred.", "UNKNOWN_EXCEPTION"),
    "not_found": (404, "The requested resource does not exist", "NOT_FOUND"),
}


class Salesforce(Account):
    """An org: contacts and leads apart. A rate that is exceeded is a 403 here (reference 5.2)."""

    provider = "salesforce"
    display_name = "Salesforce"
    has_leads = True
    deleting_touches = True
    hides = ("stage", "other_email")
    words = Vocabulary(
        statuses=("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted"),
        sources=("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other"),
    )

    def __init__(self, **options: Any) -> None:
        """No query is open yet."""
        self._open: dict[str, tuple[Query, list[int]]] = {}
        self._opened = 0
        super().__init__(**options)
        self._queue = Owner(self.record_id("00G", 1), "Inbound", "Queue", None, True)

    def person_id(self, position: int) -> str:
        """Its prefix tells the table."""
        return self.record_id(PREFIXES[self.book.module(position)], position)

    def owner_id(self, number: int) -> str:
        """Of a user."""
        return self.record_id("005", number)

    def record_id(self, prefix: str, number: int) -> str:
        """An id that no other org has."""
        return salesforce_id(prefix, (self.seed + 1) * 1_000_000_000 + number)

    def connection_config(self) -> Json:
        """The org's own host."""
        return {"instance_url": f"https://laurel-{self.seed}.my.salesforce.com"}

    def views(self) -> Iterable[View]:
        """Queries, their further batches, and the feed of deletions."""
        return ("GET", QUERY, self._query), ("GET", MORE, self._more), ("GET", DELETED, self._deleted)

    def page_mark(self, call: CrmCall) -> str | None:
        """The locator; a query is a first page."""
        if QUERY.fullmatch(call.path):
            return ""
        found = MORE.fullmatch(call.path)
        return f"{found[2]}-{found[3]}" if found else None

    def failure(self, kind: str) -> Response:
        """A list of one error."""
        status, message, code = FAILURES[kind]
        return json_response(status, [{"message": message, "errorCode": code}])

    def owner_of(self, person: Person) -> Owner:
        """A lead may wait in a queue, which has no address."""
        unassigned = self._queue if person.module == "lead" else self.owners[0]
        return unassigned if person.owner is None else self.owners[person.owner]

    def shown_company(self, person: Person) -> str | None:
        """A contact's is an account with a name; a lead's is text."""
        return person.company if person.module == "lead" or (person.company or "").strip() else None

    def shown_activity(self, moment: int) -> str:
        """A date."""
        return times.day(moment)

    def neutral(self, person: Person) -> Json:
        """Only a lead has a status."""
        facts = super().neutral(person)
        return facts if person.module == "lead" else {**facts, "status": None}

    def _query(self, call: CrmCall, version: str, kind: str) -> object:
        """The first batch. `queryAll` sees the deleted too."""
        try:
            query = parse_soql(call.query.get("q", ""))
        except (SoqlError, RecursionError) as error:
            raise _refused(str(error), "MALFORMED_QUERY") from None
        module = query.table.lower()
        if module not in TABLES:
            raise _refused(f"sObject type '{query.table}' is not supported.", "INVALID_TYPE")
        self._resolve(query, module)
        positions = self._found(query, module, deleted=kind == "queryAll")
        if query.counts:
            return {"totalSize": len(positions), "done": True, "records": []}
        self._opened += 1
        locator = self.record_id("01g", self._opened)
        self._open[locator] = (query, positions)
        if len(self._open) > KEPT_QUERIES:
            del self._open[next(iter(self._open))]
        return self._batch(call, version, locator, 0)

    def _more(self, call: CrmCall, version: str, locator: str, start: str) -> object:
        """A further batch of an open query."""
        if locator not in self._open:
            raise _refused("invalid query locator", "INVALID_QUERY_LOCATOR")
        return self._batch(call, version, locator, int(start))

    def _batch(self, call: CrmCall, version: str, locator: str, start: int) -> object:
        """So many records as fit, and where the rest is."""
        query, positions = self._open[locator]
        asked = re.search(r"batchSize=(\d{1,4})", call.headers.get("sforce-query-options", ""))
        end = start + self.fits(max(int(asked[1]), SMALLEST_BATCH) if asked else BATCH, BATCH)
        answer: Json = {"totalSize": len(positions), "done": end >= len(positions)}
        if end < len(positions):
            answer["nextRecordsUrl"] = f"/services/data/v{version}/query/{locator}-{end}"
        persons = map(self.book.person, positions[start:end])
        records = [record(person, values(self, person), query.fields, version) for person in persons]
        return {**answer, "records": records}

    def _resolve(self, query: Query, module: str) -> None:
        """Write the fields as Salesforce does. One that is missing or forbidden fails the whole query."""
        known = field_names(module)
        for hidden in self.hidden_fields:
            known.pop(hidden.lower(), None)
        fields = [] if query.counts else query.fields
        for name in [*fields, *query.used, *(name for name, _ in query.order)]:
            if name.lower() not in known:
                raise _refused(_no_such_column(name, module), "INVALID_FIELD")
        if fields:
            query.fields = [known[name.lower()] for name in fields]

    def _found(self, query: Query, module: str, *, deleted: bool) -> list[int]:
        """The positions a query finds, in its order."""
        if deleted:
            gone = (person.position for person in self.book.gone(module))
            order = sorted([*self.book.by_id(module), *gone], key=self.book.place)
            positions = [at for at in order if query.since is None or self.book.updated(at) >= query.since]
        else:
            positions = self.book.by_change(module, since=query.since)
        if query.condition and not query.asks_only_since:
            names, holds = field_names(module), query.condition
            positions = [at for at in positions if holds(Row(self, at, names))]
        return self._sorted(positions, query, module)[: query.limit]

    def _sorted(self, positions: list[int], query: Query, module: str) -> list[int]:
        """By the fields of ORDER BY, nulls first; without it by id."""
        if [(name.lower(), descends) for name, descends in query.order] in NATURAL_ORDERS:
            return positions
        names = field_names(module)
        positions = sorted(positions)
        for name, descends in reversed(query.order):
            if name.lower() != "id":
                positions.sort(key=lambda at: _sortable(Row(self, at, names)[name]), reverse=descends)
            elif descends:
                positions.reverse()
        return positions

    def _deleted(self, call: CrmCall, _: str, table: str) -> object:
        """Ids and times of what was deleted between two moments, at most 15 days back."""
        start, end = times.parse_iso(call.query.get("start")), times.parse_iso(call.query.get("end"))
        if start is None or end is None or start >= end or start < times.now_ms() - LONGEST_FEED:
            raise _refused("startDate must be before endDate and within 15 days", "INVALID_REPLICATION_DATE")
        gone = [person for person in self.book.gone(table.lower()) if start <= (person.deleted or 0) <= end]
        records = [{"id": self.person_id(p.position), "deletedDate": stamp(p.deleted or 0)} for p in gone]
        return {
            "deletedRecords": records,
            "earliestDateAvailable": stamp(times.now_ms() - LONGEST_FEED),
            "latestDateCovered": stamp(end),
        }


def _refused(message: str, code: str) -> CrmError:
    """A 400 of Salesforce."""
    return CrmError(400, [{"message": message, "errorCode": code}])


def _no_such_column(name: str, module: str) -> str:
    """The words that name the field, which a reader drops to try again."""
    relation, _, field = name.rpartition(".")
    if relation and (module, relation) not in RELATED:
        return f"\nERROR at Row:1:Column:8\nDidn't understand relationship '{relation}' in field path."
    entity = RELATED[module, relation] if relation else TABLES[module]
    return (
        f"\nERROR at Row:1:Column:8\nNo such column '{field}' on entity '{entity}'. If you are attempting to use a "
        "custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the "
        "describe call for the appropriate names."
    )


def _sortable(value: Any) -> tuple[bool, Any]:
    """Nulls first."""
    return value is not None, value
