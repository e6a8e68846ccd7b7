"""Somebody who wants to be forgotten is nowhere any more; whoever is counted stays counted."""

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from pytest_django import Settings

from config import erasing
from config.sandbox import RunningSandbox
from crm import services as crm
from crm.models import Client as BusinessClient
from crm.models import Connection, Erasure, IdempotencyKey, Lead, Message, SyncOutcome, User
from loops_sync import client
from loops_sync import services as loops_services
from loops_sync.models import Contact, OutboxEntry
from loyalty import services as points
from loyalty.models import Customer, Enrollment, PointsTransaction, SignInLink
from nominations import services as awards
from nominations.models import DecisionLog, ManualVote, Merge, Nomination, Nominator, Nominee, Vote, Voter
from notifications import services as notifications
from tests import builders
from tests.door import get, post

pytestmark = pytest.mark.django_db
EMAIL, PHONE, TYPED = "zephyrine@canary.example", "+447306506797", "07306 506797"
FIRST, LAST = "Zephyrine", "Quillfeather"
NAME, SLUG = f"{FIRST} {LAST}", "zephyrine-quillfeather"
TRACES = (EMAIL, "zephyrine", "quillfeather", "7306506797", "7306 506797", "7306-506-797")
HER = {"email": EMAIL, "first_name": FIRST, "last_name": LAST, "phone": TYPED}


def dump() -> str:
    """Every row of every table, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [f"{table} {row!r}" for row in cursor.fetchall()]
    return "\n".join(found).replace("\\u00e9", "é")


def traces() -> list[str]:
    """Lines of the dump that tell of her."""
    return [line for line in dump().lower().splitlines() if any(trace in line for trace in TRACES)]


def drain() -> None:
    """Workers tell Loops."""
    loops_services.deliver_mails()
    loops_services.drain()


def plant_in_the_awards() -> Nomination:
    """She nominates, is nominated, approved and voted for, votes, and is written about."""
    boss = builders.superuser()
    admin = Client()
    admin.force_login(boss)
    post("/api/nominations", builders.submission(nominator=HER, why=f"Signed, {NAME}"), idempotency_key=f"k-{EMAIL}")
    image = {"linkedin_url": "https://www.linkedin.com/in/zephyrine", "bio": f"{NAME} was born.", "achievements": LAST}
    about = builders.submitted(of=builders.nominee(**HER, **image), why=f"{FIRST} is good.")
    admin.post(f"/admin/nominations/nomination/{about.pk}/approve/", {"slug": "", "admin_notes": ""})
    about.refresh_from_db()
    assert about.nominee.slug == SLUG
    rejected = builders.submitted(of=builders.nominee(), by=HER)
    admin.post(f"/admin/nominations/nomination/{rejected.pk}/reject/", {"reason": f"{NAME} asked, call {TYPED}"})
    Nomination.objects.filter(pk=about.pk).update(admin_notes=f"Write to {EMAIL}")
    builders.vote(about)
    other = builders.approved(of=builders.nominee(bio=f"A friend of {NAME}; write to {EMAIL.upper()}."))
    vote = {"category": other.category.slug, "nominee": other.nominee.slug, "voter": HER}
    assert post("/api/votes", vote, idempotency_key="hers", User_Agent=f"Browser of {LAST}").status_code == 201
    awards.add_manual_votes(other.nominee, other.category, count=3, reason=f"{EMAIL} counted them", by=boss)
    awards.add_manual_votes(about.nominee, about.category, count=2, reason=f"Sent by {NAME}", by=boss)
    awards.invalidate_votes(
        Vote.objects.filter(voter__email=EMAIL), reason="staff", note=f"{NAME} voted twice", by=boss, about=EMAIL
    )
    elsewhere = builders.submitted()
    awards.reject_nomination(elsewhere, by=boss, reason=f"As {EMAIL} said, +44 7306-506-797.")
    return about


def plant_in_the_crm(sandbox: RunningSandbox) -> None:
    """She is a client, a lead by hand and one of a CRM, has a login, and forgets its password."""
    manager = builders.member("manager", builders.business())
    body = {**HER, "address_line1": f"{LAST} House"}
    assert post("/api/clients", body, by=manager).status_code == 201
    lead = json.loads(post("/api/leads", {"name": NAME, "email": EMAIL, "phone": TYPED}, by=manager).content)
    said = {"direction": "outbound", "channel": "sms", "body": f"Hello {FIRST}"}
    assert post(f"/api/leads/{lead['id']}/messages", said, by=manager).status_code == 201
    other = builders.lead(crm_owner=NAME, crm_owner_email=EMAIL)
    crm.log_message(other, direction="inbound", channel="email", body=f"Ask {EMAIL} ({TYPED})", by=None)
    user = User.objects.create_user(EMAIL, "secret-1", first_name=FIRST, last_name=LAST)
    builders.member("cashier", builders.business()).memberships.update(user=user)
    browser = Client()
    browser.post("/admin/login/", {"username": EMAIL, "password": "secret-1"})
    post("/api/auth/login", {"email": EMAIL, "password": "wrong"})
    post("/api/auth/login", {"email": EMAIL, "password": "secret-1"})


def plant_in_points() -> Any:
    """She has a card, with words at its rows, is told of it, and asks for a link."""
    customer = builders.customer(TYPED, first_name=FIRST, last_name=LAST, email=EMAIL)
    card = builders.card(100, by=customer)
    asked = points.Instruction(key=f"till-{PHONE}", fingerprint="f", reference=f"order of {EMAIL}")
    points.earn_points(card, asked, points=50)
    points.adjust_points(card, points.Instruction(), points=7, reason=f"{NAME}'s birthday")
    points.hold_points(card, points=10, by=None, reason=f"For {FIRST}")
    told = f"{NAME} has joined"
    notifications.notify("enrollment_accepted", title=told, dedupe_key="joined", business=builders.business().pk)
    notifications.notify("points_earned", title=f"Well done, {FIRST}", dedupe_key="earned", customer=customer.pk)
    SignInLink.objects.create(purpose="join", email=EMAIL, first_name=FIRST, last_name=LAST, phone=PHONE)
    return card


@pytest.fixture
def mailing(loops: RunningSandbox, settings: Settings) -> RunningSandbox:
    """Loops, with a template of each mail."""
    settings.LOOPS_TRANSACTIONAL = {kind: f"sandbox_{kind}" for kind in settings.LOOPS_TRANSACTIONAL}
    return loops


def test_whoever_is_forgotten_is_in_no_table_any_more(mailing: RunningSandbox) -> None:
    about = plant_in_the_awards()
    plant_in_the_crm(mailing)
    card = plant_in_points()
    drain()
    assert EMAIL in {contact["email"] for contact in mailing.contacts}
    before = {line.split()[0] for line in traces()}
    assert {"loops_sync_contact", "nominations_decisionlog", "loyalty_pointstransaction", "django_admin_log"} <= before
    votes, rows = Vote.objects.filter(state="counted").count(), PointsTransaction.objects.count()
    balance = card.transactions.latest("seq").balance_after

    record = erasing.forget(erasing.identify(EMAIL, TYPED), by=builders.superuser())

    waiting = [line for line in traces() if not line.startswith("loops_sync_contact ")]
    assert waiting == []
    drain()
    assert traces() == []
    assert EMAIL not in {contact["email"] for contact in mailing.contacts}
    assert "quillfeather" not in json.dumps(mailing.contacts).lower()
    entry = OutboxEntry.objects.get(event_type="person_forgotten")
    assert (entry.status, entry.outcome) == ("done", "sent")
    assert get(f"/nominee/{SLUG}").status_code == 404
    assert (Vote.objects.filter(state="counted").count(), PointsTransaction.objects.count()) == (votes, rows)
    assert points.verify_ledger() is None
    assert PointsTransaction.objects.latest("created_at").balance_after == balance
    assert Enrollment.objects.get().status == "left"
    chain = DecisionLog.objects.order_by("season", "seq")
    assert all(row.computed_hash() == row.row_hash for row in chain)
    nominee = Nominee.objects.get(pk=about.nominee_id)
    assert (str(nominee), nominee.state, nominee.slug) == ("Erased person", "suspended", None)
    assert [str(row) for row in (*Nominator.objects.filter(email=None), *Voter.objects.filter(email=None))] == [
        "Erased person"
    ] * 2
    assert (record.by.email, record.counts["nominations.Vote"]) == ("boss@example.org", 1)
    assert not User.objects.filter(email=None, is_active=True).exists()
    with pytest.raises(ValidationError, match="Nothing is known"):
        erasing.forget(erasing.identify(EMAIL, TYPED), by=builders.superuser())


def test_others_of_the_same_name_are_left_alone(loops: RunningSandbox) -> None:
    builders.submitted(by=HER)
    namesake = builders.person(first_name=FIRST, last_name=LAST)
    other = builders.submitted(by=namesake, why=f"{NAME} wrote this.")
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    other.refresh_from_db()
    assert (other.why, other.nominator.first_name) == (f"{NAME} wrote this.", FIRST)


def test_answer_that_was_kept_is_empty_and_still_no_second_effect() -> None:
    body = builders.submission(nominator=HER)
    assert post("/api/nominations", body, idempotency_key="once").status_code == 201
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    again = post("/api/nominations", body, idempotency_key="once")
    assert (again.status_code, json.loads(again.content), again["Idempotent-Replay"]) == (201, {}, "true")
    assert (Nomination.objects.count(), IdempotencyKey.objects.count()) == (1, 1)


def test_who_comes_back_is_somebody_new(loops: RunningSandbox) -> None:
    builders.submitted(by=HER)
    drain()
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    builders.submitted(by=HER)
    drain()
    drain()
    assert [contact["email"] for contact in loops.contacts].count(EMAIL) == 1
    assert Contact.objects.filter(email=EMAIL, deleted_at=None, forgotten_at=None).count() == 1
    assert Nominator.objects.filter(email=EMAIL).count() == 1


def test_loops_is_told_again_until_it_has_deleted_the_contact(loops: RunningSandbox) -> None:
    builders.submitted(by=HER)
    drain()
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    contact = Contact.objects.get(email=EMAIL)
    loops.set_fault("server_error", times=1)
    drain()
    assert Contact.objects.get(pk=contact.pk).email == EMAIL
    Contact.objects.update(next_attempt_at=None)
    client.delete_contact(EMAIL)  # as if the answer had been lost
    assert EMAIL not in {contact["email"] for contact in loops.contacts}
    drain()
    assert Contact.objects.get(pk=contact.pk).email is None
    assert traces() == []


def test_whoever_loops_never_heard_of_needs_no_loops() -> None:
    builders.submitted(by=HER)
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    assert traces() == []
    assert not OutboxEntry.objects.filter(event_type="person_forgotten").exists()


def test_echo_of_the_deletion_brings_nobody_back(loops: RunningSandbox) -> None:
    builders.submitted(by=HER)
    drain()
    contact = Contact.objects.get(email=EMAIL)
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    drain()
    identity = {"email": EMAIL, "userId": str(contact.pk), "id": "1"}
    event = {"eventName": "contact.deleted", "eventTime": 1, "contactIdentity": identity}
    loops_services.receive_event(event, webhook_id="w", timestamp="1")
    assert traces() == []


def test_sync_leaves_a_forgotten_lead_alone(loops: RunningSandbox, settings: Settings) -> None:
    settings.NANGO_HOST = loops.nango_url
    line = builders.connected(loops.nango, builders.business(), contacts=3)
    run = crm.execute_run(crm.start_run(line))
    lead = Lead.objects.exclude(email="").exclude(phone="").first()
    assert lead is not None
    crm.log_message(lead, direction="outbound", channel="sms", body="Hello", by=None)
    known = (lead.email, lead.phone, lead.name)
    erasing.forget(erasing.identify(lead.email, lead.phone), by=builders.superuser())
    Connection.objects.update(changed_since=None)
    again = crm.execute_run(crm.start_run(line))
    lead.refresh_from_db()
    assert (lead.name, lead.email, lead.phone, lead.crm_description) == ("Erased person", "", "", "")
    assert (again.created, again.updated, again.fetched) == (0, 0, run.fetched)
    assert not Message.objects.exists()
    assert not SyncOutcome.objects.filter(name=known[2]).exists()
    assert not [line for line in dump().splitlines() if any(text in line for text in known)]
    assert lead not in Lead.objects.live()


def test_company_keeps_its_page_without_the_address() -> None:
    company = builders.company(email=EMAIL, phone=TYPED, company_name="Quill Ltd")
    nomination = builders.approved(to=builders.category("firms", "company"), of=company)
    erasing.forget(erasing.identify(EMAIL), by=builders.superuser())
    nominee = Nominee.objects.get(pk=nomination.nominee_id)
    assert (nominee.state, nominee.company_name, nominee.email, nominee.phone) == ("live", "Quill Ltd", "", "")


def test_phone_alone_finds_the_rows_that_carry_it_and_says_by_what_else_they_are_known() -> None:
    builders.customer(TYPED, first_name=FIRST, last_name=LAST, email=EMAIL)
    builders.lead(email=EMAIL)
    subject = erasing.identify(phone="+44 (0)7306 506797")
    assert erasing.also_known_by(subject) == [EMAIL]
    erasing.forget(subject, by=builders.superuser())
    assert Customer.objects.get().phone is None
    assert Lead.objects.get().email == EMAIL


def test_staff_are_not_forgotten_by_accident() -> None:
    boss = builders.superuser()
    with pytest.raises(ValidationError, match="close their login first"):
        erasing.forget(erasing.identify(boss.email), by=boss)


@pytest.mark.parametrize(("email", "phone"), [("", ""), ("nobody", ""), ("", "12")])
def test_nobody_in_particular_is_refused(email: str, phone: str) -> None:
    with pytest.raises(ValidationError):
        erasing.identify(email, phone)


@pytest.mark.parametrize(
    "change",
    [
        {"points_delta": 1},
        {"operation_details": {}},
        {"operation_details": {"reason": "Another."}},
        {"transaction_reference": "another"},
        {"idempotency_key": "another"},
        {"fingerprint": "another"},
        {"staff_member": None},
    ],
)
def test_ledger_lets_nothing_through_but_forgetting(change: dict[str, Any]) -> None:
    card = builders.card(10)
    asked = points.Instruction(by=builders.superuser(), reference="r", key="k", fingerprint="f")
    points.adjust_points(card, asked, points=5, reason="A gift.")
    row = PointsTransaction.objects.filter(operation_type="adjust_points")
    with pytest.raises(DatabaseError), transaction.atomic():
        row.update(**change)
    details = row.get().operation_details
    row.update(transaction_reference=None, idempotency_key=None, operation_details={**details, "reason": ""})
    assert row.get().operation_details == {**details, "reason": ""}


def test_whoever_was_merged_and_taken_apart_again_is_named_nowhere(staff_client: Client) -> None:
    staff = builders.superuser()
    one, other = (
        builders.approved(of=builders.nominee(first_name="Quentin", last_name=name, email=f"{name}@x.example")).nominee
        for name in ("Zebra", "Zobra")
    )
    awards.add_manual_votes(one, builders.category(), count=3, reason="Panel.", by=staff)
    staff_client.post(f"/admin/nominations/nominee/{one.pk}/merge/{other.pk}/", {"reason": ""})
    staff_client.post(f"/admin/nominations/merge/{Merge.objects.get().pk}/undo/")
    erasing.forget(erasing.identify("zebra@x.example"), by=staff)
    texts = [*ManualVote.objects.values_list("reason", flat=True), *LogEntry.objects.values_list("change_message")]
    assert [text for text in texts if "Zebra" in str(text)] == []


def test_export_holds_all_rows_and_opens_no_door(tmp_path: Path) -> None:
    plant_in_points()
    builders.submitted(by=HER)
    builders.client(email=EMAIL)
    User.objects.create_user(EMAIL, "secret-1")
    file = tmp_path / "person.json"
    call_command("export_person", "--email", EMAIL, "--to", str(file), stdout=io.StringIO())
    found = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    tables = {"nominations.Nominator", "nominations.Nomination", "crm.Client", "crm.User", "loyalty.Customer"}
    assert tables | {"loyalty.LoyaltyCard", "loyalty.PointsTransaction"} <= set(found["tables"])
    assert found["tables"]["nominations.Nominator"][0]["email"] == EMAIL
    assert not any("password" in row for row in found["tables"]["crm.User"])
    with pytest.raises(CommandError, match="cannot be made"):
        call_command("export_person", "--email", EMAIL, "--to", str(file))


def test_command_shows_first_and_forgets_with_yes() -> None:
    boss = builders.superuser()
    builders.submitted(by=HER)
    out = io.StringIO()
    call_command("forget_person", "--email", EMAIL, "--by", boss.email, stdout=out)
    assert "1 Nominators: Stays as “Erased person”." in out.getvalue()
    assert traces()
    with pytest.raises(CommandError, match="is no superuser"):
        call_command("forget_person", "--email", EMAIL, "--by", builders.staff().email, "--yes")
    call_command("forget_person", "--email", EMAIL, "--by", boss.email, "--yes", stdout=out)
    assert traces() == []
    assert Erasure.objects.get().by == boss


def test_page_shows_exports_and_forgets_for_those_who_may(staff_client: Client) -> None:
    url, sent = "/admin/crm/erasure/person/", {"email": EMAIL.upper(), "phone": ""}
    builders.submitted(by=HER)
    other = Client()
    other.force_login(builders.staff("crm.view_erasure"))
    assert other.post(url, {**sent, "act": "forget"}).status_code == 403
    assert staff_client.get(url).status_code == 200
    page = staff_client.post(url, {**sent, "act": "show"}).content.decode()
    assert "1 Nominators: Stays as “Erased person”." in page
    assert traces()
    download = staff_client.post(url, {**sent, "act": "export"})
    assert download["Content-Disposition"] == 'attachment; filename="person.json"'
    assert json.loads(download.content)["tables"]["nominations.Nominator"]
    done = staff_client.post(url, {**sent, "act": "forget"}, follow=True)
    assert "Export or forget a person" in done.content.decode()
    assert traces() == []
    assert "Nothing is known" in staff_client.post(url, {**sent, "act": "show"}).content.decode()
    record = Erasure.objects.get()
    assert staff_client.get(f"/admin/crm/erasure/{record.pk}/change/").status_code == 200


def test_admin_still_opens_every_list_and_row_of_a_forgotten_person(mailing: RunningSandbox) -> None:
    plant_in_the_awards()
    plant_in_points()
    drain()
    erasing.forget(erasing.identify(EMAIL, TYPED), by=builders.superuser())
    drain()
    browser = Client()
    browser.force_login(builders.superuser())
    for model in (Nominator, Voter, Nominee, Nomination, Customer, Contact, OutboxEntry, User):
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert browser.get(base).status_code == 200, base
        for row in model._default_manager.all():
            assert browser.get(f"{base}{row.pk}/change/").status_code == 200, (base, row)
    assert get("/api/nominations", by=builders.superuser()).status_code == 200
    assert get("/api/loyalty/cards?business=corner-cafe", by=builders.superuser()).status_code == 200
    assert {check.state for check in loops_services.verify()} == {"ok"}
    assert LogEntry.objects.filter(object_repr="Erased person").exists()
    assert BusinessClient.objects.count() == 0
