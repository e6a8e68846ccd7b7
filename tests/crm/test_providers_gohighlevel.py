"""GoHighLevel: the search that says where its next page begins."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.providers import Call, FetchedContact, ProviderError, gohighlevel
from tests.crm.calls import CrmSaysNo, Script

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONFIG = {"companyId": "c1", "locationId": "l1"}
VERSION = {"Version": "2021-07-28"}
USERS = {"users": [{"id": "u1", "name": "Sue Poe", "email": "sue@example.org", "deleted": False}], "count": 1}
SILENT = {way: {"status": "inactive", "code": "103"} for way in ("Call", "Email", "SMS")}
ANN = {
    "id": "a1",
    "locationId": "l1",
    "firstName": "Ann",
    "lastName": "Lee",
    "contactName": "ann lee",
    "phone": "+447306506797",
    "phoneLabel": None,
    "additionalPhones": [{"phone": "+442079460000"}, {"phone": "+447700900123", "phoneLabel": "Mobile"}],
    "email": "ann@example.org",
    "additionalEmails": [{"email": "office@example.org"}],
    "companyName": "Lee & Daughters",
    "businessName": "Lee",
    "country": "GB",
    "assignedTo": "u1",
    "type": "lead",
    "tags": ["follow-up"],
    "dnd": False,
    "dndSettings": SILENT,
    "dateAdded": "2026-04-01T00:00:00.000Z",
    "dateUpdated": "2026-05-01T12:00:00.000Z",
    "searchAfter": [1777636800000, "a1"],
}
BOB = {
    "id": "b1",
    "firstName": None,
    "lastName": None,
    "contactName": "bob",
    "phone": None,
    "additionalPhones": [{"phone": "+442079460000"}],
    "email": None,
    "additionalEmails": [{"email": "bob@example.org"}],
    "companyName": None,
    "businessName": "Acme",
    "assignedTo": None,
    "type": "customer",
    "dateUpdated": "2026-05-01T12:00:01.000Z",
    "searchAfter": [1777636801000, "b1"],
}


def page(*contacts: Any) -> dict[str, Any]:
    """As GoHighLevel answers."""
    return {"contacts": list(contacts), "total": 2, "traceId": "t"}


def test_contacts_with_their_owners_to_the_empty_page() -> None:
    ask = Script(USERS, page(ANN), page(BOB), page())
    assert list(gohighlevel.pages(ask, CONFIG, None)) == [
        [
            FetchedContact(
                crm_id="a1",
                first_name="Ann",
                last_name="Lee",
                name="Ann Lee",
                phone="+447306506797",
                mobile="+447700900123",
                email="ann@example.org",
                company="Lee & Daughters",
                country="GB",
                owner="Sue Poe",
                owner_email="sue@example.org",
                stage="lead",
                changed_at=NOON,
            )
        ],
        [
            FetchedContact(
                crm_id="b1",
                name="bob",
                phone="+442079460000",
                mobile="+442079460000",
                email="bob@example.org",
                company="Acme",
                stage="customer",
                changed_at=NOON + timedelta(seconds=1),
            )
        ],
        [],
    ]
    search = {"locationId": "l1", "pageLimit": 500, "sort": [{"field": "dateUpdated", "direction": "asc"}]}
    assert ask.calls == [
        Call("GET", "/users/search", {**CONFIG, "limit": "100", "skip": "0"}, headers=VERSION),
        Call("POST", "/contacts/search", body=search, headers=VERSION),
        Call("POST", "/contacts/search", body={**search, "searchAfter": ANN["searchAfter"]}, headers=VERSION),
        Call("POST", "/contacts/search", body={**search, "searchAfter": BOB["searchAfter"]}, headers=VERSION),
    ]


def test_changes_are_a_range() -> None:
    ask = Script(USERS, page())
    assert list(gohighlevel.pages(ask, CONFIG, NOON)) == [[]]
    assert (ask.calls[1].body or {})["filters"] == [
        {"field": "dateUpdated", "operator": "range", "value": {"gte": "2026-05-01T12:00:00.000Z"}}
    ]


def test_users_come_in_pages() -> None:
    hundred = {"users": [{"id": f"x{n}", "firstName": "X", "lastName": str(n)} for n in range(100)]}
    ask = Script(hundred, USERS, page(ANN, {**BOB, "assignedTo": "x7"}), page())
    [[ann, bob], _end] = gohighlevel.pages(ask, CONFIG, None)
    assert (ann.owner, bob.owner, bob.owner_email) == ("Sue Poe", "X 7", "")
    assert [(call.query or {})["skip"] for call in ask.calls[:2]] == ["0", "100"]


def test_hidden_users_leave_owners_blank() -> None:
    [[ann], _end] = gohighlevel.pages(Script(CrmSaysNo(403, {"statusCode": 403}), page(ANN), page()), CONFIG, None)
    assert (ann.owner, ann.owner_unread) == ("", True)


def test_without_the_agency_nobody_asks_for_users() -> None:
    ask = Script(page(ANN), page())
    [[ann], _end] = gohighlevel.pages(ask, {"locationId": "l1"}, None)
    assert (ann.owner, ann.owner_unread) == ("", True)


@pytest.mark.parametrize(
    ("facts", "opted_out"),
    [
        ({}, False),
        ({"dnd": True}, True),
        ({"dndSettings": {**SILENT, "SMS": {"status": "active"}}}, True),
        ({"dndSettings": {"Call": {"status": "permanent"}}}, True),
        ({"dndSettings": {"WhatsApp": {"status": "active"}}}, False),
        ({"dndSettings": None}, False),
    ],
)
def test_do_not_disturb_is_an_opt_out(facts: dict[str, Any], opted_out: bool) -> None:
    [[ann], _end] = gohighlevel.pages(Script(USERS, page({**ANN, **facts}), page()), CONFIG, None)
    assert ann.opted_out is opted_out


def test_an_agency_has_no_contacts_and_is_not_asked() -> None:
    ask = Script()
    with pytest.raises(ProviderError, match="sub-account"):
        list(gohighlevel.pages(ask, {"companyId": "c1"}, None))
    with pytest.raises(ProviderError, match="sub-account"):
        list(gohighlevel.ids(ask, {"companyId": "c1"}))
    assert ask.calls == []


def test_a_page_that_leads_nowhere_is_an_error() -> None:
    with pytest.raises(ProviderError, match="where its next page begins"):
        list(gohighlevel.ids(Script(page({"id": "a1"})), CONFIG))


def test_a_search_that_stands_still_is_an_error() -> None:
    with pytest.raises(ProviderError, match="circle"):
        list(gohighlevel.ids(Script(page(ANN), page(ANN)), CONFIG))


def test_ids_alone_and_nothing_deleted() -> None:
    assert list(gohighlevel.ids(Script(page(ANN), page(BOB), page()), CONFIG)) == [["a1"], ["b1"], []]
    assert list(gohighlevel.deleted(Script(), CONFIG, NOON)) == []
