"""Syncing through the API, and reading what came of it."""

import json
import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from config.sandbox.nango import Nango
from crm import services
from crm.models import Business, Connection, Lead, SyncOutcome, SyncRun, User
from crm.services.reading import Reading
from crm.services.runs import claim_run
from crm.services.sync import judge_all
from crm.services.writing import write_batch
from tests import builders
from tests.door import get, post, refusal, said

pytestmark = pytest.mark.django_db
SYNC, RUNS = "/api/crm/sync", "/api/crm/runs"
NOTHING = {"fetched": 0, "created": 0, "updated": 0, "unchanged": 0, "skipped": 0, "failed": 0, "removed": 0}
BUCKETS = ("created", "updated", "unchanged", "skipped", "failed")
SECRET = "0c2f9a7e-1111-4222-8333-944445555666"


@pytest.fixture
def here() -> Business:
    """The business."""
    return builders.business()


@pytest.fixture
def owner(here: Business) -> User:
    """Who may do everything there."""
    return builders.member("owner", here)


def sync(by: User, **sent: Any) -> tuple[int, Any]:
    """Status and body."""
    return said(post(SYNC, sent, by=by))


def results(by: User, **sent: Any) -> dict[str, Any]:
    """What a run did, which must have ended well, and whose buckets must add up."""
    status, body = sync(by, **sent)
    assert (status, body["success"]) == (200, True), body
    found: dict[str, Any] = body["results"]
    assert sum(found[bucket] for bucket in BUCKETS) == found["fetched"]
    assert sum(found["skipped_reasons"].values()) == found["skipped"]
    return found


def contents() -> list[Any]:
    """Every lead as it is."""
    return list(Lead.objects.order_by("pk").values())


# --- append --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("key", ["hubspot", "salesforce", "pipedrive", "zoho-crm", "highlevel"])
def test_first_sync_creates_and_a_second_changes_nothing(key: str, nango: Nango, here: Business, owner: User) -> None:
    builders.connected(nango, here, key, contacts=12)
    first = results(owner)
    assert {**first, "skipped_reasons": {}} == {**NOTHING, "fetched": 12, "created": 12, "skipped_reasons": {}}
    before = contents()
    again = results(owner)
    assert (again["created"], again["updated"], again["removed"]) == (0, 0, 0)
    assert contents() == before
    assert said(get("/api/crm/status", by=owner))[1]["lastSyncedAt"] is not None


def test_sync_answers_with_the_run_that_it_was(nango: Nango, here: Business, owner: User) -> None:
    builders.connected(nango, here, contacts=8, dirty=True)
    status, body = sync(owner, strategy="append")
    run = SyncRun.objects.get()
    assert (status, sorted(body)) == (200, ["results", "run_id", "success"])
    assert sorted(body["results"]) == sorted([*NOTHING, "skipped_reasons"])
    assert (body["run_id"], run.by, run.trigger, run.status) == (str(run.pk), owner, "person", "done")
    assert body["results"] == run.results


def test_what_changed_is_updated_and_told(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=5)
    results(owner)
    someone = nango.contacts(connection.nango_connection_id)[0]
    nango.upsert_contact(
        connection.nango_connection_id, someone["id"], company="Else Ltd", last_activity_at="2026-05-01T10:00:00Z"
    )
    status, body = sync(owner)
    assert (status, body["results"]["updated"]) == (200, 1)
    (outcome,) = said(get(f"{RUNS}/{body['run_id']}/outcomes?bucket=updated", by=owner))[1]["results"]
    lead = Lead.objects.get(crm_id=someone["id"])
    assert (outcome["crm_id"], outcome["lead"], outcome["reason"]) == (someone["id"], str(lead.pk), "")
    assert outcome["changes"]["company"] == [someone["company"] or "", "Else Ltd"]
    assert outcome["changes"]["crm_last_activity_at"][1] == "2026-05-01T10:00:00Z"


def test_every_contact_is_in_one_bucket_with_its_reason(nango: Nango, here: Business, owner: User) -> None:
    builders.connected(nango, here, contacts=80, dirty=True)
    status, body = sync(owner)
    assert status == 200
    outcomes = said(get(f"{RUNS}/{body['run_id']}/outcomes?page_size=100", by=owner))[1]
    rows = outcomes["results"]
    assert outcomes["count"] == body["results"]["fetched"] == len({row["crm_id"] for row in rows}) == 80
    assert Counter(row["bucket"] for row in rows) == {
        bucket: count for bucket in BUCKETS if (count := body["results"][bucket])
    }
    assert Counter(row["reason"] for row in rows if row["reason"]) == body["results"]["skipped_reasons"]
    assert {row["bucket"] for row in rows if row["reason"]} == {"skipped"}
    assert [list(row) for row in rows] == [["bucket", "reason", "crm_id", "lead", "changes"]] * 80


def test_edit_while_a_batch_is_judged_is_not_lost(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=1)
    results(owner)
    known = nango.contacts(connection.nango_connection_id)[0]
    nango.upsert_contact(connection.nango_connection_id, known["id"], company="Theirs", description="Theirs")
    run = services.start_run(connection, strategy="overwrite")
    reading = Reading(run, seconds=None)
    claim_run(run)
    (page,) = reading.provider.pages(reading.ask, connection.connection_metadata, None)
    outcomes = judge_all(reading, page)
    services.edit_lead(Lead.objects.get(), company="Ours", opted_out=True)
    with transaction.atomic():
        write_batch(connection, outcomes)
    lead = Lead.objects.get()
    assert (lead.company, lead.opted_out, lead.crm_description) == ("Ours", True, "Theirs")


def test_merge_in_the_crm_leaves_one_lead_that_was_contacted_and_opted_out(
    nango: Nango, here: Business, owner: User
) -> None:
    connection = builders.connected(nango, here, contacts=4)
    results(owner)
    winner, loser = (row["id"] for row in nango.contacts(connection.nango_connection_id)[:2])
    leads = {row.crm_id: row for row in Lead.objects.all()}
    services.log_message(leads[loser], direction="outbound", channel="sms", body="Hi", by=None)
    services.edit_lead(leads[loser], opted_out=True)
    merged = nango.merge_contacts(connection.nango_connection_id, winner, loser)
    results(owner)
    survivor = Lead.objects.get(crm_id=merged)
    assert (survivor.pk, Lead.objects.count()) == (leads[winner].pk, 3)
    assert (survivor.contacted, survivor.last_message, survivor.opted_out) == (True, "Hi", True)
    assert survivor.last_message_at == survivor.messages.get().sent_at


# --- in the background, and past the time --------------------------------------------------------------------------
def test_background_is_answered_at_once_and_done_by_a_worker(
    nango: Nango, here: Business, owner: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    builders.connected(nango, here, contacts=3)
    asked = len(nango.requests)
    with django_capture_on_commit_callbacks() as queued:
        status, body = sync(owner, background=True)
    run = SyncRun.objects.get()
    assert (status, body) == (202, {"success": True, "run_id": str(run.pk)})
    assert (run.status, len(queued), len(nango.requests)) == ("queued", 1, asked)
    assert refusal(post(SYNC, {}, by=owner)) == (409, "sync_running")
    services.execute_run(run)
    assert said(get(f"{RUNS}/{run.pk}", by=owner))[1]["results"]["created"] == 3


def test_run_that_is_out_of_time_waits_for_a_worker_and_keeps_what_it_has(
    nango: Nango, here: Business, settings: Settings
) -> None:
    connection = builders.connected(nango, here, contacts=6, page_size=2)
    nango.set_fault("hang", page=3)
    began = time.monotonic()
    run = services.execute_run(services.start_run(connection), seconds=0.4)
    assert (run.status, time.monotonic() - began < 1.2) == ("queued", True)
    nango.clear_faults()
    done = services.execute_run(run)
    assert (done.status, done.fetched, done.created, Lead.objects.count()) == ("done", 6, 6, 6)


@pytest.mark.slow
def test_sync_past_ten_seconds_is_left_to_a_worker(nango: Nango, here: Business, owner: User) -> None:
    builders.connected(nango, here, contacts=20, page_size=1)
    nango.set_fault("slow", seconds=1.0)
    began = time.monotonic()
    status, body = sync(owner)
    assert (status, sorted(body)) == (202, ["run_id", "success"])
    assert 9 < time.monotonic() - began < 12
    assert SyncRun.objects.get().status == "queued"


# --- overwrite and preview -----------------------------------------------------------------------------------------
def test_overwrite_marks_what_the_crm_lost_and_never_others(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=5)
    results(owner)
    by_hand, other = builders.lead(here), builders.lead(here, crm_id="1", crm_source="zoho")
    foreign = builders.lead(builders.business("elsewhere"), crm_id="1")
    gone = nango.contacts(connection.nango_connection_id)[0]["id"]
    nango.delete_contact(connection.nango_connection_id, gone)
    found = results(owner, strategy="overwrite")
    assert (found["fetched"], found["unchanged"], found["removed"]) == (4, 4, 1)
    assert Lead.objects.exclude(crm_deleted_at=None).get().crm_id == gone
    assert [row.pk for row in (by_hand, other, foreign)] == [
        Lead.objects.live().get(pk=row.pk).pk for row in (by_hand, other, foreign)
    ]
    nango.restore_contact(connection.nango_connection_id, gone)
    assert results(owner)["updated"] == 1
    assert Lead.objects.live().filter(crm_id=gone).exists()


def test_overwrite_refuses_an_empty_crm_whether_or_not_it_is_confirmed(
    nango: Nango, here: Business, owner: User
) -> None:
    connection = builders.connected(nango, here, contacts=2)
    results(owner)
    for row in nango.contacts(connection.nango_connection_id):
        nango.delete_contact(connection.nango_connection_id, row["id"])
    for confirm in (False, True):
        assert refusal(post(SYNC, {"strategy": "overwrite", "confirm": confirm}, by=owner)) == (409, "empty_fetch")
    assert Lead.objects.live().count() == 2
    assert results(owner)["fetched"] == 0


def test_overwrite_that_would_remove_most_must_be_confirmed(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=5)
    results(owner)
    for row in nango.contacts(connection.nango_connection_id)[:3]:
        nango.delete_contact(connection.nango_connection_id, row["id"])
    response = post(SYNC, {"strategy": "overwrite"}, by=owner)
    assert refusal(response) == (400, "limit_exceeded")
    assert "3 of 5 leads" in said(response)[1]["detail"]
    assert results(owner, strategy="preview", of="overwrite")["removed"] == 3
    assert Lead.objects.live().count() == 5
    assert results(owner, strategy="overwrite", confirm=True)["removed"] == 3
    assert Lead.objects.live().count() == 2


def test_new_leads_do_not_hide_how_many_would_go(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=4)
    results(owner)
    for row in nango.contacts(connection.nango_connection_id):
        nango.delete_contact(connection.nango_connection_id, row["id"])
    nango.add_contacts(connection.nango_connection_id, 6)
    response = post(SYNC, {"strategy": "overwrite"}, by=owner)
    assert refusal(response) == (400, "limit_exceeded")
    assert "4 of 4 leads" in said(response)[1]["detail"]
    assert Lead.objects.live().count() == 10
    assert results(owner, strategy="overwrite", confirm=True)["removed"] == 4


def test_preview_writes_nothing_and_tells_what_would_change(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=3)
    results(owner)
    gone, changed, _ = (row["id"] for row in nango.contacts(connection.nango_connection_id))
    nango.delete_contact(connection.nango_connection_id, gone)
    nango.upsert_contact(connection.nango_connection_id, changed, company="Else Ltd")
    nango.add_contacts(connection.nango_connection_id, 1)
    before, synced = contents(), Connection.objects.values().get()
    status, body = sync(owner, strategy="preview", of="overwrite")
    found = body["results"]
    assert (status, found["fetched"], found["created"], found["updated"], found["removed"]) == (200, 3, 1, 1, 1)
    leads = {row.crm_id: row for row in Lead.objects.all()}
    removed, updated, created = body["contacts"]
    assert [list(row) for row in body["contacts"]] == [["crm_id", "name", "bucket", "changes", "lead"]] * 3
    assert (removed["crm_id"], removed["bucket"], removed["lead"]) == (gone, "removed", str(leads[gone].pk))
    assert removed["name"] == leads[gone].name
    assert (updated["crm_id"], updated["bucket"]) == (changed, "updated")
    assert updated["changes"] == {"company": [leads[changed].company, "Else Ltd"]}
    assert (created["bucket"], created["lead"], bool(created["name"])) == ("created", None, True)
    assert contents() == before
    assert Connection.objects.values().get() == synced
    assert "contacts" not in sync(owner, strategy="append")[1]


def test_preview_is_of_append_unless_said(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=3)
    results(owner)
    nango.delete_contact(connection.nango_connection_id, nango.contacts(connection.nango_connection_id)[0]["id"])
    assert [results(owner, strategy="preview", **of)["removed"] for of in ({}, {"of": "append"})] == [0, 0]
    assert results(owner, strategy="preview", of="overwrite")["removed"] == 1


def test_preview_of_many_shows_some_of_each_kind(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=70)
    results(owner)
    ids = [row["id"] for row in nango.contacts(connection.nango_connection_id)]
    for gone in ids[:30]:
        nango.delete_contact(connection.nango_connection_id, gone)
    nango.upsert_contact(connection.nango_connection_id, ids[40], company="Else Ltd")
    nango.add_contacts(connection.nango_connection_id, 100)
    body = sync(owner, strategy="preview", of="overwrite")[1]
    shown = Counter(row["bucket"] for row in body["contacts"])
    assert (body["results"]["created"], body["results"]["removed"]) == (100, 30)
    assert shown == {"removed": 24, "updated": 1, "created": 25}


# --- refused -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("strategy", "replace"),
        ("strategy", ""),
        ("strategy", None),
        ("strategy", ["append"]),
        ("of", "preview"),
        ("background", "perhaps"),
        ("confirm", None),
        ("business", {}),
        ("surprise", 1),
    ],
)
def test_wrong_wish_is_named_and_nothing_is_asked(field: str, value: Any, owner: User, here: Business) -> None:
    builders.connection(here)
    status, body = sync(owner, **{field: value})
    assert (status, list(body), SyncRun.objects.count()) == (400, [field], 0)


def test_nothing_is_synced_without_a_connection(here: Business, owner: User) -> None:
    builders.connection(here, is_active=False)
    builders.connection(builders.business("elsewhere"))
    for strategy in ("append", "overwrite", "preview"):
        assert refusal(post(SYNC, {"strategy": strategy}, by=owner)) == (409, "not_connected")


def test_dead_run_is_buried_and_the_next_finishes_its_work(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=3)
    dead = services.start_run(connection)
    SyncRun.objects.update(status="running", heard_at=timezone.now() - timedelta(seconds=119))
    assert refusal(post(SYNC, {}, by=owner)) == (409, "sync_running")
    SyncRun.objects.update(heard_at=timezone.now() - timedelta(seconds=121))
    assert results(owner)["created"] == 3
    body = said(get(f"{RUNS}/{dead.pk}", by=owner))[1]
    assert (body["status"], bool(body["error"])) == ("failed", True)


def test_broken_connection_is_not_tried_before_it_is_made_anew(nango: Nango, here: Business, owner: User) -> None:
    builders.connected(nango, here, contacts=3)
    nango.set_fault("refresh_exhausted")
    assert refusal(post(SYNC, {}, by=owner)) == (409, "reconnect_required")
    assert said(get("/api/crm/status", by=owner))[1]["reconnectRequired"] is True
    asked, runs = len(nango.requests), SyncRun.objects.count()
    for sent in ({}, {"strategy": "preview"}, {"background": True}):
        assert refusal(post(SYNC, sent, by=owner)) == (409, "reconnect_required")
    assert (len(nango.requests), SyncRun.objects.count()) == (asked, runs)


def test_connection_that_nango_forgot_must_be_made_anew(nango: Nango, here: Business, owner: User) -> None:
    connection = builders.connected(nango, here, contacts=3)
    nango.drop_connection(connection.nango_connection_id)
    assert refusal(post(SYNC, {}, by=owner)) == (409, "reconnect_required")


FAULTS = [
    ("server_error", {}, 502, "upstream_error"),
    ("server_error", {"html": True}, 502, "upstream_error"),
    ("reset", {}, 502, "upstream_error"),
    ("unauthorized", {}, 502, "upstream_error"),
    ("plan_limit", {}, 502, "upstream_error"),
    ("crm_error", {}, 502, "upstream_error"),
    ("crm_garbled", {}, 502, "upstream_error"),
    ("hang", {}, 504, "upstream_timeout"),
    ("rate_limited", {"retry_after": 7}, 503, "upstream_busy"),
    ("crm_rate_limited", {}, 503, "upstream_busy"),
]


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize(("kind", "options", "status", "code"), FAULTS)
def test_failed_page_removes_nothing_and_is_told(
    kind: str,
    options: dict[str, Any],
    status: int,
    code: str,
    page: int,
    nango: Nango,
    here: Business,
    owner: User,
    settings: Settings,
) -> None:
    settings.NANGO_TIMEOUT_SECONDS = 0.3
    builders.connected(nango, here, contacts=4, page_size=2)
    results(owner)
    nango.set_fault(kind, page=page, **options)
    response = post(SYNC, {"strategy": "overwrite", "confirm": True}, by=owner)
    assert refusal(response) == (status, code)
    assert SECRET not in response.content.decode()
    assert ("Retry-After" in response) is (code == "upstream_busy")
    if "retry_after" in options:
        assert response["Retry-After"] == "7"
    assert Lead.objects.live().count() == 4
    run = said(get(RUNS, by=owner))[1]["results"][0]
    assert (run["status"], bool(run["error"]), SECRET in json.dumps(run)) == ("failed", True, False)
    nango.clear_faults()
    assert results(owner, strategy="overwrite")["removed"] == 0


# --- whose ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("role", "expected"), [("cashier", [200, 200, 200, 403]), ("manager", [200] * 4), ("owner", [200] * 4)]
)
def test_overwriting_needs_a_manager(role: str, expected: list[int], nango: Nango, here: Business) -> None:
    builders.connected(nango, here, contacts=2)
    user = builders.member(role, here)
    wishes: list[dict[str, Any]] = [{}, {"strategy": "preview"}, {"strategy": "preview", "of": "overwrite"}]
    assert [sync(user, **sent)[0] for sent in (*wishes, {"strategy": "overwrite"})] == expected


def test_foreign_runs_are_missing_exactly_as_none(here: Business, owner: User) -> None:
    foreign = services.start_run(builders.connection(builders.business("elsewhere")))
    for user in (owner, builders.plain_user()):
        for pk in (foreign.pk, uuid4()):
            assert refusal(get(f"{RUNS}/{pk}", by=user)) == (404, "not_found")
            assert refusal(get(f"{RUNS}/{pk}/outcomes", by=user)) == (404, "not_found")
            assert refusal(get(f"{RUNS}/{pk}/outcomes?bucket=created", by=user)) == (404, "not_found")
    assert said(get(RUNS, by=owner))[1]["count"] == 0
    assert refusal(get(f"{RUNS}?business=elsewhere", by=owner)) == (404, "not_found")
    assert refusal(post(SYNC, {"business": "elsewhere"}, by=owner)) == (404, "not_found")


def test_staff_act_for_the_business_that_they_name(nango: Nango, here: Business) -> None:
    builders.connected(nango, here, contacts=2)
    syncer, viewer = builders.staff("crm.sync_connection"), builders.staff("crm.view_connection")
    status, body = sync(syncer, business=here.slug, strategy="overwrite")
    assert status == 200
    for path in (f"{RUNS}?business={here.slug}", f"{RUNS}/{body['run_id']}", f"{RUNS}/{body['run_id']}/outcomes"):
        assert get(path, by=viewer).status_code == 200
        assert refusal(get(path, by=syncer)) == (403, "permission_denied")
    for answer in (said(get(RUNS, by=viewer)), sync(syncer)):
        assert (answer[0], list(answer[1])) == (400, ["business"])
    assert sync(viewer, business=here.slug)[0] == 403
    assert sync(builders.plain_user())[0] == 403
    assert refusal(post(SYNC, {})) == (401, "not_authenticated")


# --- runs ----------------------------------------------------------------------------------------------------------
def test_run_is_told_whole(here: Business, owner: User) -> None:
    connection = builders.connection(here)
    run = services.start_run(connection, strategy="overwrite")
    assert said(get(f"{RUNS}/{run.pk}", by=owner)) == (
        200,
        {
            "id": str(run.pk),
            "strategy": "overwrite",
            "status": "queued",
            "started_at": None,
            "finished_at": None,
            "progress": {"fetched": 0},
            "results": {**NOTHING, "skipped_reasons": {}},
            "error": "",
        },
    )
    SyncRun.objects.update(fetched=40, expected_total=90)
    assert said(get(f"{RUNS}/{run.pk}", by=owner))[1]["progress"] == {"fetched": 40, "total": 90}


def test_runs_stand_newest_first_also_of_earlier_connections(here: Business, owner: User) -> None:
    now = timezone.now()
    old = builders.connection(here, is_active=False)
    new = builders.connection(here)
    ids = [
        str(SyncRun.objects.create(connection=connection, status="done", created_at=now - timedelta(days=days)).pk)
        for connection, days in ((new, 2), (old, 3), (new, 1))
    ]
    newest = [ids[2], ids[0], ids[1]]
    for query in ("", "?ordering=surprise"):
        assert [row["id"] for row in said(get(f"{RUNS}{query}", by=owner))[1]["results"]] == newest


def test_bucket_that_does_not_exist_is_named(here: Business, owner: User) -> None:
    run = services.start_run(builders.connection(here))
    status, body = said(get(f"{RUNS}/{run.pk}/outcomes?bucket=lost", by=owner))
    assert (status, list(body)) == (400, ["bucket"])


def test_lists_ask_the_same_number_of_questions_for_one_row_and_for_many(
    here: Business, owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client, connection = builders.logged_in(owner), builders.connection(here)
    for count in (1, 30):
        while SyncRun.objects.count() < count:
            run = SyncRun.objects.create(connection=connection, status="done")
            lead = builders.lead(here)
            SyncOutcome.objects.bulk_create(
                SyncOutcome(run=run, bucket="created", crm_id=str(number), lead=lead) for number in range(count)
            )
        for path in (RUNS, f"{RUNS}/{run.pk}/outcomes"):
            with django_assert_num_queries(5):
                assert get(f"{path}?page_size=100", client=client).status_code == 200
