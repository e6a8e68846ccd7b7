"""The five CRMs of the sandbox, read through its proxy: paging, changes, deletions, and what each does differently."""

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import phonenumbers
import pytest
from django.core.exceptions import ValidationError

from config.sandbox import RunningSandbox, start_sandbox
from config.sandbox.crms import CRMS, times
from config.sandbox.crms.dirt import DIRT
from config.sandbox.crms.phones import SPELLINGS
from config.sandbox.crms.places import PLACES
from crm.models.fields import normal_phone
from tests.config.nango_crms import (
    CONTACTS,
    FACTS,
    LONG_AGO,
    READERS,
    SF,
    Crm,
    Row,
    hubspot_list,
    hubspot_search,
    id_of,
    now,
    read,
)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with start_sandbox(rate=None) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: RunningSandbox) -> RunningSandbox:
    running.reset()
    return running


ALL = pytest.mark.parametrize("provider", READERS)


@ALL
def test_all_pages_lead_to_all_people(sandbox: RunningSandbox, provider: str) -> None:
    crm = Crm(sandbox, provider, contacts=230, page_size=50, dirty=True)
    pages = READERS[provider](crm)
    assert max(len(page) for page in pages) == 50
    assert len(pages) >= 5
    ids = [id_of(row) for page in pages for row in page]
    assert (len(ids), set(ids)) == (230, {person["id"] for person in crm.people})


def test_hubspots_list_leads_to_all_people_in_order_of_id(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "hubspot", contacts=230)
    pages = hubspot_list(crm)
    assert [len(page) for page in pages] == [100, 100, 30]
    assert [row["id"] for page in pages for row in page] == [person["id"] for person in crm.people]


@ALL
def test_only_what_changed_is_read_again(sandbox: RunningSandbox, provider: str) -> None:
    crm = Crm(sandbox, provider, contacts=60, page_size=7)
    assert len(read(crm)) == 60
    began = now()
    some = [crm.people[at]["id"] for at in (50, 3, 17)]
    for id_ in some:
        crm.nango.upsert_contact(crm.id, id_, company="New Co")
    added = crm.nango.add_contacts(crm.id, 9)
    assert sorted(read(crm, began)) == sorted([*some, *added])
    assert len(read(crm)) == 69


@ALL
def test_the_generated_past_has_ties_which_a_strict_reader_would_lose(sandbox: RunningSandbox, provider: str) -> None:
    crm = Crm(sandbox, provider, contacts=30)
    moments = Counter(person["updated_at"] for person in crm.people)
    assert max(moments.values()) > 1


# HubSpot's search pages by number and does lose: that is why it is read with an overlap.
@pytest.mark.parametrize("provider", ["salesforce", "pipedrive", "zoho-crm", "highlevel"])
def test_a_list_that_changes_while_it_is_read_loses_nobody(sandbox: RunningSandbox, provider: str) -> None:
    crm = Crm(sandbox, provider, contacts=40, page_size=5)
    everybody = {person["id"] for person in crm.people}
    moved, ask = iter([person["id"] for person in crm.people][:6]), crm.ask

    def meddle(*given: Any, **options: Any) -> Any:
        if id_ := next(moved, ""):
            crm.nango.upsert_contact(crm.id, id_, title="Moved")
        return ask(*given, **options)

    crm.ask = meddle  # type: ignore[method-assign]
    assert set(read(crm)) == everybody


@ALL
def test_who_is_deleted_is_not_listed_and_comes_back_when_restored(sandbox: RunningSandbox, provider: str) -> None:
    crm = Crm(sandbox, provider, contacts=12)
    gone = crm.people[4]["id"]
    crm.nango.delete_contact(crm.id, gone)
    assert (len(read(crm)), gone in read(crm)) == (11, False)
    assert [person["id"] for person in crm.nango.contacts(crm.id, deleted=True)] == [gone]
    crm.nango.restore_contact(crm.id, gone)
    assert gone in read(crm)


@ALL
def test_the_survivor_of_a_merge_keeps_its_values_and_fills_its_gaps(sandbox: RunningSandbox, provider: str) -> None:
    crm = Crm(sandbox, provider, contacts=2)
    winner = crm.nango.upsert_contact(crm.id, first_name="Ann", phone=None, email="ann@x.example")["id"]
    loser = crm.nango.upsert_contact(crm.id, first_name="Anna", phone="+442079460000", email="b@x.example")["id"]
    left = crm.nango.merge_contacts(crm.id, winner, loser)
    person = crm.nango.contact(crm.id, left)
    assert (person["first_name"], person["phone"], person["email"]) == ("Ann", "+442079460000", "ann@x.example")
    assert loser not in read(crm)
    assert left in read(crm)
    assert (left == winner) is (provider != "hubspot")
    assert crm.nango.contact(crm.id, loser)["merged_into"] == left


@ALL
def test_the_neutral_form_tells_what_a_reader_sees(sandbox: RunningSandbox, provider: str) -> None:
    crm = Crm(sandbox, provider, contacts=70, dirty=True)
    told = {person["id"]: person for person in crm.people}
    for page in READERS[provider](crm):
        for row in page:
            seen, person = FACTS[provider](row, crm), told[id_of(row)]
            assert seen == {name: person[name] for name in seen}


def test_hubspot_merges_into_a_new_contact_to_which_both_ids_lead(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "hubspot", contacts=4)
    first, second, third, _ = (person["id"] for person in crm.people)
    merged = crm.nango.merge_contacts(crm.id, first, second)
    again = crm.nango.merge_contacts(crm.id, third, merged)
    assert len({first, second, third, merged, again}) == 5
    for old in (first, second, third, merged):
        assert crm.get(f"{CONTACTS}/{old}")["id"] == again
    (row,) = [row for page in hubspot_search(crm, now()) for row in page]
    assert row["properties"]["hs_merged_object_ids"] == f"{third};{merged};{first};{second}"
    assert crm.get(CONTACTS, {"archived": "true"})["results"] == []


def test_hubspot_archives_without_touching_the_time(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "hubspot", contacts=3)
    gone = crm.people[1]
    crm.nango.delete_contact(crm.id, gone["id"])
    (row,) = crm.get(CONTACTS, {"archived": "true"})["results"]
    assert (row["id"], row["archived"], row["updatedAt"]) == (gone["id"], True, gone["updated_at"])
    assert row["archivedAt"] > row["updatedAt"]
    assert read(crm, now()) == []
    assert crm.ask("GET", f"{CONTACTS}/{gone['id']}").status_code == 404
    assert crm.get(f"{CONTACTS}/{gone['id']}", {"archived": "true"})["archived"] is True


def test_hubspot_searches_no_further_than_ten_thousand(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "hubspot", contacts=10_050)
    search = f"{CONTACTS}/search"
    last = crm.ask("POST", search, body={"limit": 200, "after": "9800"}).json()
    assert (last["total"], len(last["results"]), last["paging"]["next"]["after"]) == (10_050, 200, "10000")
    beyond = crm.ask("POST", search, body={"limit": 200, "after": "10000"})
    assert (beyond.status_code, beyond.json()["category"]) == (400, "VALIDATION_ERROR")
    later = {"propertyName": "hs_object_id", "operator": "GT", "value": last["results"][-1]["id"]}
    rest = crm.ask("POST", search, body={"limit": 200, "filterGroups": [{"filters": [later]}]}).json()
    assert (rest["total"], len(rest["results"])) == (50, 50)


def test_hubspot_filters_by_properties(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "hubspot", contacts=30)
    wanted = crm.people[7]

    def total(**test: Any) -> int:
        body = {"filterGroups": [{"filters": [{"propertyName": "email", **test}]}]}
        return int(crm.ask("POST", f"{CONTACTS}/search", body=body).json()["total"])

    assert total(operator="EQ", value=wanted["email"].upper()) == 1
    assert total(operator="IN", values=[wanted["email"], crm.people[8]["email"]]) == 2
    assert (total(operator="HAS_PROPERTY"), total(operator="NOT_HAS_PROPERTY")) == (30, 0)
    assert total(operator="CONTAINS_TOKEN", value="*@*") == 30
    between = {"propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": LONG_AGO, "highValue": now()}
    assert total(**between) == 30
    newest = {"sorts": [{"propertyName": "lastmodifieddate", "direction": "DESCENDING"}], "limit": 1}
    (row,) = crm.ask("POST", f"{CONTACTS}/search", body=newest).json()["results"]
    assert row["id"] == crm.people[-1]["id"]


def test_hubspot_leaves_out_what_it_does_not_know(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "hubspot", contacts=1)
    (row,) = crm.get("/crm/v3/objects/contacts", {"properties": "firstname,nonsense"})["results"]
    assert set(row["properties"]) == {"firstname", "createdate", "hs_object_id", "lastmodifieddate"}
    (row,) = crm.get("/crm/v3/objects/contacts")["results"]
    assert len(row["properties"]) == 6
    assert [owner["archived"] for owner in crm.get("/crm/v3/owners", {"archived": "true"})["results"]] == [True]


@pytest.mark.parametrize("query", [{"limit": 101}, {"limit": 0}, {"after": "x"}, {"limit": "²"}])
def test_hubspots_list_refuses(sandbox: RunningSandbox, query: Row) -> None:
    assert Crm(sandbox, "hubspot").ask("GET", CONTACTS, query).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"after": "x"},
        {"filterGroups": "x"},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": "soon"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": "x"}]}]},
        {"sorts": [{"propertyName": "email", "direction": "UP"}]},
        [],
    ],
)
def test_hubspots_search_refuses(sandbox: RunningSandbox, body: object) -> None:
    assert Crm(sandbox, "hubspot").ask("POST", f"{CONTACTS}/search", body=body).status_code == 400


def test_salesforce_hands_out_batches_of_what_it_found_at_first(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "salesforce", contacts=300)
    answer = crm.ask("GET", f"{SF}/query", {"q": "SELECT Id FROM Contact"}, Sforce_Query_Options="batchSize=50").json()
    assert (answer["totalSize"], answer["done"], len(answer["records"])) == (200, True, 200)
    crm.nango.set_page_size(crm.id, 150)
    answer = crm.soql("SELECT Id, Name FROM contact ORDER BY Name DESC")
    assert (answer["totalSize"], answer["done"], len(answer["records"])) == (200, False, 150)
    rest = crm.get(answer["nextRecordsUrl"])
    assert (rest["done"], len(rest["records"]), "nextRecordsUrl" in rest) == (True, 50, False)
    names = [row["Name"] for row in answer["records"] + rest["records"]]
    assert names == sorted(names, reverse=True)
    (error,) = crm.get(answer["nextRecordsUrl"].replace("/query/01g", "/query/01h"))
    assert error["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_salesforce_ids_have_18_characters_and_grow(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "salesforce", contacts=90)
    rows = crm.soql("SELECT Id, OwnerId FROM Lead")["records"]
    ids = [row["Id"] for row in rows]
    assert ({len(id_) for id_ in ids}, {id_[:3] for id_ in ids}) == ({18}, {"00Q"})
    assert ids == sorted(ids)
    assert rows[0]["attributes"]["url"] == f"{SF}/sobjects/Lead/{ids[0]}"
    assert len({id_.lower() for id_ in ids}) == 30


def test_salesforce_reads_soql(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "salesforce", contacts=30, dirty=["no_email", "no_phone"])
    leads = [person for person in crm.people if person["module"] == "lead"]

    def found(condition: str) -> int:
        return len(crm.soql(f"SELECT Id FROM Lead WHERE {condition}")["records"])

    reachable = sum(1 for lead in leads if lead["email"] or lead["phone"] or lead["mobile"])
    assert found("IsConverted = false AND (Email != null OR Phone != null OR MobilePhone != null)") == reachable
    assert found("Email = null") == sum(1 for lead in leads if lead["email"] is None) > 0
    assert found(f"Email = '{leads[0]['email'].upper()}'") == 1
    assert found(f"Id IN ('{leads[0]['id']}', '{leads[1]['id']}')") == 2
    assert found(f"NOT Id IN ('{leads[0]['id']}')") == found(f"Id NOT IN ('{leads[0]['id']}')") == 9
    assert found(f"Id = '{leads[0]['id'].swapcase()}'") == 0
    assert found(f"SystemModstamp >= {LONG_AGO} AND SystemModstamp < {now()}") == 10
    assert found("LastName = 'O\\'Neill'") == sum(1 for lead in leads if lead["last_name"] == "O'Neill")
    assert crm.soql("SELECT COUNT() FROM Lead") == {"totalSize": 10, "done": True, "records": []}
    assert len(crm.soql("SELECT Id FROM Lead ORDER BY CreatedDate ASC NULLS LAST LIMIT 3")["records"]) == 3


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("SELECT Id, Foo FROM Contact", "INVALID_FIELD", "No such column 'Foo' on entity 'Contact'"),
        ("SELECT Id, Status FROM Contact", "INVALID_FIELD", "No such column 'Status' on entity 'Contact'"),
        ("SELECT Id, Account.Name FROM Lead", "INVALID_FIELD", "Didn't understand relationship 'Account'"),
        ("SELECT Id, Title FROM Lead", "INVALID_FIELD", "No such column 'Title' on entity 'Lead'"),
        ("SELECT Id, Owner.Email FROM Lead", "INVALID_FIELD", "No such column 'Email' on entity 'Name'"),
        ("SELECT Id FROM Lead WHERE Title = 'x'", "INVALID_FIELD", "No such column 'Title'"),
        ("SELECT Id FROM User", "INVALID_TYPE", "sObject type 'User' is not supported."),
        ("SELECT FROM Lead", "MALFORMED_QUERY", "expecting FROM"),
        ("SELECT Id Lead", "MALFORMED_QUERY", "expecting FROM"),
        ("SELECT Id FROM Lead WHERE Email IS NULL", "MALFORMED_QUERY", "unexpected"),
        ("SELECT Id FROM Lead WHERE Email = 'x", "MALFORMED_QUERY", "unexpected"),
        ("SELECT Id FROM Lead GROUP BY Id", "MALFORMED_QUERY", "unexpected"),
        ("SELECT Id FROM Lead WHERE " + "NOT " * 3000 + "Id = null", "MALFORMED_QUERY", ""),
        ("", "MALFORMED_QUERY", ""),
    ],
)
def test_salesforce_refuses_a_query(sandbox: RunningSandbox, query: str, code: str, words: str) -> None:
    crm = Crm(sandbox, "salesforce", contacts=3)
    crm.nango.hide_fields(crm.id, ["title", "Owner.Email"])
    answer = crm.ask("GET", f"{SF}/query", {"q": query})
    (error,) = answer.json()
    assert (answer.status_code, error["errorCode"], words in error["message"]) == (400, code, True)


def test_salesforce_shows_deleted_and_merged_ones_in_query_all(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "salesforce", contacts=12)
    began, (deleted, master, loser, *_) = now(), [p["id"] for p in crm.people if p["module"] == "contact"]
    crm.nango.delete_contact(crm.id, deleted)
    crm.nango.merge_contacts(crm.id, master, loser)
    query = f"SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = true AND SystemModstamp >= {began}"
    rows = {row["Id"]: row["MasterRecordId"] for row in crm.soql(query, "queryAll")["records"]}
    assert rows == {deleted: None, loser: master}
    assert crm.soql(query)["records"] == []
    everybody = crm.soql("SELECT Id, IsDeleted FROM Contact", "queryAll")["records"]
    assert Counter(row["IsDeleted"] for row in everybody) == {False: 6, True: 2}
    feed = crm.get(f"{SF}/sobjects/Contact/deleted/", {"start": began, "end": "2099-01-01T00:00:00Z"})
    assert {row["id"] for row in feed["deletedRecords"]} == {deleted, loser}
    assert crm.ask("GET", f"{SF}/sobjects/Lead/deleted/", {"start": LONG_AGO, "end": began}).status_code == 400


def test_a_converted_lead_names_its_contact_in_salesforce_and_leaves_zohos_list(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "salesforce", contacts=6)
    lead = next(person["id"] for person in crm.people if person["module"] == "lead")
    contact = crm.nango.convert_lead(crm.id, lead)
    (row,) = crm.soql("SELECT Id, ConvertedContactId FROM Lead WHERE IsConverted = true")["records"]
    assert (row["Id"], row["ConvertedContactId"], contact[:3]) == (lead, contact, "003")
    crm = Crm(sandbox, "zoho-crm", contacts=6)
    lead = next(person["id"] for person in crm.people if person["module"] == "lead")
    contact = crm.nango.convert_lead(crm.id, lead)
    assert (lead in read(crm), contact in read(crm), len(read(crm))) == (False, True, 6)


def test_a_lead_of_a_queue_has_an_owner_without_an_address(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "salesforce")
    crm.nango.upsert_contact(crm.id, module="lead", last_name="Free", owner_email=None)
    crm.nango.upsert_contact(crm.id, module="contact", last_name="Free", owner_email=None)
    queue, owned = (
        crm.soql(f"SELECT Owner.Name, Owner.Email, Name FROM {table}")["records"][0] for table in ("Lead", "Contact")
    )
    assert (queue["Owner"]["Name"], queue["Owner"]["Email"]) == ("Inbound Queue", None)
    assert owned["Owner"]["Email"] is not None


def test_pipedrive_ids_are_small_and_the_same_in_every_company(sandbox: RunningSandbox) -> None:
    first, second = Crm(sandbox, "pipedrive", contacts=3), Crm(sandbox, "pipedrive", contacts=3)
    assert read(first) == read(second) == ["1", "2", "3"]
    assert [p["name"] for p in first.people] != [p["name"] for p in second.people]
    assert first.config != second.config


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v2/persons", {"limit": 501}),
        ("/v2/persons", {"limit": "x"}),
        ("/v2/persons", {"cursor": "x"}),
        ("/v2/persons", {"sort_by": "name"}),
        ("/v2/persons", {"updated_since": "2026-01-01 10:00:00"}),
        ("/v2/persons", {"start": 0}),
        ("/v2/persons", {"ids": ",".join(map(str, range(101)))}),
        ("/v2/organizations", {"ids": "1,x"}),
    ],
)
def test_pipedrive_refuses(sandbox: RunningSandbox, path: str, query: Row) -> None:
    answer = Crm(sandbox, "pipedrive", contacts=3).ask("GET", path, query)
    assert (answer.status_code, answer.json()["success"]) == (400, False)


def test_pipedrive_sorts_and_narrows(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "pipedrive", contacts=12)

    def ids(**query: Any) -> list[int]:
        return [row["id"] for row in crm.get("/v2/persons", query)["data"]]

    crm.nango.upsert_contact(crm.id, "4", title="Boss")
    assert ids(sort_by="update_time", sort_direction="desc")[:2] == [4, 12]
    assert ids(sort_direction="desc", limit=3) == [12, 11, 10]
    assert (ids(ids="3,4,99"), ids(updated_until=LONG_AGO)) == ([3, 4], [])
    page = crm.get("/v2/persons", {"limit": 5, "sort_direction": "desc"})
    cursor = page["additional_data"]["next_cursor"]
    crm.nango.delete_contact(crm.id, "8")
    assert ids(limit=5, sort_direction="desc", cursor=cursor) == [7, 6, 5, 4, 3]
    assert crm.ask("GET", "/v2/persons", {"cursor": cursor}).status_code == 400
    assert crm.ask("GET", "/v1/persons").status_code == 404
    assert [user["active_flag"] for user in crm.get("/v1/users")["data"]] == [True] * 4 + [False]


def test_pipedrive_keeps_blank_phones_as_entries(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "pipedrive")
    crm.nango.upsert_contact(crm.id, phone="", mobile="+447400123456", email=None)
    (row,) = crm.get("/v2/persons")["data"]
    assert row["phones"] == [
        {"value": "", "primary": True, "label": "work"},
        {"value": "+447400123456", "primary": False, "label": "mobile"},
    ]
    assert row["emails"] == []


def test_zoho_answers_nothing_with_nothing(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "zoho-crm")
    query = {"fields": "Email"}
    empty = crm.ask("GET", "/crm/v8/Contacts", query)
    assert (empty.status_code, empty.content) == (204, b"")
    crm.nango.add_contacts(crm.id, 1)
    unchanged = crm.ask("GET", "/crm/v8/Contacts", query, If_Modified_Since="2099-01-01T00:00:00+03:00")
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert crm.ask("GET", "/crm/v8/Contacts/deleted").status_code == 204
    assert crm.ask("GET", "/crm/v8/Contacts/deleted", If_Modified_Since=LONG_AGO).status_code == 304
    # A connection that is kept alive is not upset by answers without a body.
    assert crm.ask("GET", "/crm/v8/Contacts", query).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "REQUIRED_PARAM_MISSING"),
        ({"fields": ",".join(f"F{number}" for number in range(51))}, "LIMIT_EXCEEDED"),
        ({"fields": "Email", "per_page": 201}, "INVALID_DATA"),
        ({"fields": "Email", "page": 11}, "DISCRETE_PAGINATION_LIMIT_EXCEEDED"),
        ({"fields": "Email", "page": 1, "page_token": "x"}, "AMBIGUITY_DURING_PROCESSING"),
        ({"fields": "Email", "page_token": "x"}, "INVALID_DATA"),
        ({"fields": "Email", "sort_by": "Email"}, "INVALID_DATA"),
    ],
)
def test_zoho_refuses(sandbox: RunningSandbox, query: Row, code: str) -> None:
    answer = Crm(sandbox, "zoho-crm", contacts=3).ask("GET", "/crm/v8/Contacts", query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_zoho_pages_by_number_or_token_but_not_with_another_order(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "zoho-crm", contacts=12)
    query = {"fields": "Email,nonsense", "per_page": 3}
    first = crm.get("/crm/v8/Contacts", query)
    second = crm.get("/crm/v8/Contacts", {**query, "page": 2})
    by_token = crm.get("/crm/v8/Contacts", {**query, "page_token": first["info"]["next_page_token"]})
    assert second["data"] == by_token["data"]
    assert (second["info"]["page"], second["info"]["more_records"], by_token["info"]["page"]) == (2, True, 2)
    ids = [row["id"] for row in first["data"] + second["data"]]
    assert (ids == sorted(ids, reverse=True), len(ids[0]), set(first["data"][0])) == (True, 19, {"id", "Email"})
    other = {**query, "sort_order": "asc", "page_token": first["info"]["next_page_token"]}
    assert crm.get("/crm/v8/Contacts", other)["code"] == "TOKEN_BOUND_DATA_MISMATCH"


def test_zoho_tells_what_was_deleted(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "zoho-crm", contacts=12, page_size=1)
    began, contacts = now(), [person for person in crm.people if person["module"] == "contact"]
    crm.nango.delete_contact(crm.id, contacts[0]["id"])
    crm.nango.merge_contacts(crm.id, contacts[1]["id"], contacts[2]["id"])
    feed, page = [], 1
    while True:
        answer = crm.get(
            "/crm/v8/Contacts/deleted", {"type": "all", "page": page}, If_Modified_Since="2026-01-01T00:00:00Z"
        )
        feed += answer["data"]
        if not answer["info"]["more_records"]:
            break
        page += 1
    assert [row["id"] for row in feed] == [contacts[0]["id"], contacts[2]["id"]]
    assert feed[0]["display_name"] == contacts[0]["name"]
    assert feed[0]["deleted_time"].endswith("+03:00")
    assert (times.parse_iso(feed[0]["deleted_time"]) or 0) >= (times.parse_iso(began) or 0)
    assert crm.ask("GET", "/crm/v8/Leads/deleted").status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"locationId": "x"},
        {"pageLimit": 1},
        {"locationId": "x", "pageLimit": 501},
        {"locationId": "x", "pageLimit": 100, "page": 101},
        {"locationId": "x", "pageLimit": 100, "page": 1, "searchAfter": [1, "x"]},
        {"locationId": "{own}", "pageLimit": 100, "searchAfter": "x"},
        {"locationId": "{own}", "pageLimit": 100, "sort": [{"field": "email"}]},
        {"locationId": "{own}", "pageLimit": 100, "filters": [{"field": "email", "operator": "eq", "value": "x"}]},
        {"locationId": "{own}", "pageLimit": 100, "filters": "x"},
    ],
)
def test_highlevel_says_422(sandbox: RunningSandbox, body: Row) -> None:
    crm = Crm(sandbox, "highlevel", contacts=3)
    if body.get("locationId") == "{own}":
        body = {**body, "locationId": crm.config["locationId"]}
    answer = crm.ask("POST", "/contacts/search", body=body, Version="2021-07-28")
    assert (answer.status_code, answer.json()["statusCode"]) == (422, 422)


def test_highlevel_wants_a_version_it_knows(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "highlevel", contacts=3)
    missing = crm.ask("POST", "/contacts/search", body={})
    wrong = crm.ask("POST", "/contacts/search", body={}, Version="2020-01-01")
    assert (missing.status_code, missing.json()["message"]) == (401, "version header was not found.")
    assert (wrong.status_code, wrong.json()["message"]) == (401, "version header is invalid")


def test_an_agency_has_no_contacts(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "highlevel", contacts=3, config={"companyId": "c1"})
    answer = crm.search(locationId="anything")
    assert (answer.status_code, crm.config) == (403, {"companyId": "c1"})
    assert answer.json()["message"] == "The token does not have access to this location."


def test_highlevel_goes_on_behind_the_last_contact_whatever_became_of_it(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "highlevel", contacts=20)
    sort = [{"field": "dateUpdated", "direction": "asc"}]
    page = crm.search(pageLimit=10, sort=sort).json()
    assert (page["total"], len(page["contacts"])) == (20, 10)
    last = page["contacts"][-1]
    crm.nango.delete_contact(crm.id, last["id"])
    # Its moment comes again as a whole: whoever shared it must not be lost.
    rest = crm.search(sort=sort, searchAfter=last["searchAfter"]).json()["contacts"]
    assert {row["id"] for row in page["contacts"][:-1] + rest} == {person["id"] for person in crm.people}
    newest = crm.search(pageLimit=1).json()["contacts"][0]
    assert newest["id"] == crm.people[-1]["id"]
    descending = [{"field": "dateAdded", "direction": "desc"}]
    second = crm.search(pageLimit=1, sort=descending, searchAfter=newest["searchAfter"]).json()["contacts"][0]
    assert second["id"] == crm.people[-2]["id"]
    assert crm.search(pageLimit=5, page=4).json()["contacts"][-1]["id"] == crm.people[0]["id"]
    grouped = [{"group": "AND", "filters": [{"field": "dateUpdated", "operator": "range", "value": {"gt": now()}}]}]
    assert crm.search(filters=grouped).json()["total"] == 0


def test_highlevel_tells_more_of_a_single_contact(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "highlevel", contacts=5)
    rows = [crm.get(f"/contacts/{person['id']}", Version="v3")["contact"] for person in crm.people]
    assert any(row["lastActivity"] for row in rows)
    assert rows[0]["contactName"] == crm.people[0]["name"].lower()
    assert crm.ask("GET", "/contacts/" + "x" * 20, Version="v3").status_code == 400
    assert crm.ask("GET", "/users/search", Version="v3").status_code == 422


def test_zohos_tokens_end_after_a_hundred_thousand(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "zoho-crm", contacts=9, page_size=2)
    token = crm.get("/crm/v8/Contacts", {"fields": "Email"})["info"]["next_page_token"]

    def as_if_served(count: int) -> Any:
        *parts, _ = urlsafe_b64decode(token).decode().split("|")
        forged = urlsafe_b64encode("|".join([*parts, str(count)]).encode()).decode()
        return crm.get("/crm/v8/Contacts", {"fields": "Email", "page_token": forged})

    assert len(as_if_served(99_999)["data"]) == 2
    assert as_if_served(100_000)["code"] == "PAGINATION_LIMIT_EXCEEDED"


def test_every_new_connection_is_an_account_of_its_own(sandbox: RunningSandbox) -> None:
    first = sandbox.nango.connect("hubspot")
    second = sandbox.nango.connect("hubspot")
    sandbox.nango.drop_connection(first)
    third = sandbox.nango.connect("hubspot")
    portals = [sandbox.nango.connection(id_)["connection_config"]["portalId"] for id_ in (second, third)]
    assert len(set(portals)) == 2


def test_the_same_account_can_be_connected_again(sandbox: RunningSandbox) -> None:
    crm = Crm(sandbox, "pipedrive", contacts=3)
    again = crm.nango.connect("pipedrive", same_account_as=crm.id)
    crm.nango.upsert_contact(crm.id, "1", first_name="Changed")
    assert crm.nango.contact(again, "1")["first_name"] == "Changed"
    assert crm.nango.connection(again)["connection_config"] == crm.config


def test_a_seed_makes_the_same_people_again_and_another_makes_others(sandbox: RunningSandbox) -> None:
    one, two, three = (
        sandbox.nango.contacts(sandbox.nango.connect("hubspot", contacts=40, seed=seed, dirty=True))
        for seed in (5, 5, 6)
    )
    assert one == two
    assert [person["name"] for person in one] != [person["name"] for person in three]


def test_clean_people_have_a_name_an_address_and_a_number_of_their_own(sandbox: RunningSandbox) -> None:
    people = sandbox.nango.contacts(sandbox.nango.connect("hubspot", contacts=3000))
    assert all(person["name"] and person["email"] and (person["phone"] or person["mobile"]) for person in people)
    for key in ("email", "phone_e164", "mobile_e164"):
        values = [person[key] for person in people if person[key]]
        assert len(values) == len(set(values))
    assert len({person["country"] for person in people}) == len(PLACES)
    assert {person["first_name"] is None for person in people} == {True, False}
    assert {"O'Neill", "山田", "Müller"} <= {person["last_name"] for person in people}


@pytest.mark.parametrize("region", PLACES)
def test_numbers_are_valid_and_mean_what_they_are_said_to_mean(sandbox: RunningSandbox, region: str) -> None:
    people = sandbox.nango.contacts(sandbox.nango.connect("hubspot", contacts=240, region=region, dirty=True))
    checked = 0
    for person in people:
        for kind in ("phone", "mobile"):
            e164 = person[f"{kind}_e164"]
            if e164:
                assert phonenumbers.is_valid_number(phonenumbers.parse(e164))
                assert normal_phone(person[kind], region, must_be_valid=True) == e164
                checked += 1
            elif person[kind]:
                with pytest.raises(ValidationError):
                    normal_phone(person[kind], region, must_be_valid=True)
    assert checked > 200


def test_every_spelling_is_used_somewhere(sandbox: RunningSandbox) -> None:
    people = sandbox.nango.contacts(sandbox.nango.connect("hubspot", contacts=500))
    phones = [person["phone"] or person["mobile"] for person in people]
    signs = {"00": "zeroes", "+44 (0)": "bracketed", "\u00a0": "hard_spaced", "(020)": "national", "+49-": "dashed"}
    assert {name for sign, name in signs.items() if any(sign in phone for phone in phones)} <= set(SPELLINGS)
    assert all(any(sign in phone for phone in phones) for sign in signs)


def test_each_kind_of_dirt_is_what_it_says(sandbox: RunningSandbox) -> None:
    people = sandbox.nango.contacts(sandbox.nango.connect("hubspot", contacts=400, dirty=True))
    spoilt = {kind: [person for person in people if person["dirt"] == kind] for kind in DIRT}
    assert {len(some) for some in spoilt.values()} == {10}
    assert sum(1 for person in people if person["dirt"] is None) == 300
    assert all(not person["name"] for person in spoilt["no_name"])
    assert all(person["email"] is None for person in spoilt["no_email"] + spoilt["no_contact"])
    assert all(person["phone"] is person["mobile"] is None for person in spoilt["no_phone"] + spoilt["no_contact"])
    assert {person["phone"] for person in spoilt["placeholder"]} == {"555-555-5555"}
    five = spoilt["duplicate"][:5]
    assert (len({person["phone"] for person in five}), len({person["phone_e164"] for person in five})) == (5, 1)
    assert len({person["phone_e164"] for person in spoilt["duplicate"]}) == 2
    assert any("ext." in person["phone"] for person in spoilt["switchboard"])
    assert len({person["phone_e164"] for person in spoilt["switchboard"]}) == 3
    assert len({person["email"] for person in spoilt["switchboard"]}) == 10
    assert all(person["phone"] == person["email"] == "" and person["mobile_e164"] for person in spoilt["blank"])
    assert all(person["email"] != person["email"].strip().lower() for person in spoilt["odd_email"])
    some = sandbox.nango.contacts(sandbox.nango.connect("hubspot", contacts=40, dirty=["no_name", "odd_email"]))
    assert Counter(person["dirt"] for person in some) == {None: 30, "no_name": 5, "odd_email": 5}


def test_a_hundred_thousand_people_are_there_at_once(sandbox: RunningSandbox) -> None:
    started = time.perf_counter()
    crms = [CRMS[provider](seed=1, people=100_000) for provider in CRMS]
    assert time.perf_counter() - started < 2
    crm = Crm(sandbox, "hubspot", contacts=100_000)
    sandbox.nango.upsert_contact(crm.id, crm.get(CONTACTS)["results"][0]["id"], first_name="Changed")
    (page,) = hubspot_search(crm, now())
    assert (len(page), len(crms)) == (1, 5)
    started = time.perf_counter()
    for _ in range(5):
        assert len(crm.get(CONTACTS, {"limit": 100, "after": page[0]["id"]})["results"]) == 100
    assert time.perf_counter() - started < 2
