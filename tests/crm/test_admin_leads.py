"""Leads in the admin: found, told, corrected by hand, handed back, spoken with."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from config.sandbox.nango import Nango
from crm import services
from crm.models import Business, Lead, Message
from tests import builders
from tests.crm.test_admin_connections import by, connected, read, text_of, warnings
from tests.crm.test_admin_runs import rows, tabs

pytestmark = pytest.mark.django_db
LIST, THREADS = "/admin/crm/lead/", "/admin/crm/lead/threads/"


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


def page(lead: Lead, door: str = "change") -> str:
    return f"{LIST}{lead.pk}/{door}/"


def fields_of(client: Client, lead: Lead) -> dict[str, str]:
    """What the form on the lead's page holds, as a browser would send it."""
    form = client.get(page(lead)).context["form"]
    sent: dict[str, str] = {}
    for field in form:
        value = field.value()
        if field.name == "opted_out":
            sent |= {"opted_out": "on"} if value else {}
        else:
            sent[field.html_name] = str(value or "")
        sent[field.html_initial_name] = str(field.initial if field.initial is not None else "")
    return sent


def edit(client: Client, lead: Lead, **fields: str) -> Any:
    return client.post(page(lead), {**fields_of(client, lead), **fields}, follow=True)


def names(client: Client, **query: str) -> set[str]:
    """Whom the list shows."""
    html = client.get(f"{LIST}?{urlencode(query)}").content.decode()
    return set(re.findall(rf'href="{LIST}[^"]*/change/[^"]*">([^<]*)<', html))


# --- who may do what -----------------------------------------------------------------------------------------------
def test_member_sees_their_own_leads(here: Business) -> None:
    builders.lead(here, name="Mine")
    builders.lead(builders.business("elsewhere"), name="Theirs", crm_owner="Secret Owner")
    client = by("cashier", here)
    assert names(client) == {"Mine"}
    assert names(client, deleted="all", crm_owner="Secret Owner") == set()
    assert "Secret Owner" not in client.get(LIST).content.decode()


@pytest.mark.parametrize("door", ["change", "history", "delete"])
def test_foreign_lead_answers_as_a_missing_one(door: str, here: Business) -> None:
    theirs = builders.lead(builders.business("elsewhere"))
    client = by("owner", here)
    for ask in (client.get, client.post):
        answers = [ask(path) for path in (page(theirs, door), f"{LIST}{uuid4()}/{door}/")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    assert Lead.objects.filter(pk=theirs.pk).exists()


def test_foreign_business_takes_no_lead_and_shows_no_thread(here: Business) -> None:
    theirs = builders.business("elsewhere")
    builders.lead(theirs, name="Theirs")
    client = by("owner", here)
    client.post(f"{LIST}add/", {"business": str(theirs.pk), "name": "X", "email": "x@y.example", "status": "pending"})
    assert not Lead.objects.filter(name="X").exists()
    for wanted in (str(theirs.pk), str(uuid4()), "nonsense"):
        assert client.get(f"{THREADS}?business={wanted}").status_code == 404


@pytest.mark.parametrize(("role", "may_delete"), [("cashier", False), ("manager", True), ("owner", True)])
def test_every_member_edits_and_managers_delete(role: str, may_delete: bool, here: Business) -> None:
    lead = builders.lead(here)
    client = by(role, here)
    edit(client, lead, company="Acme")
    lead.refresh_from_db()
    assert lead.company == "Acme"
    assert (b"Delete" in client.get(page(lead)).content) == may_delete
    assert client.post(page(lead, "delete")).status_code == (302 if may_delete else 403)
    assert Lead.objects.filter(pk=lead.pk).exists() != may_delete


def test_staff_who_only_look_change_nothing(here: Business) -> None:
    lead = builders.lead(here)
    client = builders.logged_in(builders.staff("crm.view_lead"))
    assert "Log message" not in text_of(client.get(page(lead)))
    for sent in ({"name": "X"}, {"_message": "yes", "body": "X"}, {"_follow": "name"}):
        assert client.post(page(lead), sent).status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert builders.logged_in(builders.staff("crm.view_user")).get(page(lead)).status_code == 404
    assert builders.logged_in(builders.staff("crm.view_user")).get(THREADS).status_code == 403


# --- list ----------------------------------------------------------------------------------------------------------
def test_list_shows_how_to_reach_them_and_what_the_crm_says(here: Business) -> None:
    builders.lead(
        here,
        name="Ada Lovelace",
        phone="+447306506797",
        email="ada@x.example",
        company="Engines",
        crm_id="7",
        crm_owner="Grace Adeyemi",
        crm_status="ATTEMPTED_TO_CONTACT",
        crm_stage="customer",
        opted_out=True,
        contacted=True,
    )
    (found,) = rows(by("cashier", here), LIST)
    for word in (
        "Ada Lovelace Engines",
        "+44 7306 506797 ada@x.example",
        "Grace Adeyemi",
        "Attempted to contact customer",
    ):
        assert word in found
    for word in ("New", "✓ Contacted", "Opted out"):
        assert word in found


def test_gone_leads_show_on_request_only(here: Business) -> None:
    builders.lead(here, name="Live")
    builders.lead(here, name="Gone", crm_id="1", crm_deleted_at=timezone.now())
    client = by("cashier", here)
    assert names(client) == {"Live"}
    assert names(client, deleted="gone") == {"Gone"}
    assert names(client, deleted="all") == {"Live", "Gone"}
    assert "Gone from the CRM" in rows(client, f"{LIST}?deleted=gone")[0]


def test_filters_narrow(here: Business) -> None:
    builders.lead(here, name="Hand")
    crm = {"crm_owner": "Wei", "crm_status": "OPEN", "crm_stage": "lead", "lead_type": "old", "contacted": True}
    builders.lead(here, name="Hub", crm_id="1", **crm)
    builders.lead(here, name="Zo", crm_id="2", opted_out=True)
    Lead.objects.filter(name="Zo").update(crm_source="zoho")
    client = by("cashier", here)
    for query, expected in (
        ({"source": "manual"}, {"Hand"}),
        ({"source": "hubspot"}, {"Hub"}),
        ({"source": "zoho"}, {"Zo"}),
        ({"source": "nonsense"}, set()),
        ({"crm_owner": "Wei"}, {"Hub"}),
        ({"crm_owner": "-"}, {"Hand", "Zo"}),
        ({"crm_status": "OPEN"}, {"Hub"}),
        ({"crm_stage": "lead"}, {"Hub"}),
        ({"lead_type__exact": "old"}, {"Hub"}),
        ({"contacted__exact": "1"}, {"Hub"}),
        ({"opted_out__exact": "1"}, {"Zo"}),
    ):
        assert names(client, **query) == expected, query
    assert tabs(client, LIST) == ["Live 3", "Not contacted 2", "Opted out 1", "Made by hand 1", "Gone from the CRM 0"]


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "LOVELACE",
        "ada engines",
        "ada@x",
        "+447306506797",
        "07306 506797",
        "0044 7306 506797",
        "+44 (0)7306 506797",
    ],
)
def test_search_finds_names_companies_addresses_and_phones_in_any_spelling(text: str, here: Business) -> None:
    builders.lead(here, name="Ada Lovelace", company="Engines Ltd", email="ada@x.example", phone="+447306506797")
    builders.lead(here, name="Bob", phone="+447306506798")
    assert names(by("cashier", here), q=text) == {"Ada Lovelace"}


@pytest.mark.parametrize("text", ["0", "%", "'", "\\", "a" * 5000, " ", "+", "٣"])
def test_odd_searches_are_answered(text: str, here: Business) -> None:
    builders.lead(here, name="Ada")
    assert by("cashier", here).get(f"{LIST}?{urlencode({'q': text})}").status_code == 200


def test_who_sees_several_businesses_sees_whose_it_is(here: Business) -> None:
    there = builders.business("elsewhere")
    builders.lead(here, name="Mine")
    builders.lead(there, name="Other")
    client = builders.logged_in(builders.member("cashier", here, there))
    assert "Corner Cafe" in " ".join(rows(client, LIST))
    assert names(client, business=str(there.pk)) == {"Other"}


# --- by hand -------------------------------------------------------------------------------------------------------
def test_lead_is_added_by_hand(here: Business) -> None:
    client = by("cashier", here)
    sent = {"business": str(here.pk), "first_name": "Ines", "last_name": "Brandt", "phone": "07306 506797"}
    answer = client.post(f"{LIST}add/", {**sent, "status": "pending", "lead_type": "new"}, follow=True)
    lead = Lead.objects.get()
    assert warnings(answer) == ["Added Ines Brandt."]
    assert (lead.name, lead.phone, lead.crm_id, lead.business) == ("Ines Brandt", "+447306506797", None, here)
    assert "Made by hand" in text_of(client.get(page(lead)))


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({}, "Give a name."),
        ({"name": "Ines"}, "Give a phone or an email."),
        ({"name": "Ines", "phone": "12"}, "This phone number is too short"),
        ({"name": "Ines", "phone": "nonsense"}, "Enter a phone number"),
        ({"name": "Ines", "email": "nonsense"}, "Enter a valid email address."),
        ({"name": "x" * 256, "email": "a@b.example"}, "at most 255 characters"),
    ],
)
def test_what_is_wrong_stands_at_the_form(sent: dict[str, str], words: str, here: Business) -> None:
    full = {"business": str(here.pk), "status": "pending", "lead_type": "new", **sent}
    assert words in text_of(by("cashier", here).post(f"{LIST}add/", full))
    assert not Lead.objects.exists()


def test_edit_says_which_fields_are_by_hand_and_a_sync_leaves_them(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=1)
    read(connection)
    lead = Lead.objects.get()
    client = by("cashier", here)
    assert "Edited by hand" not in text_of(client.get(page(lead)))
    assert warnings(edit(client, lead, company="By Hand Ltd")) == [f"Saved {lead}."]
    lead.refresh_from_db()
    assert lead.edited_fields == ["company"]
    assert text_of(client.get(page(lead))).count("Edited by hand: the CRM no longer changes it.") == 1
    nango.upsert_contact(connection.nango_connection_id, lead.crm_id, company="CRM Ltd", first_name="Newname")
    read(connection)
    lead.refresh_from_db()
    assert (lead.company, lead.first_name) == ("By Hand Ltd", "Newname")
    assert "Edited company." in text_of(client.get(page(lead, "history")))


def test_handed_back_field_follows_the_crm_again(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=1)
    read(connection)
    lead = Lead.objects.get()
    client = by("cashier", here)
    edit(client, lead, company="By Hand Ltd")
    answer = client.post(page(lead), {"_follow": "company"}, follow=True)
    assert warnings(answer) == ["Company follows the CRM again, from the next time that the contact is read."]
    assert "Edited by hand" not in text_of(client.get(page(lead)))
    nango.upsert_contact(connection.nango_connection_id, lead.crm_id, company="CRM Ltd")
    read(connection)
    lead.refresh_from_db()
    assert lead.company == "CRM Ltd"


@pytest.mark.parametrize("name", ["", "crm_owner", "edited_fields", "nonsense"])
def test_only_fields_that_follow_can_be_handed_back(name: str, here: Business) -> None:
    lead = builders.lead(here, edited_fields=["company"])
    assert warnings(by("cashier", here).post(page(lead), {"_follow": name}, follow=True)) == []
    lead.refresh_from_db()
    assert lead.edited_fields == ["company"]


def test_old_page_takes_nothing_back_that_came_in_meanwhile(here: Business) -> None:
    lead = builders.lead(here, name="Ada", company="Old", crm_id="1")
    client = by("cashier", here)
    sent = fields_of(client, lead)
    Lead.objects.filter(pk=lead.pk).update(company="From the CRM", phone="+447306506797")
    client.post(page(lead), {**sent, "name": "Ada L"})
    lead.refresh_from_db()
    assert (lead.name, lead.company, lead.phone) == ("Ada L", "From the CRM", "+447306506797")
    assert lead.edited_fields == ["name"]


def test_saving_without_an_edit_marks_nothing(here: Business) -> None:
    lead = builders.lead(here, phone="+447306506797", opted_out=True)
    assert warnings(edit(by("cashier", here), lead)) == ["Nothing was edited."]
    before = lead.updated_at
    lead.refresh_from_db()
    assert (lead.edited_fields, lead.updated_at) == ([], before)


def test_opt_out_is_set_and_taken_back_by_hand(here: Business) -> None:
    lead = builders.lead(here)
    client = by("cashier", here)
    edit(client, lead, opted_out="on")
    lead.refresh_from_db()
    assert lead.opted_out
    sent = fields_of(client, lead)
    del sent["opted_out"]
    client.post(page(lead), sent)
    lead.refresh_from_db()
    assert not lead.opted_out


def test_what_the_service_refuses_stands_at_the_field(here: Business) -> None:
    lead = builders.lead(here, name="Ada", email="", phone="+447306506797")
    said = text_of(edit(by("cashier", here), lead, phone=""))
    assert "Give a phone or an email." in said
    lead.refresh_from_db()
    assert lead.phone == "+447306506797"


def test_deletion_says_what_goes(here: Business) -> None:
    lead = builders.lead(here, name="Ada", crm_id="7")
    services.log_message(lead, direction="inbound", channel="sms", body="Hi", by=None)
    client = by("owner", here)
    said = text_of(client.get(page(lead, "delete")))
    assert "Ada is deleted, with 1 message. This cannot be undone." in said
    assert "If the contact is still in HubSpot, the next full sync brings it again." in said
    assert warnings(client.post(page(lead, "delete"), follow=True)) == ["Deleted Ada."]
    assert not Message.objects.exists()


# --- what the page tells -------------------------------------------------------------------------------------------
def test_page_tells_what_the_crm_says_and_what_syncs_changed(nango: Nango, here: Business) -> None:
    connection = connected(nango, here, contacts=1)
    read(connection)
    lead = Lead.objects.get()
    nango.upsert_contact(
        connection.nango_connection_id, lead.crm_id, company="Changed Ltd", description="Call at <noon>"
    )
    read(connection)
    read(connection)
    html = by("cashier", here).get(page(lead)).content.decode()
    said = text_of(by("cashier", here).get(page(lead)))
    assert "Call at &lt;noon&gt;" in html
    assert f"Id there {lead.crm_id}" in said
    history = said[said.index("What syncs changed") :]
    assert history.index("Updated") < history.index("New")
    assert "is now Changed Ltd" in history


def test_conversation_runs_from_oldest_to_newest(here: Business) -> None:
    lead = builders.lead(here, name="Ada")
    now = timezone.now()
    for hours, text in ((1, "newest"), (3, "oldest"), (2, "between")):
        at = now - timedelta(hours=hours)
        services.log_message(lead, direction="inbound", channel="sms", body=text, by=None, sent_at=at)
    said = text_of(by("cashier", here).get(page(lead)))
    assert said.index("oldest") < said.index("between") < said.index("newest")


def test_message_is_logged_and_marks_the_lead_as_contacted(here: Business) -> None:
    lead = builders.lead(here)
    user = builders.member("cashier", here)
    client = builders.logged_in(user)
    sent = {"_message": "yes", "direction": "outbound", "channel": "email", "body": "Hello <there>\nAda"}
    answer = client.post(page(lead), sent)
    assert answer["Location"] == f"{page(lead)}#conversation"
    message = Message.objects.get()
    assert (message.direction, message.channel, message.body, message.by) == (
        "outbound",
        "email",
        "Hello <there>\nAda",
        user,
    )
    lead.refresh_from_db()
    assert lead.contacted
    assert "Hello &lt;there&gt;<br>Ada" in client.get(page(lead)).content.decode()


@pytest.mark.parametrize(
    "sent",
    [{"body": ""}, {"body": "x" * 5001}, {"direction": "sideways"}, {"channel": "fax"}, {"body": "\x00"}],
)
def test_wrong_message_is_refused_at_the_form(sent: dict[str, str], here: Business) -> None:
    lead = builders.lead(here)
    full = {"_message": "yes", "direction": "outbound", "channel": "sms", "body": "Hello", **sent}
    assert by("cashier", here).post(page(lead), full).status_code == 200
    assert not Message.objects.exists()


def test_page_warns_of_an_opt_out(here: Business) -> None:
    lead = builders.lead(here, name="Ada", opted_out=True)
    assert "Ada opted out: do not write to them." in text_of(by("cashier", here).get(page(lead)))


# --- recent threads ------------------------------------------------------------------------------------------------
def threads(client: Client, query: str = "") -> list[str]:
    html = client.get(THREADS + query).content.decode()
    items = re.findall(r'<li class="thread[^>]*>(.*?)</li>', html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", item).split()) for item in items]


def test_threads_are_one_a_phone_newest_first(here: Business) -> None:
    old = timezone.now() - timedelta(days=3)
    first = builders.lead(here, name="Ada", phone="+447306506797", created_at=old)
    builders.lead(here, name="Ada’s twin", phone="+447306506797", created_at=old - timedelta(days=1))
    builders.lead(
        here,
        name="Bob",
        phone="+447306506798",
        created_at=old + timedelta(days=1),
        crm_owner="Wei",
        crm_status="IN_PROGRESS",
    )
    builders.lead(here, name="Mail only", created_at=old - timedelta(days=2))
    builders.lead(here, name="Gone", phone="+447306506799", crm_id="1", crm_deleted_at=old)
    services.log_message(first, direction="outbound", channel="sms", body="Are you there?", by=None)
    found = threads(by("cashier", here))
    assert [row.split("+44")[0].split(" No phone")[0].strip() for row in found] == ["Ada", "Bob", "Mail only"]
    assert "+44 7306 506797" in found[0]
    assert "Are you there?" in found[0]
    assert "✓ Contacted" in found[0]
    assert "Wei" in found[1]
    assert "In progress" in found[1]
    assert "Nothing said yet" in found[2]


def test_thread_of_an_opt_out_is_dimmed_and_says_so(here: Business) -> None:
    lead = builders.lead(here, opted_out=True)
    html = by("cashier", here).get(THREADS).content.decode()
    assert 'class="thread dimmed"' in html
    assert "Opted out" in html
    assert f"{page(lead)}#conversation" in html


def test_threads_come_in_pages(here: Business) -> None:
    for number in range(30):
        builders.lead(here, name=f"Lead {number}")
    client = by("cashier", here)
    assert [len(threads(client, query)) for query in ("", "?p=2", "?p=99", "?p=0", "?p=nonsense")] == [
        25,
        5,
        0,
        25,
        25,
    ]
    assert ("Older" in text_of(client.get(THREADS)), "Newer" in text_of(client.get(THREADS))) == (True, False)
    last = text_of(client.get(f"{THREADS}?p=2"))
    assert ("Older" in last, "Newer" in last) == (False, True)


def test_staff_choose_whose_threads(here: Business) -> None:
    there = builders.business("elsewhere")
    builders.lead(here, name="Mine")
    builders.lead(there, name="Other")
    client = builders.logged_in(builders.superuser())
    assert threads(client)[0].startswith("Mine")
    assert threads(client, f"?business={there.pk}")[0].startswith("Other")


def test_threads_without_any_say_how_they_come(here: Business) -> None:
    assert "Nobody yet" in text_of(by("cashier", here).get(THREADS))


# --- queries -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("count", [1, 3])
def test_pages_need_the_same_queries_for_any_number(
    count: int, here: Business, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    connection = builders.connection(here)
    leads = [builders.lead(here, crm_id=str(number), crm_owner=f"Owner {number}") for number in range(count)]
    for _ in range(count):
        services.log_message(leads[0], direction="inbound", channel="sms", body="Hi", by=None)
        run = services.start_run(connection)
        run.outcomes.create(bucket="updated", crm_id="0", lead=leads[0], changes={"company": ["", "Acme"]})
        services.runs.fail_run(run, "x", code="died")
    client = by("owner", here)
    for address, queries in ((LIST, 16), (THREADS, 9), (page(leads[0]), 11)):
        with django_assert_num_queries(queries):
            assert client.get(address).status_code == 200
