"""Pipedrive: persons of v2, which name owners and organisations by id only."""

from datetime import UTC, datetime
from typing import Any

from crm.providers import Call, FetchedContact, pipedrive
from tests.crm.calls import CrmSaysNo, Script

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
USERS = {"success": True, "data": [{"id": 11, "name": "Sue Poe", "email": "sue@example.org", "active_flag": True}]}
ANN = {
    "id": 1,
    "name": "Ann Lee",
    "first_name": "Ann",
    "last_name": "Lee",
    "phones": [
        {"value": "", "primary": True, "label": "work"},
        {"value": "020 7946 0000", "primary": False, "label": "work"},
        {"value": "07306 506797", "primary": False, "label": "mobile"},
    ],
    "emails": [
        {"value": "old@example.org", "primary": False, "label": "home"},
        {"value": "ann@example.org", "primary": True, "label": "work"},
    ],
    "org_id": 5,
    "owner_id": 11,
    "update_time": "2026-05-01T12:00:00Z",
    "marketing_status": "unsubscribed",
    "is_deleted": False,
}
BOB = {
    "id": 2,
    "name": "Bob",
    "first_name": "Bob",
    "last_name": None,
    "phones": [{"value": "07700 900124", "primary": True, "label": "Mobile"}],
    "emails": [],
    "org_id": None,
    "owner_id": 12,
    "update_time": None,
    "marketing_status": "no_consent",
}


def page(*rows: Any, cursor: str | None = None) -> dict[str, Any]:
    """As Pipedrive answers."""
    return {"success": True, "data": list(rows), "additional_data": {"next_cursor": cursor}}


def test_persons_with_their_owners_and_organisations() -> None:
    ask = Script(USERS, page(ANN, cursor="eyJ"), page({"id": 5, "name": "Lee & Daughters"}), page(BOB))
    assert list(pipedrive.pages(ask, {}, None)) == [
        [
            FetchedContact(
                crm_id="1",
                first_name="Ann",
                last_name="Lee",
                name="Ann Lee",
                phone="020 7946 0000",
                mobile="07306 506797",
                email="ann@example.org",
                company="Lee & Daughters",
                owner="Sue Poe",
                owner_email="sue@example.org",
                changed_at=NOON,
                opted_out=True,
            )
        ],
        [FetchedContact(crm_id="2", first_name="Bob", name="Bob", phone="07700 900124", mobile="07700 900124")],
    ]
    listed = {"limit": "500", "include_fields": "marketing_status"}
    assert ask.calls == [
        Call("GET", "/v1/users"),
        Call("GET", "/v2/persons", listed),
        Call("GET", "/v2/organizations", {"ids": "5", "limit": "100"}),
        Call("GET", "/v2/persons", {**listed, "cursor": "eyJ"}),
    ]


def test_organisations_are_asked_for_once_and_a_hundred_at_a_time() -> None:
    persons = [{"id": n, "name": "A", "org_id": n} for n in range(1, 251)]
    missing = page({"id": 7, "name": "Seven"})
    ask = Script(USERS, page(*persons, cursor="x"), missing, missing, missing, page({"id": 251, "org_id": 7}))
    found = [contact for part in pipedrive.pages(ask, {}, None) for contact in part]
    asked = [call.query["ids"].split(",") for call in ask.calls if call.path == "/v2/organizations" and call.query]
    assert [len(ids) for ids in asked] == [100, 100, 50]
    assert [contact.crm_id for contact in found if contact.company == "Seven"] == ["7", "251"]


def test_changes_are_asked_for_oldest_first() -> None:
    ask = Script(USERS, page())
    assert list(pipedrive.pages(ask, {}, NOON)) == [[]]
    assert ask.calls[1].query == {
        "limit": "500",
        "include_fields": "marketing_status",
        "updated_since": "2026-05-01T12:00:00Z",
        "sort_by": "update_time",
        "sort_direction": "asc",
    }


def test_hidden_users_leave_owners_blank() -> None:
    no = CrmSaysNo(403, {"success": False, "error": "Scope and URL mismatch", "errorCode": 403})
    [[ann]] = pipedrive.pages(Script(no, page({**ANN, "org_id": None})), {}, None)
    assert (ann.owner, ann.owner_unread) == ("", True)


def test_what_is_deleted_is_no_contact() -> None:
    gone = {"id": 3, "name": "Gone", "is_deleted": True}
    assert list(pipedrive.pages(Script(USERS, page(gone)), {}, None)) == [[]]
    assert list(pipedrive.ids(Script(page(gone, BOB)), {})) == [["2"]]
    assert list(pipedrive.deleted(Script(), {}, NOON)) == []
