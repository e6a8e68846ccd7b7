"""Pipedrive persons. Scopes: contacts:read, users:read. Its leads are opportunities, not people.

https://developers.pipedrive.com/docs/api/v1/Persons#getPersons
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
    host,
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

source = "pipedrive"
# Users have no v2; persons have no v1 any more.
PERSONS, ORGANIZATIONS, USERS = "/v2/persons", "/v2/organizations", "/v1/users"
PAGE_SIZE = "500"
MOST_IDS = 100


def account_id(config: Json) -> str:
    """The host of the company's own domain: persons are 1, 2, 3 in each. Raises ProviderError."""
    domain = host(config.get("api_domain"))
    if not domain:
        raise ProviderError("Nango does not know the Pipedrive domain of this connection. Connect Pipedrive again.")
    return domain


def pages(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """v2 tells owners and organisations by id only: users are read before, organisations page by page."""
    owners = visible_owners(source, lambda: _users(ask))
    companies: dict[str, str] = {}
    query = {"include_fields": "marketing_status"}
    if since:
        query |= {"updated_since": stamp(since), "sort_by": "update_time", "sort_direction": "asc"}
    for found in _persons(ask, query):
        _learn_companies(ask, found, companies)
        yield [_contact(row, owners, companies) for row in found if row.get("is_deleted") is not True]


def deleted(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """Pipedrive tells nobody: what it lost shows in a full reading only."""
    return iter(())


def ids(ask: Ask, config: Json) -> Iterator[list[str]]:
    """From the list: it cannot be made smaller."""
    for found in _persons(ask, {}):
        yield [text(row.get("id")) for row in found if row.get("is_deleted") is not True]


def _persons(ask: Ask, filters: dict[str, str]) -> Iterator[list[Json]]:
    query = {"limit": PAGE_SIZE, **filters}

    def follow(body: Any) -> Call | None:
        cursor = text(nested(nested(body).get("additional_data")).get("next_cursor"))
        return Call("GET", PERSONS, {**query, "cursor": cursor}) if cursor else None

    for answer in walk(ask, Call("GET", PERSONS, query), follow):
        yield rows(answer.body, "data")


def _users(ask: Ask) -> Owners:
    """All of them in one answer, with those who left."""
    owners: Owners = {}
    for row in rows(ask(Call("GET", USERS)).body, "data"):
        owners[text(row.get("id"))] = (first_of(row.get("name"), row.get("email")), text(row.get("email")))
    return owners


def _learn_companies(ask: Ask, persons: list[Json], known: dict[str, str]) -> None:
    """Names of the organisations of a page; one that is gone has none."""
    wanted = sorted({text(row.get("org_id")) for row in persons} - known.keys() - {""})
    for start in range(0, len(wanted), MOST_IDS):
        some = wanted[start : start + MOST_IDS]
        query = {"ids": ",".join(some), "limit": str(MOST_IDS)}
        found = rows(ask(Call("GET", ORGANIZATIONS, query)).body, "data")
        known |= dict.fromkeys(some, "") | {text(row.get("id")): text(row.get("name")) for row in found}


def _primary(value: Any) -> str:
    """The primary one, else the first: there are primary ones that are blank."""
    found = [entry for entry in entries(value) if text(entry.get("value"))]
    found.sort(key=lambda entry: entry.get("primary") is not True)
    return text(found[0].get("value")) if found else ""


def _labelled(value: Any, label: str) -> str:
    return first_of(*(entry.get("value") for entry in entries(value) if text(entry.get("label")).lower() == label))


def _contact(row: Json, owners: Owners | None, companies: dict[str, str]) -> FetchedContact:
    """It has neither status nor stage; `notes` come with contact sync only; the last activity is an id."""
    return FetchedContact(
        crm_id=text(row.get("id")),
        first_name=text(row.get("first_name")),
        last_name=text(row.get("last_name")),
        name=first_of(row.get("name"), joined(row.get("first_name"), row.get("last_name"))),
        phone=_primary(row.get("phones")),
        mobile=_labelled(row.get("phones"), "mobile"),
        email=_primary(row.get("emails")),
        company=companies.get(text(row.get("org_id")), ""),
        **owned_by(owners, text(row.get("owner_id"))),
        description=text(row.get("notes")),
        changed_at=moment(row.get("update_time")),
        opted_out=row.get("marketing_status") == "unsubscribed",
    )
