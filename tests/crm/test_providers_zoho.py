"""Zoho CRM: two modules, answers without a body, page tokens that end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.providers import Answer, Call, FetchedContact, ProviderError, zoho
from tests.crm.calls import Script

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
EMPTY, UNCHANGED = Answer(204, None), Answer(304, None)
LEAD = {
    "id": "4150868000000002175",
    "First_Name": "Ann",
    "Last_Name": "Lee",
    "Phone": None,
    "Mobile": "07306 506797",
    "Email": "ann@example.org",
    "Secondary_Email": None,
    "Owner": {"name": "Sue Poe", "id": "4150868000000225013", "email": "sue@example.org"},
    "Company": "Lee & Daughters",
    "Country": "United Kingdom",
    "Lead_Status": "Not Contacted",
    "Lead_Source": "Trade Show",
    "Description": "Met at the fair",
    "Last_Activity_Time": "2026-04-30T12:00:00+03:00",
    "Modified_Time": "2026-05-01T15:00:00+03:00",
    "Email_Opt_Out": True,
}
CONTACT = {
    "id": "4150868000000002176",
    "First_Name": None,
    "Last_Name": "Bow",
    "Phone": None,
    "Mobile": None,
    "Home_Phone": None,
    "Other_Phone": "020 7946 0000",
    "Email": None,
    "Secondary_Email": "bow@example.org",
    "Owner": None,
    "Account_Name": {"name": "Acme", "id": "4150868000000002000"},
    "Mailing_Country": "France",
    "Lead_Source": "Advertisement",
    "Modified_Time": "2026-05-01T12:00:01+00:00",
    "Email_Opt_Out": False,
}


def page(*rows: Any, token: str | None = None) -> dict[str, Any]:
    """As Zoho answers."""
    info = {"per_page": 200, "count": len(rows), "page": 1, "more_records": bool(token), "next_page_token": token}
    return {"data": list(rows), "info": info}


def listed(module: str) -> dict[str, str]:
    """What a full list is asked for."""
    fields = ",".join(zoho.FIELDS[module])
    return {"fields": fields, "per_page": "200", "sort_by": "Modified_Time", "sort_order": "asc"}


def test_leads_and_contacts() -> None:
    ask = Script(page(LEAD, token="t1"), page(LEAD), page(CONTACT))
    first, _second, last = zoho.pages(ask, {}, None)
    assert first == [
        FetchedContact(
            crm_id="4150868000000002175",
            first_name="Ann",
            last_name="Lee",
            name="Ann Lee",
            phone="07306 506797",
            mobile="07306 506797",
            email="ann@example.org",
            company="Lee & Daughters",
            country="United Kingdom",
            owner="Sue Poe",
            owner_email="sue@example.org",
            status="Not Contacted",
            description="Met at the fair",
            last_activity_at=datetime(2026, 4, 30, 9, tzinfo=UTC),
            changed_at=NOON,
            opted_out=True,
        )
    ]
    assert last == [
        FetchedContact(
            crm_id="4150868000000002176",
            last_name="Bow",
            name="Bow",
            phone="020 7946 0000",
            email="bow@example.org",
            company="Acme",
            country="France",
            stage="Advertisement",
            changed_at=NOON + timedelta(seconds=1),
        )
    ]
    assert ask.calls == [
        Call("GET", "/crm/v8/Leads", listed("Leads")),
        Call("GET", "/crm/v8/Leads", {**listed("Leads"), "page_token": "t1"}),
        Call("GET", "/crm/v8/Contacts", listed("Contacts")),
    ]


def test_at_most_fifty_fields_are_asked_for() -> None:
    assert all(len(fields) <= 50 for fields in zoho.FIELDS.values())


def test_nothing_changed_and_nothing_there_are_no_errors() -> None:
    ask = Script(UNCHANGED, EMPTY)
    assert [contact for part in zoho.pages(ask, {}, NOON) for contact in part] == []
    assert [call.headers for call in ask.calls] == [{"If-Modified-Since": "2026-05-01T11:59:59+00:00"}] * 2


def test_every_page_of_a_change_carries_the_header() -> None:
    ask = Script(page(LEAD, token="t1"), page(LEAD), UNCHANGED)
    assert [len(part) for part in zoho.pages(ask, {}, NOON)] == [1, 1, 0]
    assert all(call.headers for call in ask.calls)


def test_more_without_a_token_is_an_error() -> None:
    with pytest.raises(ProviderError, match="does not say where"):
        list(zoho.pages(Script({"data": [], "info": {"more_records": True, "next_page_token": None}}), {}, None))


def test_past_the_last_token_it_goes_on_by_time() -> None:
    row = {"id": "1", "Modified_Time": "2026-05-01T12:00:05+00:00"}
    full = [page(*[row] * 200, token=f"t{n}") for n in range(500)]
    ask = Script(*full, page(row), EMPTY)
    assert [len(part) for part in zoho.ids(ask, {})] == [200] * 500 + [1, 0]
    assert [call.headers for call in ask.calls[-3:]] == [
        None,
        {"If-Modified-Since": "2026-05-01T12:00:04+00:00"},
        None,
    ]
    assert "page_token" not in (ask.calls[-2].query or {})


def test_the_list_of_the_deleted_goes_by_pages() -> None:
    more = {"data": [{"id": "1", "type": "recycle"}], "info": {"page": 1, "more_records": True}}
    last = {"data": [{"id": "2", "type": "permanent"}], "info": {"page": 2, "more_records": False}}
    ask = Script(more, last, EMPTY)
    assert [contact for part in zoho.deleted(ask, {}, NOON) for contact in part] == [
        FetchedContact(crm_id="1", is_deleted=True),
        FetchedContact(crm_id="2", is_deleted=True),
    ]
    query, headers = {"type": "all", "per_page": "200"}, {"If-Modified-Since": "2026-05-01T11:59:59+00:00"}
    assert ask.calls == [
        Call("GET", "/crm/v8/Leads/deleted", query, headers=headers),
        Call("GET", "/crm/v8/Leads/deleted", {**query, "page": "2"}, headers=headers),
        Call("GET", "/crm/v8/Contacts/deleted", query, headers=headers),
    ]


def test_ids_alone_come_with_one_field() -> None:
    ask = Script(page({"id": "1", "Modified_Time": "2026-05-01T12:00:00Z"}), EMPTY)
    assert list(zoho.ids(ask, {})) == [["1"], []]
    assert [(call.query or {})["fields"] for call in ask.calls] == ["Modified_Time"] * 2
