"""GoHighLevel contacts of one sub-account. Scopes: contacts.readonly, users.readonly.

https://marketplace.gohighlevel.com/docs/ghl/contacts/search-contacts-advanced
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from crm.providers.contract import (
    Ask,
    Call,
    FetchedContact,
    Json,
    Owners,
    ProviderError,
    entries,
    first_of,
    joined,
    moment,
    nested,
    owned_by,
    rows,
    stamp,
    text,
    visible_owners,
    walk,
)

source = "gohighlevel"
VERSION = {"Version": "2021-07-28"}
CONTACTS, USERS = "/contacts/search", "/users/search"
PAGE_SIZE, USERS_PAGE_SIZE = 500, 100


def account_id(config: Json) -> str:
    """The sub-account. Raises ProviderError for an installation of the whole agency, which has no contacts."""
    location = text(config.get("locationId"))
    if not location:
        raise ProviderError(
            "HighLevel was installed for the agency, which has no contacts of its own. "
            "Install it on the sub-account (location) and connect again."
        )
    return location


def pages(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """Oldest change first, each page from where the last contact says that it ends."""
    account_id(config)
    # Users are searched in the agency; without its id nobody is asked.
    owners = visible_owners(source, lambda: _users(ask, config)) if config.get("companyId") else None
    for found in _searched(ask, config, since):
        yield [_contact(row, owners) for row in found]


def deleted(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """HighLevel has no such list: what it lost shows in a full reading only."""
    return iter(())


def ids(ask: Ask, config: Json) -> Iterator[list[str]]:
    """From the search: it cannot be made smaller."""
    for found in _searched(ask, config, None):
        yield [text(row.get("id")) for row in found]


def _searched(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[Json]]:
    """The filter on the change is in no specification, but many use it."""
    search: Json = {
        "locationId": account_id(config),
        "pageLimit": PAGE_SIZE,
        "sort": [{"field": "dateUpdated", "direction": "asc"}],
    }
    if since:
        changed = stamp(since).replace("Z", ".000Z")
        search["filters"] = [{"field": "dateUpdated", "operator": "range", "value": {"gte": changed}}]

    def follow(body: Any) -> Call | None:
        found = rows(body, "contacts")
        if not found:
            return None
        position = found[-1].get("searchAfter")
        if not position:
            raise ProviderError("HighLevel does not say where its next page begins.")
        return Call("POST", CONTACTS, body={**search, "searchAfter": position}, headers=VERSION)

    for answer in walk(ask, Call("POST", CONTACTS, body=search, headers=VERSION), follow):
        yield rows(answer.body, "contacts")


def _users(ask: Ask, config: Json) -> Owners:
    """Those of the sub-account."""
    place = {name: text(config.get(name)) for name in ("companyId", "locationId")}
    owners: Owners = {}
    skip = 0
    while True:
        query = {**place, "limit": str(USERS_PAGE_SIZE), "skip": str(skip)}
        found = rows(ask(Call("GET", USERS, query, headers=VERSION)).body, "users")
        for row in found:
            name = first_of(row.get("name"), joined(row.get("firstName"), row.get("lastName")), row.get("email"))
            owners[text(row.get("id"))] = (name, text(row.get("email")))
        if len(found) < USERS_PAGE_SIZE:
            return owners
        skip += USERS_PAGE_SIZE


def _mobile(row: Json) -> str:
    """The further phone that is labelled so, else the first one."""
    others = entries(row.get("additionalPhones"))
    labelled = [entry for entry in others if text(entry.get("phoneLabel")).lower() == "mobile"]
    return first_of(*(entry.get("phone") for entry in (*labelled, *others)))


def _is_opted_out(row: Json) -> bool:
    """Do not disturb, at all or on one of the ways that we might use."""
    settings = nested(row.get("dndSettings"))
    ways = (nested(settings.get(way)).get("status") for way in ("Call", "SMS", "Email"))
    return row.get("dnd") is True or any(status in ("active", "permanent") for status in ways)


def _contact(row: Json, owners: Owners | None) -> FetchedContact:
    """`contactName` is in lower case, so it serves only where there is nothing better."""
    mobile = _mobile(row)
    return FetchedContact(
        crm_id=text(row.get("id")),
        first_name=text(row.get("firstName")),
        last_name=text(row.get("lastName")),
        name=first_of(joined(row.get("firstName"), row.get("lastName")), row.get("contactName")),
        phone=first_of(row.get("phone"), mobile),
        mobile=mobile,
        email=first_of(row.get("email"), *(entry.get("email") for entry in entries(row.get("additionalEmails")))),
        company=first_of(row.get("companyName"), row.get("businessName")),
        country=text(row.get("country")),
        **owned_by(owners, text(row.get("assignedTo"))),
        stage=text(row.get("type")),
        changed_at=moment(row.get("dateUpdated")),
        opted_out=_is_opted_out(row),
    )
