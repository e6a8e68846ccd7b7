"""How each CRM behind the sandbox's proxy is read, with nothing of the product in it."""

from collections.abc import Callable
from typing import Any

import requests

from config.sandbox import RunningSandbox
from config.sandbox.crms import times

Row = dict[str, Any]
LONG_AGO = "2020-01-01T00:00:00Z"
CONTACTS = "/crm/objects/2026-09/contacts"
SF = "/services/data/v59.0"
SF_FIELDS = (
    "Id,FirstName,LastName,Email,Phone,MobilePhone,Title,Owner.Name,Owner.Email,LeadSource,Description,LastActivityDate,"
    "HasOptedOutOfEmail,DoNotCall,SystemModstamp"
)
SF_TABLES = {"Contact": f"{SF_FIELDS},Account.Name", "Lead": f"{SF_FIELDS},Company,Status,IsConverted"}
ZOHO_FIELDS = (
    "First_Name,Last_Name,Email,Secondary_Email,Phone,Mobile,Owner,Lead_Source,Description,Last_Activity_Time,"
    "Modified_Time,Email_Opt_Out,Account_Name,Title,Company,Designation,Lead_Status"
)
HUBSPOT_PROPERTIES = (
    "firstname lastname email hs_additional_emails phone mobilephone company jobtitle hubspot_owner_id hs_lead_status "
    "lifecyclestage message notes_last_updated hs_email_optout hs_merged_object_ids lastmodifieddate"
).split()


class Crm:
    """A connection, and how its CRM is read."""

    def __init__(self, sandbox: RunningSandbox, provider: str, **options: Any) -> None:
        self.nango, self.provider = sandbox.nango, provider
        self.id = sandbox.nango.connect(provider, **options)
        self.url = f"{sandbox.nango_url}/proxy"
        self.session = requests.Session()
        self.session.headers.update(
            {"Authorization": "Bearer k", "Connection-Id": self.id, "Provider-Config-Key": provider}
        )

    @property
    def config(self) -> Row:
        return dict(self.nango.connection(self.id)["connection_config"])

    @property
    def people(self) -> list[Row]:
        return self.nango.contacts(self.id)

    def ask(self, method: str, path: str, query: Row | None = None, body: Any = None, **headers: str) -> Any:
        sent = {f"Nango-Proxy-{name.replace('_', '-')}": value for name, value in headers.items()}
        return self.session.request(method, self.url + path, params=query, json=body, headers=sent, timeout=5)

    def get(self, path: str, query: Row | None = None, **headers: str) -> Any:
        return self.ask("GET", path, query, **headers).json()

    def search(self, **body: Any) -> Any:
        """HighLevel's."""
        whole = {"locationId": self.config.get("locationId"), "pageLimit": 100, **body}
        return self.ask("POST", "/contacts/search", body=whole, Version="2021-07-28")

    def soql(self, query: str, resource: str = "query") -> Any:
        return self.get(f"{SF}/{resource}", {"q": query})


def hubspot_list(crm: Crm, since: str = "") -> list[list[Row]]:
    pages: list[list[Row]] = []
    after = ""
    while not pages or after:
        query = {"limit": 100, "properties": ",".join(HUBSPOT_PROPERTIES), **({"after": after} if after else {})}
        answer = crm.get(CONTACTS, query)
        pages.append(answer["results"])
        after = answer.get("paging", {}).get("next", {}).get("after", "")
    return pages


def hubspot_search(crm: Crm, since: str = LONG_AGO) -> list[list[Row]]:
    pages: list[list[Row]] = []
    after = ""
    changed = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": since}
    while not pages or after:
        body = {
            "limit": 200,
            "properties": HUBSPOT_PROPERTIES,
            "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
            "filterGroups": [{"filters": [changed]}],
            **({"after": after} if after else {}),
        }
        answer = crm.ask("POST", f"{CONTACTS}/search", body=body).json()
        pages.append(answer["results"])
        after = answer.get("paging", {}).get("next", {}).get("after", "")
    return pages


def salesforce(crm: Crm, since: str = LONG_AGO) -> list[list[Row]]:
    pages: list[list[Row]] = []
    for table, fields in SF_TABLES.items():
        answer = crm.soql(f"SELECT {fields} FROM {table} WHERE SystemModstamp >= {since} ORDER BY SystemModstamp,Id")
        pages.append(answer["records"])
        while not answer["done"]:
            answer = crm.get(answer["nextRecordsUrl"])
            pages.append(answer["records"])
    return pages


def pipedrive(crm: Crm, since: str = LONG_AGO) -> list[list[Row]]:
    pages: list[list[Row]] = []
    cursor = ""
    while not pages or cursor:
        query = {"limit": 500, "sort_by": "update_time", "updated_since": since, "include_fields": "marketing_status"}
        answer = crm.get("/v2/persons", {**query, **({"cursor": cursor} if cursor else {})})
        pages.append(answer["data"])
        cursor = answer["additional_data"]["next_cursor"]
    return pages


def zoho(crm: Crm, since: str = LONG_AGO) -> list[list[Row]]:
    pages: list[list[Row]] = []
    for module in ("Contacts", "Leads"):
        token: str | None = ""
        while token is not None:
            query = {"fields": ZOHO_FIELDS, "per_page": 200, "sort_by": "Modified_Time", "sort_order": "asc"}
            more = {"page_token": token} if token else {}
            # Zoho's is strictly after that second.
            before = times.iso((times.parse_iso(since) or 0) - 1000, digits=0)
            answer = crm.ask("GET", f"/crm/v8/{module}", {**query, **more}, If_Modified_Since=before)
            if answer.status_code in (204, 304):
                break
            pages.append(answer.json()["data"])
            token = answer.json()["info"]["next_page_token"]
    return pages


def highlevel(crm: Crm, since: str = LONG_AGO) -> list[list[Row]]:
    pages: list[list[Row]] = [[]]
    changed = {"field": "dateUpdated", "operator": "range", "value": {"gte": since}}
    while True:
        more = {"searchAfter": pages[-1][-1]["searchAfter"]} if pages[-1] else {}
        sort = [{"field": "dateUpdated", "direction": "asc"}]
        found = crm.search(sort=sort, filters=[changed], **more).json()["contacts"]
        if not found:
            return pages[1:]
        pages.append(found)


READERS: dict[str, Callable[..., list[list[Row]]]] = {
    "hubspot": hubspot_search,
    "salesforce": salesforce,
    "pipedrive": pipedrive,
    "zoho-crm": zoho,
    "highlevel": highlevel,
}


def id_of(row: Row) -> str:
    return str(row.get("id") or row["Id"])


def read(crm: Crm, since: str = LONG_AGO) -> list[str]:
    """The ids in the order they come."""
    return [id_of(row) for page in READERS[crm.provider](crm, since) for row in page]


def now() -> str:
    return times.iso(times.now_ms() // 1000 * 1000, digits=0)


def hubspot_facts(row: Row, crm: Crm) -> Row:
    given = row["properties"]
    pages = [crm.get("/crm/owners/2026-09", {"archived": gone})["results"] for gone in ("false", "true")]
    owner = {owner["id"]: owner for page in pages for owner in page}.get(given["hubspot_owner_id"])
    return {
        "first_name": given["firstname"],
        "last_name": given["lastname"],
        "email": given["email"],
        "other_email": given["hs_additional_emails"],
        "phone": given["phone"],
        "mobile": given["mobilephone"],
        "company": given["company"],
        "title": given["jobtitle"],
        "status": given["hs_lead_status"],
        "stage": given["lifecyclestage"],
        "description": given["message"],
        "last_activity_at": given["notes_last_updated"],
        "email_opt_out": given["hs_email_optout"] == "true",
        "owner": owner and f"{owner['firstName']} {owner['lastName']}",
        "owner_email": owner and owner["email"],
        "updated_at": row["updatedAt"],
    }


def salesforce_facts(row: Row, _: Crm) -> Row:
    is_lead = row["attributes"]["type"] == "Lead"
    account = {"Name": row["Company"]} if is_lead else row["Account"]
    return {
        "first_name": row["FirstName"],
        "last_name": row["LastName"],
        "email": row["Email"],
        "phone": row["Phone"],
        "mobile": row["MobilePhone"],
        "company": account and account["Name"],
        "title": row["Title"],
        "status": row["Status"] if is_lead else None,
        "lead_source": row["LeadSource"],
        "description": row["Description"],
        "last_activity_at": row["LastActivityDate"],
        "email_opt_out": row["HasOptedOutOfEmail"],
        "do_not_call": row["DoNotCall"],
        "owner": row["Owner"]["Name"],
        "owner_email": row["Owner"]["Email"],
        "updated_at": row["SystemModstamp"].replace("+0000", "Z"),
    }


def pipedrive_facts(row: Row, crm: Crm) -> Row:
    owner = {user["id"]: user for user in crm.get("/v1/users")["data"]}[row["owner_id"]]
    companies = crm.get("/v2/organizations", {"ids": row["org_id"]})["data"] if row["org_id"] else [{"name": None}]
    phones = {phone["label"]: phone["value"] for phone in row["phones"]}
    emails = {email["label"]: email["value"] for email in row["emails"]}
    return {
        "first_name": row["first_name"],
        "last_name": row["last_name"],
        "email": emails.get("work"),
        "other_email": emails.get("home"),
        "phone": phones.get("work"),
        "mobile": phones.get("mobile"),
        "company": companies[0]["name"],
        "title": row["job_title"],
        "description": row["notes"],
        "email_opt_out": row["marketing_status"] == "unsubscribed",
        "owner": owner["name"],
        "owner_email": owner["email"],
        "updated_at": row["update_time"].replace("Z", ".000Z"),
    }


def zoho_facts(row: Row, _: Crm) -> Row:
    account = row.get("Account_Name") or {"name": row.get("Company")}
    return {
        "first_name": row["First_Name"],
        "last_name": row["Last_Name"],
        "email": row["Email"],
        "other_email": row["Secondary_Email"],
        "phone": row["Phone"],
        "mobile": row["Mobile"],
        "company": account["name"],
        "title": row.get("Title", row.get("Designation")),
        "status": row.get("Lead_Status"),
        "lead_source": row["Lead_Source"],
        "description": row["Description"],
        "last_activity_at": row["Last_Activity_Time"],
        "email_opt_out": row["Email_Opt_Out"],
        "owner": row["Owner"]["name"],
        "owner_email": row["Owner"]["email"],
    }


def highlevel_facts(row: Row, crm: Crm) -> Row:
    users = crm.get("/users/search", {"companyId": crm.config["companyId"]}, Version="2021-07-28")["users"]
    owner = {user["id"]: user for user in users}.get(row["assignedTo"])
    refused = {way for way, setting in row["dndSettings"].items() if setting["status"] == "active"}
    return {
        "first_name": row["firstName"],
        "last_name": row["lastName"],
        "email": row["email"],
        "phone": row["phone"],
        "mobile": row["additionalPhones"][0]["phone"] if row["additionalPhones"] else None,
        "company": row["companyName"],
        "stage": row["type"],
        "lead_source": row["source"],
        "email_opt_out": "Email" in refused,
        "do_not_call": "Call" in refused,
        "owner": owner and owner["name"],
        "owner_email": owner and owner["email"],
        "updated_at": row["dateUpdated"],
    }


FACTS: dict[str, Callable[[Row, Crm], Row]] = {
    "hubspot": hubspot_facts,
    "salesforce": salesforce_facts,
    "pipedrive": pipedrive_facts,
    "zoho-crm": zoho_facts,
    "highlevel": highlevel_facts,
}
