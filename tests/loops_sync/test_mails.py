"""Mails about one fact each: planned with it, sent once, with what is true when they are sent."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, Settings

from config.sandbox import RunningSandbox, start_sandbox
from loops_sync import client, selectors, services, tasks
from loops_sync.models import Contact, Relay, TransactionalMail
from nominations import services as awards
from nominations.models import Nomination, Vote
from tests import builders
from tests.door import get, said
from tests.loops_sync.test_races import in_threads

pytestmark = pytest.mark.django_db
BASE = "https://loops.example/api/v1"
LIST = "/admin/loops_sync/transactionalmail/"
KINDS = ("vote", "nomination", "nominee_approved", "nominator_approved")
BY = {"email": "raf@necub.com", "first_name": "Raf", "last_name": "Yuyospe", "company": "Acme", "job_title": "Boss"}
OF = {"kind": "person", "first_name": "Higi", "last_name": "Lip", "email": "higi@besaies.com"}
Capture = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def post_office(settings: Settings) -> Any:
    """A Loops that has a template for each kind."""
    settings.LOOPS_TRANSACTIONAL = {kind: f"t_{kind}" for kind in KINDS}
    with start_sandbox(rate=None, templates=settings.LOOPS_TRANSACTIONAL.values()) as sandbox:
        settings.LOOPS_BASE_URL = sandbox.loops_url
        yield sandbox


def sent(sandbox: RunningSandbox) -> list[tuple[str, str]]:
    """Template and address of the mails that Loops has sent, in order."""
    return [(mail["transactionalId"], mail["email"]) for mail in sandbox.mails]


def planned() -> list[tuple[str, str, str]]:
    """Kind, status and outcome, oldest first."""
    rows = TransactionalMail.objects.order_by("created_at", "id")
    return list(rows.values_list("kind", "status", "outcome"))


def only(kind: str) -> TransactionalMail:
    return TransactionalMail.objects.get(kind=kind)


# --- when -----------------------------------------------------------------------------------------------------------
def test_each_fact_has_its_mail(post_office: RunningSandbox) -> None:
    nomination = builders.submitted(by=BY, of=OF)
    services.deliver_mails()
    assert sent(post_office) == [("t_nomination", "raf@necub.com")]
    awards.approve_nomination(nomination, by=builders.superuser())
    builders.vote(nomination, email="voter@example.org")
    assert services.deliver_mails() == services.MailTally(sent=3)
    assert sent(post_office)[1:] == [
        ("t_nominee_approved", "higi@besaies.com"),
        ("t_nominator_approved", "raf@necub.com"),
        ("t_vote", "voter@example.org"),
    ]
    assert len({mail["key"] for mail in post_office.mails}) == 4
    assert services.deliver_mails() == services.MailTally()


def test_who_is_brought_in_by_staff_is_not_thanked(post_office: RunningSandbox) -> None:
    builders.season()
    awards.add_nomination(builders.category(), nominee=OF, nominator=BY, why="", by=builders.superuser())
    assert planned() == []


def test_variables_say_who_what_where_and_when(post_office: RunningSandbox) -> None:
    with time_machine.travel("2026-10-04T14:05:06.789Z", tick=False):
        nomination = builders.submitted(by=BY, of=OF)
        awards.approve_nomination(nomination, by=builders.superuser())
        services.deliver_mails()
    held = {mail["transactionalId"]: mail["dataVariables"] for mail in post_office.mails}
    moments = {"Timestamp": "2026-10-04T14:05:06.789Z", "Date": "4 October 2026", "Time": "14:05 UTC"}
    about = {
        "nomineeDisplayName": "Higi Lip",
        "nomineeUrl": "https://awards.example/nominee/higi-lip",
        "categoryName": "Staffing",
        "subcategoryName": "Best Recruiter",
    }
    nominator = {
        "nominatorFirstName": "Raf",
        "nominatorLastName": "Yuyospe",
        "nominatorFullName": "Raf Yuyospe",
        "nominatorEmail": "raf@necub.com",
        "nominatorCompany": "Acme",
        "nominatorJobTitle": "Boss",
    }
    approval = {f"approval{name}": text for name, text in moments.items()}
    assert held["t_nominator_approved"] == {**nominator, **about, **approval}
    own_url = held["t_nominee_approved"].pop("nomineeOwnUrl")
    assert awards.owner_of(own_url.removeprefix("https://awards.example/own/")) == nomination.nominee
    # Whoever may read the mails here may not speak for nominees.
    assert "nomineeOwnUrl" not in only("nominee_approved").data_variables
    assert held["t_nominee_approved"] == {
        "nomineeFirstName": "Higi",
        "nomineeLastName": "Lip",
        "nomineeFullName": "Higi Lip",
        "nomineeEmail": "higi@besaies.com",
        "nomineeCompany": "",
        "nomineeJobTitle": "",
        **about,
        **approval,
    }
    assert held["t_nomination"].keys() == {*nominator, *about, *(f"submission{name}" for name in moments)}


def test_vote_s_variables_are_the_voter_s(post_office: RunningSandbox) -> None:
    builders.vote(builders.approved(of=OF), email="voter@example.org", first_name="Vera")
    services.deliver_mails()
    held = post_office.mails[-1]["dataVariables"]
    assert (held["voterFirstName"], held["voterEmail"], held["nomineeDisplayName"]) == (
        "Vera",
        "voter@example.org",
        "Higi Lip",
    )
    assert {"voteTimestamp", "voteDate", "voteTime", "nomineeUrl"} <= held.keys()


def test_long_values_are_cut_and_a_company_is_named(post_office: RunningSandbox) -> None:
    of = builders.company(company_name="A" * 255, email="hi@abc.example")
    builders.approved(to=builders.category("best-firm", "company"), of=of)
    services.deliver_mails()
    held = next(mail for mail in post_office.mails if mail["email"] == "hi@abc.example")["dataVariables"]
    assert (held["nomineeFullName"], held["nomineeCompany"], held["nomineeFirstName"]) == ("A" * 255, "A" * 255, "")


@pytest.mark.parametrize("kind", KINDS)
def test_kind_without_a_template_is_off(kind: str, post_office: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_TRANSACTIONAL = {**settings.LOOPS_TRANSACTIONAL, kind: ""}
    builders.vote(builders.approved())
    assert sorted(row[0] for row in planned()) == sorted(set(KINDS) - {kind})


def test_without_templates_nothing_is_planned(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_TRANSACTIONAL = dict.fromkeys(KINDS, "")
    builders.vote(builders.approved())
    assert planned() == []


def test_nominee_without_an_address_gets_none(post_office: RunningSandbox) -> None:
    builders.approved(to=builders.category("best-firm", "company"), of=builders.company())
    assert sorted(row[0] for row in planned()) == ["nomination", "nominator_approved"]


def test_fact_that_is_taken_back_leaves_no_mail(post_office: RunningSandbox) -> None:
    with transaction.atomic():
        builders.submitted()
        transaction.set_rollback(True)
    assert planned() == []


def test_same_fact_is_told_once(post_office: RunningSandbox) -> None:
    nomination = builders.approved(by=BY, of=OF)
    services.deliver_mails()
    awards.reopen_nomination(nomination, by=builders.superuser())
    awards.approve_nomination(nomination, by=builders.superuser())
    builders.approved(by=builders.person(email="second@example.org"), of=OF)
    services.deliver_mails()
    assert sorted(sent(post_office)) == [
        ("t_nomination", "raf@necub.com"),
        ("t_nomination", "second@example.org"),
        ("t_nominator_approved", "raf@necub.com"),
        ("t_nominator_approved", "second@example.org"),
        ("t_nominee_approved", "higi@besaies.com"),
    ]


def test_worker_sends_a_mail_soon(post_office: RunningSandbox, django_capture_on_commit_callbacks: Capture) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        builders.submitted(by=BY)
    queued = [row.task for row in OrmQ.objects.all() if row.task["func"].endswith("send_mail")]
    assert [task["args"] for task in queued] == [(str(only("nomination").pk),)]
    tasks.send_mail(*queued[0]["args"])
    assert sent(post_office) == [("t_nomination", "raf@necub.com")]


def test_sweep_and_run_send_what_a_lost_task_left(post_office: RunningSandbox) -> None:
    builders.submitted(by=BY)
    tasks.sweep()
    assert planned() == [("nomination", "done", "sent")]


def test_mails_wait_while_syncing_is_off(post_office: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = False
    builders.submitted()
    assert services.deliver_mails() == services.MailTally()
    settings.LOOPS_SYNC_ENABLED = True
    assert services.deliver_mails().sent == 1


# --- whether it is still true -----------------------------------------------------------------------------------
def test_approval_that_was_taken_back_is_not_told_but_the_next_one_is(post_office: RunningSandbox) -> None:
    nomination = builders.approved(by=BY, of=OF)
    awards.reopen_nomination(nomination, by=builders.superuser())
    assert services.deliver_mails() == services.MailTally(sent=1, discarded=2)
    assert "Higi Lip is not live any more" in only("nominee_approved").last_error
    awards.approve_nomination(nomination, by=builders.superuser())
    assert services.deliver_mails() == services.MailTally(sent=2)
    assert [mail["dataVariables"]["nomineeUrl"] for mail in post_office.mails][1:] == [
        "https://awards.example/nominee/higi-lip"
    ] * 2


def test_vote_that_no_longer_counts_is_not_confirmed(post_office: RunningSandbox) -> None:
    vote = builders.vote(builders.approved())
    services.deliver_mails()
    other = builders.vote(builders.approved())
    Vote.objects.exclude(pk=vote.pk).update(state="invalid", reason="staff")
    services.deliver_mails()
    assert TransactionalMail.objects.get(reference_id=str(other.pk)).outcome == "discarded"


@pytest.mark.parametrize(("field", "outcome"), [("deleted_at", "discarded"), ("bounced_at", "discarded")])
def test_nobody_is_written_to_who_is_gone(post_office: RunningSandbox, field: str, outcome: str) -> None:
    builders.submitted(by=BY)
    Contact.objects.update(**{field: timezone.now()})
    services.deliver_mails()
    assert (only("nomination").outcome, sent(post_office)) == (outcome, [])


def test_who_unsubscribed_still_gets_what_they_asked_for(post_office: RunningSandbox) -> None:
    builders.submitted(by=BY)
    Contact.objects.update(subscription="unsubscribed", subscription_at=timezone.now())
    assert services.deliver_mails().sent == 1


# --- when Loops does not take it --------------------------------------------------------------------------------
def test_lost_answer_makes_no_second_mail(post_office: RunningSandbox) -> None:
    builders.submitted(by=BY)
    post_office.set_fault("reset", times=1)
    assert services.deliver_mails().retried == 1
    assert only("nomination").status == "pending"
    with time_machine.travel(timezone.now() + timedelta(seconds=40)):
        assert services.deliver_mails().sent == 1
    assert [seen.status for seen in post_office.requests] == [None, 409]
    assert sent(post_office) == [("t_nomination", "raf@necub.com")]
    assert (only("nomination").outcome, only("nomination").attempts) == ("sent", 2)


def test_worker_that_died_leaves_its_mail_to_the_next(post_office: RunningSandbox) -> None:
    builders.submitted(by=BY)
    now = timezone.now()
    TransactionalMail.objects.update(status="processing", leased_until=now + timedelta(seconds=20), in_doubt_since=now)
    assert services.deliver_mails().sent == 0
    with time_machine.travel(now + timedelta(seconds=21)):
        assert services.deliver_mails().sent == 1


def test_lost_answer_that_is_too_old_to_ask_again_is_left_to_staff(post_office: RunningSandbox) -> None:
    builders.submitted(by=BY)
    post_office.set_fault("reset", times=1)
    services.deliver_mails()
    with time_machine.travel(timezone.now() + timedelta(hours=24)):
        assert services.deliver_mails().dead == 1
    assert sent(post_office) == [("t_nomination", "raf@necub.com")]
    assert "risking a second mail" in only("nomination").last_error


def test_refusal_is_dead_at_once_and_retried_by_hand(post_office: RunningSandbox) -> None:
    builders.submitted(by=BY)
    post_office.set_fault("reject", times=1)
    assert services.deliver_mails().dead == 1
    assert planned() == [("nomination", "dead", "")]
    services.retry_mails(TransactionalMail.objects.all())
    assert services.deliver_mails().sent == 1


def test_unknown_template_is_dead_at_once(post_office: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_TRANSACTIONAL = {**settings.LOOPS_TRANSACTIONAL, "nomination": "nowhere"}
    builders.submitted(by=BY)
    assert services.deliver_mails().dead == 1
    assert only("nomination").last_error == "404 Transactional email not found."


def test_failures_back_off_and_die_after_ten_attempts_and_a_day(post_office: RunningSandbox) -> None:
    builders.submitted()
    post_office.set_fault("redirect")
    now = timezone.now()
    for attempt in range(1, 13):
        with time_machine.travel(now + timedelta(hours=2.2 * attempt)):
            Relay.objects.update(outage_signs=0)
            services.deliver_mails()
        assert only("nomination").status == ("dead" if attempt >= 11 else "pending")
        if attempt >= 11:
            break
    assert only("nomination").attempts == 11


def test_429_burns_no_attempt_and_the_run_goes_on(post_office: RunningSandbox) -> None:
    builders.submitted()
    post_office.set_fault("rate_limited", times=1, retry_after=0)
    assert services.deliver_mails().sent == 1
    assert only("nomination").attempts == 1


def test_long_retry_after_ends_the_run_and_holds_contacts_too(post_office: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_REQUESTS_PER_SECOND = 1000
    builders.submitted()
    post_office.set_fault("rate_limited", times=1, retry_after=120)
    services.deliver_mails()
    services.drain()
    assert [seen.status for seen in post_office.requests] == [429]
    assert (only("nomination").status, only("nomination").leased_until) == ("pending", None)
    with time_machine.travel(timezone.now() + timedelta(seconds=121)):
        assert services.deliver_mails().sent == 1


def test_refused_key_stops_the_line_and_burns_no_attempt(post_office: RunningSandbox) -> None:
    builders.submitted()
    builders.submitted()
    post_office.set_fault("unauthorized")
    services.deliver_mails()
    services.deliver_mails()
    assert len(post_office.requests) == 1
    assert selectors.connection_state() == "unauthorized"
    assert set(TransactionalMail.objects.values_list("status", "attempts")) == {("pending", 0)}
    post_office.clear_faults()
    services.probe_if_due(now=True)
    with time_machine.travel(timezone.now() + timedelta(seconds=60)):
        assert services.deliver_mails().sent == 2


def test_poison_mail_delays_nobody(post_office: RunningSandbox) -> None:
    post_office.set_fault("server_error", match="poison@")
    builders.submitted(by=builders.person(email="poison@example.org"))
    for _ in range(5):
        builders.submitted()
    assert services.deliver_mails() == services.MailTally(sent=5, retried=1)
    assert selectors.relay().consecutive_failures == 0


@pytest.mark.postgres
def test_workers_side_by_side_send_each_mail_once(
    post_office: RunningSandbox, really_committed: None, settings: Settings
) -> None:
    for _ in range(30):
        builders.submitted()
    in_threads(4, services.deliver_mails)
    assert len(post_office.requests) == len(post_office.mails) == 30
    assert {row[2] for row in planned()} == {"sent"}


def test_old_mails_are_forgotten_but_for_approvals(post_office: RunningSandbox) -> None:
    builders.vote(builders.approved())
    services.deliver_mails()
    TransactionalMail.objects.update(finished_at=timezone.now() - timedelta(days=31))
    services.purge_old_mails()
    assert sorted(row[0] for row in planned()) == ["nominator_approved", "nominee_approved"]


# --- the client -------------------------------------------------------------------------------------------------
def answer(status: int, **given: Any) -> requests.PreparedRequest:
    """What was sent, when Loops answers so."""
    with responses.RequestsMock() as mock:
        mock.post(f"{BASE}/transactional", status=status, **given)
        client.send_transactional("a@b.org", "t1", {"name": "Ann"}, idempotency_key="k1")
        return mock.calls[0].request


def test_request_is_what_loops_documents(settings: Settings) -> None:
    settings.LOOPS_BASE_URL = BASE
    request = answer(200, json={"success": True})
    assert (request.headers["Idempotency-Key"], request.headers["Content-Type"]) == ("k1", "application/json")
    assert json.loads(request.body or "") == {
        "email": "a@b.org",
        "transactionalId": "t1",
        "dataVariables": {"name": "Ann"},
    }


def test_used_key_means_sent(settings: Settings) -> None:
    settings.LOOPS_BASE_URL = BASE
    assert answer(409, json={"success": False, "message": "Reworded."}) is not None


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (404, True), (401, False), (429, False), (503, False)])
def test_other_refusals_rise(settings: Settings, status: int, permanent: bool) -> None:
    settings.LOOPS_BASE_URL = BASE
    with pytest.raises(client.LoopsError) as caught:
        answer(status, json={"success": False})
    assert (caught.value.status, caught.value.permanent) == (status, permanent)


def test_the_key_of_a_mail_stays_with_its_request(settings: Settings) -> None:
    settings.LOOPS_BASE_URL = BASE
    answer(200)
    with responses.RequestsMock() as mock:
        mock.put(f"{BASE}/contacts/update")
        client.upsert_contact({"email": "a@b.org"})
        assert "Idempotency-Key" not in mock.calls[0].request.headers


# --- staff ------------------------------------------------------------------------------------------------------
def told(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in get_messages(response.wsgi_request)]


def viewer() -> Client:
    browser = Client()
    browser.force_login(builders.staff("loops_sync.view_transactionalmail", "loops_sync.view_contact"))
    return browser


@pytest.mark.parametrize("rows", [1, 3])
def test_list_needs_the_same_queries_for_any_number_of_rows(
    staff_client: Client, post_office: RunningSandbox, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        builders.submitted()
    staff_client.get(LIST)
    with django_assert_num_queries(8):
        html = staff_client.get(LIST).content.decode()
    assert html.count("@example.org</a>") == rows


def test_pages_show_what_would_be_said_and_what_was(staff_client: Client, post_office: RunningSandbox) -> None:
    builders.submitted(by=BY | {"company": "<b>Acme</b>"}, of=OF)
    mail = only("nomination")
    page = f"{LIST}{mail.pk}/change/"
    before = staff_client.get(page).content.decode()
    assert "What would stand in it now" in before
    assert "&lt;b&gt;Acme&lt;/b&gt;" in before
    assert "<b>Acme</b>" not in before
    services.deliver_mails()
    assert "What Loops was given" in staff_client.get(page).content.decode()
    contact = staff_client.get(f"/admin/loops_sync/contact/{mail.contact_id}/change/").content.decode()
    assert "Nomination received" in contact


def test_dead_mails_are_retried_from_the_list(
    staff_client: Client, post_office: RunningSandbox, django_capture_on_commit_callbacks: Capture
) -> None:
    builders.submitted()
    post_office.set_fault("reject", times=1)
    services.deliver_mails()
    data = {"action": "retry_selected", "_selected_action": [str(only("nomination").pk)], "index": "0"}
    viewer().post(LIST, data)
    assert only("nomination").status == "dead"
    with django_capture_on_commit_callbacks(execute=True):
        response = staff_client.post(LIST, data)
    assert told(response) == [("success", "1 mail wait again.")]
    assert (only("nomination").status, LogEntry.objects.count(), OrmQ.objects.count()) == ("pending", 1, 1)


def test_second_mail_is_previewed_and_has_a_key_of_its_own(staff_client: Client, post_office: RunningSandbox) -> None:
    nomination = builders.approved(by=BY, of=OF)
    services.deliver_mails()
    mail = only("nominee_approved")
    nomination.nominee.email = "right@besaies.com"
    nomination.nominee.save()
    page = f"{LIST}{mail.pk}/resend/"
    html = staff_client.get(page).content.decode()
    assert "right@besaies.com gets a second mail" in html
    assert "https://awards.example/nominee/higi-lip" in html
    assert "an idempotency key of its own" in html
    assert TransactionalMail.objects.count() == 3
    assert viewer().get(page).status_code == viewer().post(page).status_code == 403
    response = staff_client.post(page)
    again = TransactionalMail.objects.get(resend_of=mail)
    assert told(response) == [("success", f"A second mail goes to right@besaies.com, under the key {again.pk}.")]
    assert told(staff_client.post(page))[1:] == [("warning", "It is on its way already.")]
    services.deliver_mails()
    assert sent(post_office)[-1] == ("t_nominee_approved", "right@besaies.com")
    assert post_office.mails[-1]["key"] == str(again.pk) != str(mail.pk)
    assert "Sent again" in staff_client.get(f"{LIST}{mail.pk}/change/").content.decode()


def test_second_mail_about_what_is_untrue_now_is_refused(staff_client: Client, post_office: RunningSandbox) -> None:
    nomination = builders.approved(by=BY, of=OF)
    services.deliver_mails()
    awards.reject_nomination(nomination, by=builders.superuser(), reason="No.")
    mail = only("nominee_approved")
    page = f"{LIST}{mail.pk}/resend/"
    assert "It cannot be sent: Higi Lip is not live any more" in staff_client.get(page).content.decode()
    assert "is not live any more" in staff_client.post(page).content.decode()
    with pytest.raises(ValidationError):
        services.resend_mail(mail)
    assert TransactionalMail.objects.count() == 3


def test_nomination_s_delivery_shows_its_mails_and_the_api_only_its_contacts(
    staff_client: Client, post_office: RunningSandbox
) -> None:
    nomination = builders.approved(by=BY, of=OF)
    services.drain()
    services.deliver_mails()
    Contact.objects.filter(email="higi@besaies.com").update(deleted_at=timezone.now())
    services.record_change("backfill", ["higi@besaies.com"], reference=nomination)
    services.drain()
    html = staff_client.get(f"/admin/nominations/nomination/{nomination.pk}/delivery/").content.decode()
    for words in ("Mail: nomination received", "Mail: nominee approved", "Mail: nominator approved"):
        assert words in html
    assert "Discarded: this contact was deleted at Loops" in html
    seen = said(get(f"/api/nominations/{nomination.pk}", by=builders.superuser()))[1]["delivery"]
    assert sorted(row["role"] for row in seen) == ["nominator", "nominee"]
    assert Nomination.objects.count() == 1
