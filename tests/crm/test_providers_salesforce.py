"""Salesforce: leads and contacts, fields that an account lacks, merges and conversions."""

from datetime import UTC, datetime
from typing import Any

import pytest

from crm.providers import Call, FetchedContact, ProviderError, salesforce
from tests.crm.calls import CrmSaysNo, Script

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
QUERY = "/services/data/v59.0/query"
LEAD = {
    "attributes": {"type": "Lead", "url": "/services/data/v59.0/sobjects/Lead/00Q000000000001AAA"},
    "Id": "00Q000000000001AAA",
    "SystemModstamp": "2026-05-01T12:00:00.000+0000",
    "FirstName": "Ann",
    "LastName": "Lee",
    "Phone": None,
    "MobilePhone": "07306 506797",
    "Email": "ann@example.org",
    "Owner": {"attributes": {"type": "Name"}, "Name": "Sue Poe", "Email": "sue@example.org"},
    "Description": "Met at the fair",
    "LastActivityDate": "2026-04-30",
    "HasOptedOutOfEmail": False,
    "DoNotCall": True,
    "Company": "Lee & Daughters",
    "Country": "UK",
    "Status": "Open - Not Contacted",
}
CONTACT = {
    "Id": "003000000000001AAA",
    "SystemModstamp": "2026-05-01T12:00:01.000+0000",
    "FirstName": None,
    "LastName": "Bow",
    "Phone": "(020) 7946 0000",
    "MobilePhone": None,
    "Email": None,
    "Owner": {"attributes": {"type": "Name"}, "Name": "Queue", "Email": None},
    "Description": None,
    "LastActivityDate": None,
    "HasOptedOutOfEmail": False,
    "DoNotCall": False,
    "Account": None,
    "MailingCountry": "France",
}


def page(*records: Any, more: str = "") -> dict[str, Any]:
    """As Salesforce answers: `nextRecordsUrl` only while there is more."""
    following = {"nextRecordsUrl": more} if more else {}
    return {"totalSize": 9, "done": not more, **following, "records": list(records)}


def invalid(message: str) -> CrmSaysNo:
    """As Salesforce complains of a field."""
    return CrmSaysNo(
        400, [{"message": f"\nSELECT …\nERROR at Row:1:Column:9\n{message}", "errorCode": "INVALID_FIELD"}]
    )


def queries(ask: Script) -> list[str]:
    """The SOQL of each call that has one."""
    return [call.query["q"] for call in ask.calls if call.query]


def test_leads_and_contacts() -> None:
    ask = Script(page(LEAD), page(CONTACT))
    assert list(salesforce.pages(ask, {}, None)) == [
        [
            FetchedContact(
                crm_id="00Q000000000001AAA",
                first_name="Ann",
                last_name="Lee",
                name="Ann Lee",
                phone="07306 506797",
                mobile="07306 506797",
                email="ann@example.org",
                company="Lee & Daughters",
                country="UK",
                owner="Sue Poe",
                owner_email="sue@example.org",
                status="Open - Not Contacted",
                description="Met at the fair",
                last_activity_at=datetime(2026, 4, 30, tzinfo=UTC),
                changed_at=NOON,
                opted_out=True,
            )
        ],
        [
            FetchedContact(
                crm_id="003000000000001AAA",
                last_name="Bow",
                name="Bow",
                phone="(020) 7946 0000",
                country="France",
                owner="Queue",
                changed_at=datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC),
            )
        ],
    ]
    shared = (
        "Id,SystemModstamp,FirstName,LastName,Phone,MobilePhone,Email,Owner.Name,Owner.Email,Description,"
        "LastActivityDate,HasOptedOutOfEmail,DoNotCall"
    )
    assert queries(ask) == [
        f"SELECT {shared},Company,Country,Status FROM Lead WHERE IsConverted = false ORDER BY SystemModstamp,Id",
        f"SELECT {shared},Account.Name,MailingCountry FROM Contact ORDER BY SystemModstamp,Id",
    ]
    assert {(call.method, call.path) for call in ask.calls} == {("GET", QUERY)}


def test_the_name_of_the_account_is_the_company() -> None:
    ask = Script(page(), page({**CONTACT, "Account": {"attributes": {}, "Name": "Acme"}}))
    [_leads, [contact]] = salesforce.pages(ask, {}, None)
    assert contact.company == "Acme"


def test_pages_are_followed_to_the_end() -> None:
    more = "/services/data/v59.0/query/01g000000000001AAA-2000"
    ask = Script(page(LEAD, more=more), page(LEAD), page(CONTACT))
    assert [len(found) for found in salesforce.pages(ask, {}, None)] == [1, 1, 1]
    assert ask.calls[1] == Call("GET", more)


def test_more_without_an_address_is_an_error() -> None:
    with pytest.raises(ProviderError, match="does not say where"):
        list(salesforce.pages(Script({"done": False, "records": []}), {}, None))


def test_changes_are_asked_for_by_the_system_stamp() -> None:
    ask = Script(page(), page())
    list(salesforce.pages(ask, {}, NOON))
    assert [soql.partition(" WHERE ")[2] for soql in queries(ask)] == [
        "IsConverted = false AND SystemModstamp >= 2026-05-01T12:00:00Z ORDER BY SystemModstamp,Id",
        "SystemModstamp >= 2026-05-01T12:00:00Z ORDER BY SystemModstamp,Id",
    ]


@pytest.mark.parametrize(
    ("message", "dropped"),
    [
        ("No such column 'HasOptedOutOfEmail' on entity 'Lead'. If you are …", ["HasOptedOutOfEmail"]),
        ("No such column 'Email' on entity 'Name'. If you are …", ["Owner.Email"]),
        ("No such column 'Email' on entity 'Lead'. If you are …", ["Email"]),
        ("Didn't understand relationship 'Owner' in field path.", ["Owner.Name", "Owner.Email"]),
    ],
)
def test_a_field_that_the_account_lacks_is_done_without(message: str, dropped: list[str]) -> None:
    ask = Script(invalid(message), page({"Id": "00Q1"}), page())
    [[lead], _contacts] = salesforce.pages(ask, {}, None)
    assert (lead.crm_id, lead.owner_unread) == ("00Q1", True)
    first, second = (soql.removeprefix("SELECT ").partition(" FROM")[0].split(",") for soql in queries(ask)[:2])
    assert [field for field in first if field not in second] == dropped


def test_two_missing_fields_are_dropped_one_after_the_other() -> None:
    ask = Script(
        invalid("No such column 'DoNotCall' on entity 'Lead'."),
        invalid("No such column 'Country' on entity 'Lead'."),
        page(LEAD),
        page(),
    )
    assert [len(found) for found in salesforce.pages(ask, {}, None)] == [1, 0]
    assert "DoNotCall" not in queries(ask)[2]
    assert "Country" not in queries(ask)[2]


@pytest.mark.parametrize(
    "error",
    [
        invalid("No such column 'SystemModstamp' on entity 'Lead'."),
        invalid("No such column 'Nonsense' on entity 'Lead'."),
        CrmSaysNo(400, [{"message": "unexpected token", "errorCode": "MALFORMED_QUERY"}]),
        CrmSaysNo(403, [{"message": "limit", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]),
        CrmSaysNo(400, None),
    ],
)
def test_any_other_complaint_rises(error: CrmSaysNo) -> None:
    with pytest.raises(CrmSaysNo) as caught:
        list(salesforce.pages(Script(error), {}, None))
    assert caught.value is error


def test_what_is_gone_names_what_it_became() -> None:
    ask = Script(
        page({"Id": "00Q1", "MasterRecordId": None}),
        page({"Id": "0031", "MasterRecordId": "0032"}),
        page({"Id": "00Q3", "ConvertedContactId": "0033"}, {"Id": "00Q4", "ConvertedContactId": None}),
    )
    assert [contact for found in salesforce.deleted(ask, {}, NOON) for contact in found] == [
        FetchedContact(crm_id="00Q1", is_deleted=True),
        FetchedContact(crm_id="0032", merged_ids=("0031",)),
        FetchedContact(crm_id="0033", merged_ids=("00Q3",)),
        FetchedContact(crm_id="00Q4", is_deleted=True),
    ]
    changed = "SystemModstamp >= 2026-05-01T12:00:00Z ORDER BY SystemModstamp,Id"
    assert queries(ask) == [
        f"SELECT Id,MasterRecordId FROM Lead WHERE IsDeleted = true AND {changed}",
        f"SELECT Id,MasterRecordId FROM Contact WHERE IsDeleted = true AND {changed}",
        f"SELECT Id,ConvertedContactId FROM Lead WHERE IsConverted = true AND {changed}",
    ]
    assert [call.path for call in ask.calls] == ["/services/data/v59.0/queryAll"] * 2 + [QUERY]


def test_ids_alone() -> None:
    ask = Script(page({"Id": "00Q1"}), page({"Id": "0031"}))
    assert list(salesforce.ids(ask, {})) == [["00Q1"], ["0031"]]
    assert queries(ask) == [
        "SELECT Id FROM Lead WHERE IsConverted = false ORDER BY SystemModstamp,Id",
        "SELECT Id FROM Contact ORDER BY SystemModstamp,Id",
    ]
