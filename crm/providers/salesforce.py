"""Salesforce leads and contacts. Scopes: api, refresh_token.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm

Prospects are Leads until they are converted into Contacts. The ids of the two do not collide: the first three
characters of an id name its object (00Q, 003).
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from crm.providers.contract import (
    Ask,
    Call,
    FetchedContact,
    Json,
    ProviderError,
    Refused,
    entries,
    first_of,
    host,
    joined,
    moment,
    nested,
    rows,
    stamp,
    text,
    walk,
)

source = "salesforce"
VERSION = "/services/data/v59.0"
NEEDED = ("Id", "SystemModstamp")
SHARED = (
    *NEEDED,
    "FirstName",
    "LastName",
    "Phone",
    "MobilePhone",
    "Email",
    "Owner.Name",
    "Owner.Email",
    "Description",
    "LastActivityDate",
    "HasOptedOutOfEmail",
    "DoNotCall",
)
FIELDS = {
    "Lead": (*SHARED, "Company", "Country", "Status"),
    "Contact": (*SHARED, "Account.Name", "MailingCountry"),
}
NO_COLUMN = re.compile(r"No such column '([\w.]+)' on entity '(\w+)'")
NO_RELATION = re.compile(r"Didn't understand relationship '(\w+)' in field path")


def account_id(config: Json) -> str:
    """The host of the organisation's own domain. Raises ProviderError."""
    instance = host(config.get("instance_url"))
    if not instance:
        raise ProviderError("Nango does not know the Salesforce address of this connection. Connect Salesforce again.")
    return instance


def pages(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """Leads, then contacts. A converted lead is no lead any more: `deleted` tells which contact it became."""
    for sobject, fields in FIELDS.items():
        conditions = ["IsConverted = false"] if sobject == "Lead" else []
        for found in _query(ask, sobject, fields, [*conditions, *_changed(since)]):
            yield [_contact(row) for row in found]


def deleted(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """The recycle bin, where losers of a merge name their master, and converted leads."""
    for sobject in FIELDS:
        conditions = ["IsDeleted = true", *_changed(since)]
        for found in _query(ask, sobject, ("Id", "MasterRecordId"), conditions, resource="queryAll"):
            yield [_gone(row, "MasterRecordId") for row in found]
    conditions = ["IsConverted = true", *_changed(since)]
    for found in _query(ask, "Lead", ("Id", "ConvertedContactId"), conditions):
        yield [_gone(row, "ConvertedContactId") for row in found]


def ids(ask: Ask, config: Json) -> Iterator[list[str]]:
    """Nothing but ids."""
    for sobject, conditions in (("Lead", ["IsConverted = false"]), ("Contact", [])):
        for found in _query(ask, sobject, ("Id",), conditions):
            yield [text(row.get("Id")) for row in found]


def _changed(since: datetime | None) -> list[str]:
    return [f"SystemModstamp >= {stamp(since)}"] if since else []


def _query(
    ask: Ask, sobject: str, fields: tuple[str, ...], conditions: list[str], *, resource: str = "query"
) -> Iterator[list[Json]]:
    """All records. One field that the account lacks or hides fails the whole query: it is asked without."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    soql = f"SELECT {','.join(fields)} FROM {sobject}{where} ORDER BY SystemModstamp,Id"  # noqa: S608
    try:
        for answer in walk(ask, Call("GET", f"{VERSION}/{resource}", {"q": soql}), _follow):
            yield rows(answer.body, "records")
    except Refused as error:
        fewer = tuple(field for field in fields if not _is_unknown(field, sobject, error))
        if fewer == fields:
            raise
        yield from _query(ask, sobject, fewer, conditions, resource=resource)


def _follow(body: Any) -> Call | None:
    if nested(body).get("done") is not False:
        return None
    path = text(nested(body).get("nextRecordsUrl"))
    if not path:
        raise ProviderError("Salesforce has more records but does not say where.")
    return Call("GET", path)


def _is_unknown(field: str, sobject: str, error: Refused) -> bool:
    """Whether this is the field, or begins with the relation, that Salesforce complains of."""
    if error.status != 400 or field in NEEDED:
        return False
    relation, _, column = field.rpartition(".")
    told = [text(row.get("message")) for row in entries(error.body) if row.get("errorCode") == "INVALID_FIELD"]
    unknown = {pair for message in told for pair in NO_COLUMN.findall(message)}
    if (field, sobject) in unknown:
        return True
    elsewhere = {name for name, entity in unknown if entity != sobject}
    unrelated = {name for message in told for name in NO_RELATION.findall(message)}
    return bool(relation) and (column in elsewhere or relation in unrelated)


def _gone(row: Json, target: str) -> FetchedContact:
    crm_id, survivor = text(row.get("Id")), text(row.get(target))
    if survivor:
        return FetchedContact(crm_id=survivor, merged_ids=(crm_id,))
    return FetchedContact(crm_id=crm_id, is_deleted=True)


def _contact(row: Json) -> FetchedContact:
    """A Contact has no status; nothing here is a lifecycle stage: `LeadSource` says where somebody came from."""
    owner = nested(row.get("Owner"))
    return FetchedContact(
        crm_id=text(row.get("Id")),
        first_name=text(row.get("FirstName")),
        last_name=text(row.get("LastName")),
        name=joined(row.get("FirstName"), row.get("LastName")),
        phone=first_of(row.get("Phone"), row.get("MobilePhone")),
        mobile=text(row.get("MobilePhone")),
        email=text(row.get("Email")),
        company=first_of(row.get("Company"), nested(row.get("Account")).get("Name")),
        country=first_of(row.get("Country"), row.get("MailingCountry")),
        owner=text(owner.get("Name")),
        owner_email=text(owner.get("Email")),
        owner_unread="Owner" not in row,
        status=text(row.get("Status")),
        description=text(row.get("Description")),
        last_activity_at=moment(row.get("LastActivityDate")),
        changed_at=moment(row.get("SystemModstamp")),
        opted_out=row.get("HasOptedOutOfEmail") is True or row.get("DoNotCall") is True,
    )
