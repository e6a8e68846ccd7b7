"""HubSpot: the list, the search with its end at 10,000, the archive."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.providers import Call, FetchedContact, hubspot
from tests.crm.calls import CrmSaysNo, Script

CONTACTS, OWNERS = "/crm/objects/2026-09/contacts", "/crm/owners/2026-09"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NO_OWNERS: Any = ({"results": []}, {"results": []})
ANN: dict[str, Any] = {
    "id": "713000000001",
    "properties": {
        "firstname": "Ann",
        "lastname": " Lee ",
        "phone": "07306 506797",
        "mobilephone": "+44 7700 900123",
        "email": "Ann@Example.org",
        "company": "Lee & Daughters",
        "country": "United Kingdom",
        "hubspot_owner_id": "47000001",
        "hs_lead_status": "IN_PROGRESS",
        "lifecyclestage": "lead",
        "message": "Please call.",
        "notes_last_updated": "2026-04-30T09:00:00Z",
        "notes_last_contacted": "2026-04-01T09:00:00Z",
        "lastmodifieddate": "2026-05-01T12:00:00.123Z",
        "hs_email_optout": "true",
        "hs_merged_object_ids": "713000000007;713000000008",
        "hs_object_id": "713000000001",
    },
    "createdAt": "2026-01-01T00:00:00Z",
    "updatedAt": "2026-05-01T12:00:00.123Z",
    "archived": False,
    "url": "https://app.hubspot.com/contacts/1/record/0-1/713000000001",
}
BOB = {
    "id": "713000000002",
    "properties": {"firstname": None, "lastname": "Bow", "mobilephone": "07700 900124", "hubspot_owner_id": "9"},
    "updatedAt": "2026-05-01T12:30:00Z",
    "archived": False,
}
OWNER = {"id": "47000001", "email": "sue@example.org", "firstName": "Sue", "lastName": "Poe", "type": "PERSON"}
GONE = {"id": "9", "email": "ex@example.org", "firstName": "", "lastName": "", "archived": True, "type": "PERSON"}


def page(*rows: Any, after: str = "") -> dict[str, Any]:
    """As HubSpot answers: the last page has no `paging`."""
    paging = {"paging": {"next": {"after": after, "link": "https://api.hubapi.com/…"}}} if after else {}
    return {"results": list(rows), **paging}


def test_contacts_and_their_owners() -> None:
    ask = Script(page(OWNER), page(GONE), page(ANN, after="713000000001"), page(BOB))
    assert list(hubspot.pages(ask, {}, None)) == [
        [
            FetchedContact(
                crm_id="713000000001",
                first_name="Ann",
                last_name="Lee",
                name="Ann Lee",
                phone="07306 506797",
                mobile="+44 7700 900123",
                email="Ann@Example.org",
                company="Lee & Daughters",
                country="United Kingdom",
                owner="Sue Poe",
                owner_email="sue@example.org",
                status="IN_PROGRESS",
                stage="lead",
                description="Please call.",
                last_activity_at=datetime(2026, 4, 30, 9, tzinfo=UTC),
                changed_at=NOON + timedelta(milliseconds=123),
                opted_out=True,
                merged_ids=("713000000007", "713000000008"),
            )
        ],
        [
            FetchedContact(
                crm_id="713000000002",
                last_name="Bow",
                name="Bow",
                phone="07700 900124",
                mobile="07700 900124",
                owner="ex@example.org",
                owner_email="ex@example.org",
                changed_at=NOON + timedelta(minutes=30),
            )
        ],
    ]
    listed = {"limit": "100", "properties": ",".join(hubspot.PROPERTIES)}
    assert ask.calls == [
        Call("GET", OWNERS, {"limit": "100", "archived": "false"}),
        Call("GET", OWNERS, {"limit": "100", "archived": "true"}),
        Call("GET", CONTACTS, listed),
        Call("GET", CONTACTS, {**listed, "after": "713000000001"}),
    ]


def test_every_property_that_is_read_is_asked_for() -> None:
    assert {*ANN["properties"]} - {"hs_object_id"} == {*hubspot.PROPERTIES}


def test_hidden_owners_are_blank_and_marked() -> None:
    ask = Script(CrmSaysNo(403, {"status": "error", "category": "MISSING_SCOPES"}), page(ANN, {"id": "3"}))
    [[ann, nobodys]] = hubspot.pages(ask, {}, None)
    assert (ann.owner, ann.owner_unread) == ("", True)
    assert (nobodys.owner, nobodys.owner_unread) == ("", False)


def test_changes_come_from_the_search() -> None:
    ask = Script(*NO_OWNERS, page(ANN, after="200"), page(BOB))
    assert [[contact.crm_id for contact in found] for found in hubspot.pages(ask, {}, NOON)] == [
        ["713000000001"],
        ["713000000002"],
    ]
    search = {
        "limit": 200,
        "properties": list(hubspot.PROPERTIES),
        "sorts": [{"propertyName": "lastmodifieddate", "direction": "ASCENDING"}],
        "filterGroups": [
            {"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1777636800000"}]}
        ],
    }
    assert ask.calls[2:] == [
        Call("POST", f"{CONTACTS}/search", body=search),
        Call("POST", f"{CONTACTS}/search", body={**search, "after": "200"}),
    ]


def test_the_search_begins_anew_before_it_ends_at_10_000() -> None:
    def changed(number: int) -> dict[str, Any]:
        at = NOON + timedelta(seconds=number)
        return {"id": str(number + 1), "properties": {"lastmodifieddate": at.isoformat()}}

    full = [page(*map(changed, range(n, n + 200)), after=str(n + 200)) for n in range(0, 10_000, 200)]
    ask = Script(*NO_OWNERS, *full, page(changed(9_999), changed(10_000)))
    found = [contact.crm_id for part in hubspot.pages(ask, {}, NOON) for contact in part]
    assert (len(found), len(set(found))) == (10_002, 10_001)
    last: Any = ask.calls[-1].body
    assert "after" not in last
    assert last["filterGroups"][0]["filters"][0]["value"] == str(1777636800000 + 9_999_000)
    assert max(int((call.body or {}).get("after", 0)) for call in ask.calls) == 9_800


@pytest.mark.parametrize(("since", "ids"), [(None, ["1", "2", "3"]), (NOON, ["2", "3"])])
def test_the_archive_tells_what_is_gone(since: datetime | None, ids: list[str]) -> None:
    early = {"id": "1", "archived": True, "archivedAt": "2026-05-01T11:59:59Z"}
    late = {"id": "2", "archived": True, "archivedAt": "2026-05-01T12:00:00Z"}
    ask = Script(page(early, late, after="2"), page({"id": "3", "archived": True}))
    found = [contact for part in hubspot.deleted(ask, {}, since) for contact in part]
    assert found == [FetchedContact(crm_id=crm_id, is_deleted=True) for crm_id in ids]
    assert ask.calls[0].query == {"limit": "100", "properties": "hs_object_id", "archived": "true"}


def test_ids_alone_come_with_one_property() -> None:
    ask = Script(page(ANN, after="1"), page(BOB))
    assert list(hubspot.ids(ask, {})) == [["713000000001"], ["713000000002"]]
    assert ask.calls[0] == Call("GET", CONTACTS, {"limit": "100", "properties": "hs_object_id"})
