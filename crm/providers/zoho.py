"""Zoho CRM leads and contacts. Scopes: ZohoCRM.modules.leads.READ, ZohoCRM.modules.contacts.READ.

https://www.zoho.com/crm/developer/docs/api/v8/get-records.html

Prospects are Leads until they are converted into Contacts. An id is unique in all of Zoho, whatever the module.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from crm.providers.contract import (
    Answer,
    Ask,
    Call,
    FetchedContact,
    Json,
    ProviderError,
    first_of,
    host,
    joined,
    moment,
    nested,
    rows,
    stamp,
    text,
    walk,
    windows,
)

source = "zoho"
VERSION = "/crm/v8"
PAGE_SIZE = "200"
# Page tokens lead so far and no further.
TOKENS_END_AT = 100_000
SHARED = (
    "First_Name",
    "Last_Name",
    "Phone",
    "Mobile",
    "Email",
    "Secondary_Email",
    "Owner",
    "Lead_Source",
    "Description",
    "Last_Activity_Time",
    "Modified_Time",
    "Email_Opt_Out",
)
FIELDS = {
    "Leads": (*SHARED, "Company", "Country", "Lead_Status"),
    "Contacts": (*SHARED, "Home_Phone", "Other_Phone", "Account_Name", "Mailing_Country"),
}


def account_id(config: Json) -> str:
    """The data centre, for Nango knows nothing of the organisation: ids are unique in it. Raises ProviderError."""
    centre = host(config.get("api_domain")) or text(config.get("extension")).lower()
    if not centre:
        raise ProviderError("Nango does not know the Zoho data centre of this connection. Connect Zoho again.")
    return centre if "zohoapis." in centre else f"www.zohoapis.{centre}"


def pages(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """Leads that are not converted, then contacts, oldest change first."""
    for module, fields in FIELDS.items():
        yield from windows(partial(_contacts, ask, module, fields), since, TOKENS_END_AT)


def deleted(ask: Ask, config: Json, since: datetime | None) -> Iterator[list[FetchedContact]]:
    """The recycle bin, and what was removed from it.

    https://www.zoho.com/crm/developer/docs/api/v8/get-deleted-records.html
    """
    for module in FIELDS:
        for answer in _deleted_from(ask, f"{VERSION}/{module}/deleted", since):
            yield [FetchedContact(crm_id=text(row.get("id")), is_deleted=True) for row in _data(answer)]


def ids(ask: Ask, config: Json) -> Iterator[list[str]]:
    """With one field: without any Zoho refuses."""
    for module in FIELDS:
        for page in windows(partial(_changes, ask, module), None, TOKENS_END_AT):
            yield [contact.crm_id for contact in page]


def _deleted_from(ask: Ask, path: str, since: datetime | None) -> Iterator[Answer]:
    query, headers = {"type": "all", "per_page": PAGE_SIZE}, _changed(since)

    def follow(body: Any) -> Call | None:
        info = nested(nested(body).get("info"))
        page = str(int(text(info.get("page")) or 1) + 1)
        return Call("GET", path, {**query, "page": page}, headers=headers) if info.get("more_records") else None

    return walk(ask, Call("GET", path, query, headers=headers), follow)


def _contacts(
    ask: Ask, module: str, fields: tuple[str, ...], since: datetime | None
) -> Iterator[list[FetchedContact]]:
    for answer in _records(ask, module, fields, since):
        yield [_contact(row, module) for row in _data(answer)]


def _changes(ask: Ask, module: str, since: datetime | None) -> Iterator[list[FetchedContact]]:
    for answer in _records(ask, module, ("Modified_Time",), since):
        yield [
            FetchedContact(crm_id=text(row.get("id")), changed_at=moment(row.get("Modified_Time")))
            for row in _data(answer)
        ]


def _records(ask: Ask, module: str, fields: tuple[str, ...], since: datetime | None) -> Iterator[Answer]:
    path, headers = f"{VERSION}/{module}", _changed(since)
    query = {"fields": ",".join(fields), "per_page": PAGE_SIZE, "sort_by": "Modified_Time", "sort_order": "asc"}

    def follow(body: Any) -> Call | None:
        info = nested(nested(body).get("info"))
        token = text(info.get("next_page_token"))
        if info.get("more_records") and not token:
            raise ProviderError("Zoho has more records but does not say where.")
        more = {**query, "page_token": token}
        return Call("GET", path, more, headers=headers) if info.get("more_records") else None

    return walk(ask, Call("GET", path, query, headers=headers), follow)


def _changed(since: datetime | None) -> dict[str, str] | None:
    """Zoho answers with what changed after that second; this asks for the second itself too."""
    return {"If-Modified-Since": stamp(since - timedelta(seconds=1)).replace("Z", "+00:00")} if since else None


def _data(answer: Answer) -> list[Json]:
    """Nothing changed is a 304, an empty module a 204."""
    return [] if answer.status in (204, 304) else rows(answer.body, "data")


def _contact(row: Json, module: str) -> FetchedContact:
    """A lead has a status, a contact a source; the lead's stage would be whether it is converted, and it is not."""
    owner = nested(row.get("Owner"))
    is_contact = module == "Contacts"
    return FetchedContact(
        crm_id=text(row.get("id")),
        first_name=text(row.get("First_Name")),
        last_name=text(row.get("Last_Name")),
        name=joined(row.get("First_Name"), row.get("Last_Name")),
        phone=first_of(row.get("Phone"), row.get("Mobile"), row.get("Home_Phone"), row.get("Other_Phone")),
        mobile=text(row.get("Mobile")),
        email=first_of(row.get("Email"), row.get("Secondary_Email")),
        company=first_of(row.get("Company"), nested(row.get("Account_Name")).get("name")),
        country=first_of(row.get("Country"), row.get("Mailing_Country")),
        owner=text(owner.get("name")),
        owner_email=text(owner.get("email")),
        status=text(row.get("Lead_Status")),
        stage=text(row.get("Lead_Source")) if is_contact else "",
        description=text(row.get("Description")),
        last_activity_at=moment(row.get("Last_Activity_Time")),
        changed_at=moment(row.get("Modified_Time")),
        opted_out=row.get("Email_Opt_Out") is True,
    )
