"""HubSpot contacts. Scopes: crm.objects.contacts.read, crm.objects.owners.read.

https://developers.hubspot.com/docs/api-reference/latest/crm/objects/contacts/guide
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from crm.providers.contract import (
    Ask,
    Call,
    FetchedContact,
    Json,
    Owners,
    ProviderError,
    first_of,
    joined,
    moment,
    nested,
    owned_by,
    rows,
    text,
    visible_owners,
    walk,
    windows,
)

source = "hubspot"
# A dated version lives at least 18 months; v3, which answers the same, ends in September 2027.
VERSION = "2026-09"
CONTACTS, OWNERS = f"/crm/objects/{VERSION}/contacts", f"/crm/owners/{VERSION}"
LIST_SIZE, SEARCH_SIZE = "100", 200
# A search answers 400 where a page would reach past 10,000 results.
MOST_FOUND = 10_000 - SEARCH_SIZE + 1
# An unknown property is left out without a word, so all are named here.
PROPERTIES = (
    "firstname",
    "lastname",
    "phone",
    "mobilephone",
    "email",
    "company",
    "country",
    "hubspot_owner_id",
    "hs_lead_status",
    "lifecyclestage",
    "message",
    "notes_last_updated",
    "notes_last_contacted",
    "lastmodifieddate",
    "hs_email_optout",
    "hs_merged_object_ids",
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def account_id(config: Json) -> str:
    """The portal. Raises ProviderError."""
    portal = text(config.get("portalId"))
    if not portal:
        raise ProviderError("Nango does not know the HubSpot portal of this connection. Connect HubSpot again.")
    return portal


def pages(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """All come from the list, which has no filter but no end either; changed ones from the search.

    A merge makes a new contact, and both old ids stand in its `hs_merged_object_ids`.
    """
    owners = visible_owners(source, lambda: _owners(ask))

    def changed(start: datetime | None) -> Iterator[list[FetchedContact]]:
        for found in _searched(ask, start or EPOCH):
            yield [_contact(row, owners) for row in found]

    if since is not None:
        yield from windows(changed, since, MOST_FOUND)
        return
    for found in _listed(ask, CONTACTS, {"properties": ",".join(PROPERTIES)}):
        yield [_contact(row, owners) for row in found]


def deleted(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """The archive, which keeps 90 days. Archiving does not count as a change, so no search shows it."""
    for found in _listed(ask, CONTACTS, {"properties": "hs_object_id", "archived": "true"}):
        yield [
            FetchedContact(crm_id=text(row.get("id")), is_deleted=True)
            for row in found
            if since is None or (moment(row.get("archivedAt")) or since) >= since
        ]


def ids(ask: Ask, config: Json) -> Iterator[list[str]]:
    """From the list, with one property: without a choice HubSpot sends six."""
    for found in _listed(ask, CONTACTS, {"properties": "hs_object_id"}):
        yield [text(row.get("id")) for row in found]


def _listed(ask: Ask, path: str, choice: dict[str, str]) -> Iterator[list[Json]]:
    query = {"limit": LIST_SIZE, **choice}

    def follow(body: Any) -> Call | None:
        after = _after(body)
        return Call("GET", path, {**query, "after": after}) if after else None

    for answer in walk(ask, Call("GET", path, query), follow):
        yield rows(answer.body, "results")


def _searched(ask: Ask, since: datetime) -> Iterator[list[Json]]:
    """Changed at `since` or later, oldest first: GTE, for GT would lose those that changed together."""
    from_ms = (since - EPOCH) // timedelta(milliseconds=1)
    changed = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(from_ms)}
    search: Json = {
        "limit": SEARCH_SIZE,
        "properties": list(PROPERTIES),
        "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
        "filterGroups": [{"filters": [changed]}],
    }

    def follow(body: Any) -> Call | None:
        after = _after(body)
        return Call("POST", f"{CONTACTS}/search", body={**search, "after": after}) if after else None

    for answer in walk(ask, Call("POST", f"{CONTACTS}/search", body=search), follow):
        yield rows(answer.body, "results")


def _after(body: Any) -> str:
    """The last page has no `paging`."""
    return text(nested(nested(nested(body).get("paging")).get("next")).get("after"))


def _owners(ask: Ask) -> Owners:
    """Those who left still own contacts; they are a list of their own."""
    found: Owners = {}
    for archived in ("false", "true"):
        for page in _listed(ask, OWNERS, {"archived": archived}):
            for row in page:
                email = text(row.get("email"))
                name = joined(row.get("firstName"), row.get("lastName")) or email
                found.setdefault(text(row.get("id")), (name, email))
    return found


def _contact(row: Json, owners: Owners | None) -> FetchedContact:
    value = nested(row.get("properties")).get
    merged = (text(part) for part in text(value("hs_merged_object_ids")).split(";"))
    return FetchedContact(
        crm_id=text(row.get("id")),
        first_name=text(value("firstname")),
        last_name=text(value("lastname")),
        name=joined(value("firstname"), value("lastname")),
        phone=first_of(value("phone"), value("mobilephone")),
        mobile=text(value("mobilephone")),
        email=text(value("email")),
        company=text(value("company")),
        country=text(value("country")),
        **owned_by(owners, text(value("hubspot_owner_id"))),
        status=text(value("hs_lead_status")),
        stage=text(value("lifecyclestage")),
        description=text(value("message")),
        last_activity_at=moment(value("notes_last_updated")) or moment(value("notes_last_contacted")),
        changed_at=moment(value("lastmodifieddate")) or moment(row.get("updatedAt")),
        opted_out=text(value("hs_email_optout")).lower() == "true",
        merged_ids=tuple(part for part in merged if part),
    )
