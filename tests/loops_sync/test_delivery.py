"""From a decision to Loops, over real HTTP to the stateful sandbox."""

from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from config.sandbox import RunningSandbox
from loops_sync import selectors, services
from loops_sync.models import Contact, OutboxEntry, Relay, SyncAttempt
from nominations import services as awards
from nominations.models import Nominator
from tests import builders

SEED_NOMINATOR = {"email": "rafyuyospe@necub.com", "first_name": "Raf", "last_name": "Yuyospe"}
SEED_NOMINEE = {"kind": "person", "first_name": "Higi", "last_name": "Lip", "email": "higilip579@besaies.com"}


def entries(**filters: object) -> list[tuple[str, str, str]]:
    """Event, status and outcome of the entries, oldest first."""
    rows = OutboxEntry.objects.filter(**filters).order_by("id")
    return list(rows.values_list("event_type", "status", "outcome"))


def upserts(loops: RunningSandbox) -> list[str]:
    """The addresses of the accepted writes, in order."""
    return [seen.email for seen in loops.requests if seen.method == "PUT" and seen.status == 200 and seen.email]


def test_seed_case_ends_with_both_contacts_right(loops: RunningSandbox) -> None:
    nomination = builders.approved(by=SEED_NOMINATOR, of=SEED_NOMINEE)
    services.drain()

    nominator, nominee = loops.contact(SEED_NOMINATOR["email"]), loops.contact(SEED_NOMINEE["email"])
    assert nominator is not None
    assert nominee is not None
    assert nominator["userGroup"] == "Nominator Live"
    assert nominator["nomineeName"] == "Higi Lip"
    assert nominator["nomineeLiveUrl"] == "https://awards.example/nominee/higi-lip"
    assert nominee["userGroup"] == "Nominess"
    assert nominee["liveUrl"] == "https://awards.example/nominee/higi-lip"
    assert nominee["nomineeType"] == "person"
    assert nominee["nominationId"] == str(nomination.pk)
    assert nominee["category"] == "best-recruiter"


def test_submission_makes_a_nominator_and_no_nominee_contact(loops: RunningSandbox) -> None:
    builders.submitted(by=SEED_NOMINATOR, of=SEED_NOMINEE)
    services.drain()
    assert [(row["email"], row["userGroup"]) for row in loops.contacts] == [(SEED_NOMINATOR["email"], "Nominator")]
    assert entries() == [("nomination_submitted", "done", "sent")]


def test_approval_writes_one_entry_per_contact() -> None:
    nomination = builders.submitted()
    before = OutboxEntry.objects.count()
    awards.approve_nomination(nomination, by=builders.superuser())
    assert OutboxEntry.objects.count() - before == 2
    assert entries(event_type="nomination_approved") == [("nomination_approved", "pending", "")] * 2


def test_self_nomination_is_one_contact_with_the_stronger_group(loops: RunningSandbox) -> None:
    both = {"email": "me@example.org", "first_name": "Me", "last_name": "Self"}
    builders.approved(by=both, of={"kind": "person", **both})
    assert len(entries(event_type="nomination_approved")) == 1
    services.drain()
    contact = loops.contact("me@example.org")
    assert contact is not None
    assert contact["userGroup"] == "Nominess"
    assert contact["nomineeName"] == "Me Self"


def test_nominee_without_an_address_is_not_a_contact(loops: RunningSandbox) -> None:
    builders.approved(to=builders.category("best-firm", "company"), of=builders.company(company_name="No Mail Ltd"))
    services.drain()
    assert [row["userGroup"] for row in loops.contacts] == ["Nominator Live"]


def test_company_nominee_carries_company_facts_and_no_invented_names(loops: RunningSandbox) -> None:
    of = builders.company(
        company_name="ABC Company Ltd.", email="hi@abc.example", industry="Staffing", company_size="9"
    )
    builders.approved(to=builders.category("best-firm", "company"), of=of)
    services.drain()
    contact = loops.contact("hi@abc.example")
    assert contact is not None
    assert (contact["companyName"], contact["industry"], contact["companySize"]) == (
        "ABC Company Ltd.",
        "Staffing",
        "9",
    )
    assert (contact["nomineeType"], contact["firstName"], contact["lastName"]) == ("company", None, None)


def test_many_entries_of_one_person_become_one_request(loops: RunningSandbox) -> None:
    nomination = builders.approved()
    builders.vote(nomination, email=nomination.nominator.email)
    services.drain()
    assert upserts(loops).count(nomination.nominator.email) == 1
    mine = [row[2] for row in entries(contact__email=nomination.nominator.email)]
    assert mine == ["coalesced", "coalesced", "sent"]


def test_equal_state_costs_no_request(loops: RunningSandbox) -> None:
    nomination = builders.approved()
    services.drain()
    before = len(loops.requests)
    services.record_change("backfill", [nomination.nominator.email])
    services.drain()
    assert len(loops.requests) == before
    assert entries(event_type="backfill") == [("backfill", "done", "unchanged")]


def test_source_is_sent_the_first_time_only(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_SOURCE = "Awards"
    nomination = builders.submitted()
    services.drain()
    awards.approve_nomination(nomination, by=builders.superuser())
    services.drain()
    bodies = [seen.body for seen in loops.requests if seen.email == nomination.nominator.email]
    assert [body.get("source") for body in bodies if body] == ["Awards", None]


def test_nothing_ever_subscribes(loops: RunningSandbox) -> None:
    nomination = builders.approved()
    builders.vote(nomination)
    awards.reject_nomination(nomination, by=builders.superuser(), reason="No.")
    services.drain()
    assert [seen for seen in loops.requests if seen.body and "subscribed" in seen.body] == []


def test_a_vote_does_not_lower_the_group(loops: RunningSandbox) -> None:
    nomination = builders.approved()
    builders.vote(nomination, email=nomination.nominator.email)
    builders.vote(nomination, email=nomination.nominee.email)
    builders.vote(nomination, email="plain@example.org")
    services.drain()
    groups = {row["email"]: row["userGroup"] for row in loops.contacts}
    assert groups == {
        nomination.nominator.email: "Nominator Live",
        nomination.nominee.email: "Nominess",
        "plain@example.org": "Voters",
    }


def test_losing_the_role_recomputes_the_group_and_empties_its_properties(
    loops: RunningSandbox, settings: Settings
) -> None:
    lists = ["list_nominees", "list_nominators_live", "list_nominators", "list_voters"]
    settings.LOOPS_LISTS = dict(zip(("nominee", "nominator_live", "nominator", "voter"), lists, strict=True))
    nomination = builders.approved(by=SEED_NOMINATOR, of=SEED_NOMINEE)
    services.drain()
    held = loops.contact(SEED_NOMINEE["email"])
    assert held is not None
    assert held["mailingLists"] == {"list_nominees": True}

    awards.reject_nomination(nomination, by=builders.superuser(), reason="Not eligible.")
    services.drain()
    nominator, nominee = loops.contact(SEED_NOMINATOR["email"]), loops.contact(SEED_NOMINEE["email"])
    assert nominator is not None
    assert nominee is not None
    assert (nominator["userGroup"], nominator["nomineeLiveUrl"]) == ("Nominator", None)
    assert nominator["mailingLists"] == {"list_nominators": True}
    assert (nominee["userGroup"], nominee["liveUrl"], nominee["nomineeType"]) == ("", None, None)
    assert nominee["mailingLists"] == {}


def test_rejecting_before_anything_was_sent_creates_no_nominee_contact(loops: RunningSandbox) -> None:
    nomination = builders.approved(of=SEED_NOMINEE)
    awards.reject_nomination(nomination, by=builders.superuser(), reason="A mistake.")
    services.drain()
    assert loops.contact(SEED_NOMINEE["email"]) is None


def test_a_rename_reaches_the_nominee_the_nominator_and_the_voters(loops: RunningSandbox) -> None:
    nomination = builders.approved(of=SEED_NOMINEE)
    builders.vote(nomination, email="voter@example.org")
    services.drain()
    nomination.nominee.last_name = "Lipp-O'Hara"
    nomination.nominee.save()
    services.drain()
    nominator, voter = loops.contact(nomination.nominator.email), loops.contact("voter@example.org")
    assert nominator is not None
    assert voter is not None
    assert nominator["nomineeName"] == voter["votedFor"] == "Higi Lipp-O'Hara"
    assert nominator["nomineeLiveUrl"] == "https://awards.example/nominee/higi-lip"


def test_a_corrected_address_moves_the_roles(loops: RunningSandbox) -> None:
    nomination = builders.approved(of=SEED_NOMINEE)
    services.drain()
    nomination.nominee.email = "right@example.com"
    nomination.nominee.save()
    services.drain()
    groups = {row["email"]: row["userGroup"] for row in loops.contacts}
    assert groups["right@example.com"] == "Nominess"
    assert groups[SEED_NOMINEE["email"]] == ""


def test_entries_wait_while_syncing_is_off(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = False
    builders.approved()
    assert services.drain() == services.Tally()
    assert loops.requests == []
    settings.LOOPS_SYNC_ENABLED = True
    assert services.drain().succeeded == 3


def test_failures_back_off_and_a_later_run_delivers(loops: RunningSandbox) -> None:
    nomination = builders.submitted()
    loops.set_fault("server_error", times=1)
    assert services.drain() == services.Tally(processed=1, retried=1, contacts=1)
    contact = Contact.objects.get(email=nomination.nominator.email)
    assert contact.failures == 1
    assert contact.accepted is None
    assert services.drain().processed == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=40)):
        assert services.drain().succeeded == 1
    assert entries() == [("nomination_submitted", "done", "sent")]


def test_backoff_doubles_to_an_hour() -> None:
    from loops_sync.services.delivery import backoff_seconds

    for failures, steady in [(0, 30), (1, 60), (4, 480), (7, 2880), (50, 2880)]:
        for _ in range(20):
            assert 0.75 * steady <= backoff_seconds(failures) <= 1.25 * steady <= 3600


def test_an_entry_dies_after_ten_attempts_and_a_day(loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("server_error")
    now = timezone.now()
    for attempt in range(1, 14):
        with time_machine.travel(now + timedelta(hours=2 * attempt)):
            Relay.objects.update(outage_signs=0)
            services.drain()
        entry = OutboxEntry.objects.get()
        assert (entry.attempts, entry.status) == (attempt, "dead" if attempt >= 12 else "pending")
        if entry.status == "dead":
            break
    assert OutboxEntry.objects.get().attempts == 12


def test_a_refusal_is_dead_at_once_and_superseded_by_a_later_success(loops: RunningSandbox) -> None:
    nomination = builders.submitted()
    loops.set_fault("reject", times=1)
    assert services.drain().dead == 1
    assert entries() == [("nomination_submitted", "dead", "")]
    awards.approve_nomination(nomination, by=builders.superuser())
    services.drain()
    assert entries(event_type="nomination_submitted") == [("nomination_submitted", "done", "superseded")]


def test_a_poison_contact_delays_nobody(loops: RunningSandbox) -> None:
    loops.set_fault("server_error", match="poison@")
    builders.submitted(by=builders.person(email="poison@example.org"))
    for _ in range(20):
        builders.submitted()
    tally = services.drain()
    assert (tally.succeeded, tally.retried) == (20, 1)


def test_an_outage_stops_the_line_and_its_end_lets_everybody_through(loops: RunningSandbox) -> None:
    for _ in range(10):
        builders.submitted()
    loops.set_fault("server_error")
    tally = services.drain()
    assert tally.retried == Relay.OUT_AFTER
    assert selectors.connection_state() == "unreachable"
    loops.clear_faults()
    assert services.drain().processed == 0
    services.probe_if_due()
    assert services.drain().processed == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        services.probe_if_due()
        assert selectors.connection_state() == "ok"
        assert services.drain().succeeded == 10


def test_a_refused_key_stops_the_line_and_burns_no_attempt(loops: RunningSandbox) -> None:
    builders.submitted()
    builders.submitted()
    loops.set_fault("unauthorized")
    services.drain()
    services.drain()
    assert len([seen for seen in loops.requests if seen.method == "PUT"]) == 1
    assert selectors.connection_state() == "unauthorized"
    assert set(OutboxEntry.objects.values_list("status", "attempts")) == {("pending", 0)}
    loops.clear_faults()
    services.probe_if_due(now=True)
    assert services.drain().succeeded == 2


def test_a_429_burns_no_attempt_and_the_run_goes_on_after_it(loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("rate_limited", times=1, retry_after=0)
    assert services.drain().succeeded == 1
    assert [seen.status for seen in loops.requests] == [429, 200]
    assert set(OutboxEntry.objects.values_list("status", "attempts")) == {("done", 1)}


def test_a_long_retry_after_holds_every_worker(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_REQUESTS_PER_SECOND = 1000
    builders.submitted()
    loops.set_fault("rate_limited", times=1, retry_after=120)
    services.drain()
    assert services.drain().processed == 0
    assert len(loops.requests) == 1
    with time_machine.travel(timezone.now() + timedelta(seconds=121)):
        assert services.drain().succeeded == 1


@pytest.mark.parametrize("fault", ["reset", "hang"])
def test_a_lost_answer_voids_what_was_accepted(loops: RunningSandbox, fault: str) -> None:
    nomination = builders.approved()
    services.drain()
    email = nomination.nominator.email
    nomination.nominator.company = "Acme"
    nomination.nominator.save()
    loops.set_fault(fault, times=1, match=email)
    services.drain()
    nomination.nominator.company = ""
    nomination.nominator.save()
    loops.clear_faults()
    with time_machine.travel(timezone.now() + timedelta(seconds=40)):
        services.drain()
    held = loops.contact(email)
    assert held is not None
    assert held.get("company") is None
    assert Contact.objects.get(email=email).accepted is not None


def test_a_worker_that_died_leaves_its_contact_to_the_next(loops: RunningSandbox) -> None:
    nomination = builders.submitted()
    contact = Contact.objects.get(email=nomination.nominator.email)
    OutboxEntry.objects.update(status="processing")
    Contact.objects.update(leased_until=timezone.now() + timedelta(seconds=20), in_doubt=True)
    assert services.drain().processed == 0
    with time_machine.travel(timezone.now() + timedelta(seconds=21)):
        assert services.drain().succeeded == 1
    contact.refresh_from_db()
    assert (contact.leased_until, entries()) == (None, [("nomination_submitted", "done", "sent")])


def test_what_was_noted_on_the_contact_is_not_sent_again(loops: RunningSandbox) -> None:
    """Killed between the contact's row and the entries' rows."""
    builders.submitted()
    services.drain()
    OutboxEntry.objects.update(status="processing", outcome="", finished_at=None)
    services.drain()
    assert len(loops.requests) == 1
    assert entries() == [("nomination_submitted", "done", "unchanged")]


def test_each_request_is_on_record(loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("server_error", times=1)
    services.drain()
    with time_machine.travel(timezone.now() + timedelta(seconds=40)):
        services.drain()
    assert list(SyncAttempt.objects.order_by("id").values_list("ok", flat=True)) == [False, True]


def test_state_of_many_people_costs_the_same_queries_as_of_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    nominations = [builders.approved() for _ in range(3)]
    builders.vote(nominations[0], email=nominations[1].nominator.email)
    emails = [email for row in nominations for email in (row.nominator.email, row.nominee.email)]
    for asked in (emails[:2], emails):
        with django_assert_num_queries(6):
            selectors.people(asked)


def test_fixtures_write_no_entries() -> None:
    from django.core import serializers

    nomination = builders.submitted()
    before = OutboxEntry.objects.count()
    text = serializers.serialize("json", [Nominator.objects.get(pk=nomination.nominator_id)])
    for row in serializers.deserialize("json", text):
        row.save()
    assert OutboxEntry.objects.count() == before


def test_three_contacts_that_always_fail_delay_nobody(loops: RunningSandbox) -> None:
    loops.set_fault("server_error", match="poison")
    for number in range(3):
        builders.submitted(by=builders.person(email=f"poison{number}@example.org"))
    now = timezone.now()
    for minute in range(1, 4):
        with time_machine.travel(now + timedelta(minutes=2 * minute)):
            services.probe_if_due()
            services.drain()
    with time_machine.travel(now + timedelta(minutes=20)):
        services.probe_if_due()
        builders.submitted(by=builders.person(email="fresh@example.org"))
        services.drain()
    assert loops.contact("fresh@example.org") is not None


def test_a_contact_that_is_refused_for_itself_lets_the_others_go_first(loops: RunningSandbox) -> None:
    builders.submitted(by=builders.person(email="refused@example.org"))
    loops.set_fault("unauthorized", match="refused@")
    services.drain()
    builders.submitted(by=builders.person(email="other@example.org"))
    services.probe_if_due(now=True)
    services.drain()
    assert loops.contact("other@example.org") is not None
    assert set(OutboxEntry.objects.filter(status="pending").values_list("attempts", flat=True)) == {0}


def test_an_interrupted_request_leaves_its_contact_in_doubt(
    loops: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C, the queue's timeout: the request may have arrived."""
    nomination = builders.approved(of=SEED_NOMINEE)
    send = requests.adapters.HTTPAdapter.send

    def interrupted(self: Any, request: Any, **options: Any) -> Any:
        send(self, request, **options)
        raise KeyboardInterrupt

    contact_id = Contact.objects.get(email=SEED_NOMINEE["email"]).pk
    with monkeypatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            services.sync_contact(contact_id)
    assert Contact.objects.get(email=SEED_NOMINEE["email"]).in_doubt
    awards.reject_nomination(nomination, by=builders.superuser(), reason="No.")
    services.drain()
    held = loops.contact(SEED_NOMINEE["email"])
    assert held is not None
    assert (held["userGroup"], held["liveUrl"]) == ("", None)


def test_a_worker_that_lost_its_lease_while_it_spoke_has_the_contact_told_again(
    loops: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    nomination = builders.submitted()
    send = requests.adapters.HTTPAdapter.send

    def overtaken(self: Any, request: Any, **options: Any) -> Any:
        if not loops.requests:
            Contact.objects.update(leased_until=timezone.now() + timedelta(seconds=99))
        return send(self, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", overtaken)
    services.sync_contact(Contact.objects.get().pk)
    assert entries(event_type="resync") == [("resync", "done", "sent")]
    assert Contact.objects.get().accepted is not None
    assert upserts(loops).count(nomination.nominator.email) == 2


def test_what_a_fact_completes_of_a_person_is_told_with_the_fact() -> None:
    author = builders.person()
    builders.submitted(by=author)
    before = OutboxEntry.objects.count()
    builders.submitted(by={**author, "company": "Acme"})
    assert OutboxEntry.objects.count() - before == 1
    assert Nominator.objects.get(email=author["email"]).company == "Acme"


def test_failures_in_a_row_are_all_counted(loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("server_error")
    now = timezone.now()
    for hours in range(1, 8):
        with time_machine.travel(now + timedelta(hours=2 * hours)):
            services.drain()
    assert selectors.relay_status()["consecutive_failures"] == 7
    assert selectors.connection_state() == "ok"
