"""Decisions that are prepared: nothing happens before they are applied, and then everything once."""

import re
from collections.abc import Sequence
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from config.sandbox import RunningSandbox
from crm.models import User
from loops_sync.models import OutboxEntry
from nominations import selectors, services, tasks
from nominations.models import DecisionLog, Nomination, Nominee, StagedDecision
from nominations.services import staged as stage_services
from tests import builders
from tests.nominations.test_admin import EVIL, logged_in, told
from tests.nominations.test_decision_log import chain

NOMINATIONS, STAGE = "/admin/nominations/nomination/", "/admin/nominations/stageddecision/"
APPLY = f"{STAGE}apply/"
pytestmark = pytest.mark.django_db


def tick(client: Client, action: str, rows: Sequence[Nomination | StagedDecision], at: str = NOMINATIONS) -> Any:
    return client.post(at, {"action": action, "_selected_action": [str(row.pk) for row in rows], "index": "0"})


def staged(nomination: Nomination, decision: str = "approve", **kwargs: Any) -> StagedDecision:
    reason = "No." if decision == "reject" else ""
    by = kwargs.pop("by", None) or builders.superuser()
    services.stage_decisions([nomination], decision=decision, by=by, reason=reason, **kwargs)
    return StagedDecision.objects.get(nomination=nomination)


def hidden(html: str) -> dict[str, str]:
    return dict(re.findall(r'type="hidden"\s+name="(ids|shown)"\s+value="([^"]*)"', html))


def preview(client: Client) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", client.get(APPLY).content.decode()).split())


def applied(client: Client) -> Any:
    """The button of the preview, pressed."""
    return client.post(APPLY, hidden(client.get(APPLY).content.decode()))


def states() -> list[str]:
    return sorted(Nomination.objects.values_list("state", flat=True))


def test_ticked_nominations_are_staged_and_nothing_happens_outside(staff_client: Client) -> None:
    waiting, decided = [builders.submitted(), builders.submitted()], builders.approved()
    before = (OutboxEntry.objects.count(), DecisionLog.objects.count(), states())
    response = tick(staff_client, "stage_approval", [*waiting, decided])
    assert response["Location"] == STAGE
    assert told(response) == [("success", "Staged 2 decisions, 1 cannot be decided so.")]
    assert (OutboxEntry.objects.count(), DecisionLog.objects.count(), states()) == before
    assert {row.nomination_id for row in StagedDecision.objects.all()} == {row.pk for row in waiting}
    assert LogEntry.objects.filter(change_message="Staged to approve.").count() == 2
    html = staff_client.get(STAGE).content.decode()
    assert "2 to approve, 0 to reject" in html
    assert "boss@example.org (2)" in html
    assert "Staged to approve" in staff_client.get(NOMINATIONS).content.decode()


def test_rejections_take_one_reason_or_one_each(staff_client: Client) -> None:
    one, other, third = (builders.submitted() for _ in range(3))
    page = tick(staff_client, "stage_rejection", [one, other, third]).content.decode()
    assert "Stage 3" in page
    address = f"{NOMINATIONS}stage/rejections/"
    data = {"decision": "reject", "ids": f"{one.pk},{other.pk},{third.pk}", f"reason-{other.pk}": "Spam."}
    assert "A rejection needs a reason." in staff_client.post(address, {**data, "reason": " "}).content.decode()
    assert not StagedDecision.objects.exists()
    staff_client.post(address, {**data, "reason": "Too short."})
    said = dict(StagedDecision.objects.values_list("nomination", "reason"))
    assert said == {one.pk: "Too short.", other.pk: "Spam.", third.pk: "Too short."}


def test_one_is_staged_changed_and_removed_on_its_own_page(staff_client: Client) -> None:
    nomination = builders.submitted()
    address = f"{NOMINATIONS}{nomination.pk}/stage/"
    assert address in staff_client.get(f"{NOMINATIONS}{nomination.pk}/approve/").content.decode()
    staff_client.post(address, {"decision": "approve"})
    assert "On the stage: to approve" in staff_client.get(address).content.decode()
    response = staff_client.post(address, {"decision": "reject", "reason": ""})
    assert "A rejection needs a reason." in response.content.decode()
    staff_client.post(address, {"decision": "reject", "reason": "Spam."})
    row = StagedDecision.objects.get()
    assert (row.decision, row.reason) == ("reject", "Spam.")
    staff_client.post(address, {"_remove": "1", "decision": "reject"})
    assert (StagedDecision.objects.count(), states()) == (0, ["submitted"])


def test_preview_counts_pages_contacts_and_taken_names(staff_client: Client, loops: RunningSandbox) -> None:
    john = {"first_name": "John", "last_name": "Smith"}
    builders.approved(of=builders.nominee(**john))
    ada = builders.person()
    twice = builders.nominee()
    for nomination in (
        builders.submitted(by=ada, of=builders.nominee(**john)),
        builders.submitted(by=ada, of=builders.nominee(**john)),
        builders.submitted(of=twice),
        builders.submitted(of=twice, to=builders.category("rising-star")),
        # The nominator is the nominee of another: one contact.
        builders.submitted(by=builders.person(email=twice["email"]), of=builders.nominee(email="")),
    ):
        staged(nomination)
    fallen = builders.approved()
    staged(fallen, "reject")
    staged(builders.submitted(), "reject")
    kept = builders.nominee()
    staged(builders.approved(of=kept), "reject")
    builders.approved(of=kept, to=builders.category("rising-star"))
    late = staged(builders.submitted())
    services.withdraw_nomination(late.nomination, by=builders.superuser())

    text = preview(staff_client)
    assert "Apply 8 decisions" in text
    assert "5 are approved: 4 pages go live." in text
    assert "3 are rejected: 1 page goes down (410 Gone)." in text
    assert "2 names already taken" in text
    assert "/nominee/john-smith-2" in text
    assert "/nominee/john-smith-3" in text
    assert "1 will be skipped: already decided" in text
    contacts = re.search(
        r"(\d+) contacts outside are brought up to date: (\d+) as nominees, (\d+) as nominators", text
    )
    assert contacts is not None
    OutboxEntry.objects.all().delete()
    applied(staff_client)
    services.decide_staged()
    assert int(contacts[1]) == OutboxEntry.objects.values("contact").distinct().count()
    assert (contacts[2], contacts[3]) == ("3", "3")
    slugs = set(Nominee.objects.filter(last_name="Smith").values_list("slug", flat=True))
    assert slugs == {"john-smith", "john-smith-2", "john-smith-3"}
    assert Nominee.objects.get(pk=fallen.nominee_id).state == "suspended"


def test_applying_decides_each_once_in_the_name_of_who_applied(
    staff_client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    colleague = builders.staff()
    good, bad = builders.submitted(), builders.submitted()
    staged(good, by=colleague)
    staged(bad, "reject", by=colleague)
    with django_capture_on_commit_callbacks(execute=True):
        response = applied(staff_client)
    assert told(response) == [("success", "Applying 2 decisions.")]
    progress = response["Location"]
    assert "0 of 2 done" in staff_client.get(progress).content.decode()
    fragment = staff_client.get(progress, headers={"HX-Request": "true"}).content.decode()
    assert "hx-get" in fragment
    assert "<html" not in fragment

    tasks.decide_staged()
    tasks.decide_left_over()

    assert states() == ["approved", "rejected"]
    taken = DecisionLog.objects.exclude(action="submit").order_by("seq")
    assert [(row.action, row.reason, row.by) for row in taken] == [
        ("approve", "", builders.superuser()),
        ("reject", "No.", builders.superuser()),
    ]
    html = staff_client.get(progress).content.decode()
    assert "All 2 done" in html
    assert "hx-get" not in html
    assert not StagedDecision.objects.exists()
    chain(good.season)


def test_only_what_the_preview_showed_is_applied(staff_client: Client) -> None:
    first = builders.submitted()
    staged(first)
    shown = hidden(staff_client.get(APPLY).content.decode())
    staged(builders.submitted())
    staged(first, "reject")
    response = staff_client.post(APPLY, shown)
    assert (response["Location"], told(response)[0][0]) == (STAGE, "warning")
    assert not StagedDecision.objects.under_way().exists()
    shown = hidden(staff_client.get(APPLY).content.decode())
    services.approve_nomination(first, by=builders.superuser())
    html = staff_client.post(APPLY, shown).content.decode()
    assert "has changed since you looked" in html
    # The page shows it anew, and is good for another click.
    assert len(hidden(html)["ids"].split(",")) == 2
    assert hidden(html)["shown"] != shown["shown"]
    assert not StagedDecision.objects.under_way().exists()


def test_a_second_click_applies_nothing(staff_client: Client) -> None:
    staged(builders.submitted())
    shown = hidden(staff_client.get(APPLY).content.decode())
    staff_client.post(APPLY, shown)
    response = staff_client.post(APPLY, shown)
    assert response["Location"] == STAGE
    assert [level for level, _text in told(response)][-1] == "warning"
    services.decide_staged()
    assert DecisionLog.objects.filter(action="approve").count() == 1


def test_those_ticked_on_the_stage_are_applied_or_removed_alone(staff_client: Client) -> None:
    rows = [staged(builders.submitted()) for _ in range(3)]
    page = tick(staff_client, "apply_selected", rows[:1], STAGE).content.decode()
    assert "Apply 1 decision" in page
    staff_client.post(APPLY, hidden(page))
    services.decide_staged()
    assert states() == ["approved", "submitted", "submitted"]
    response = tick(staff_client, "remove_selected", rows[1:2], STAGE)
    assert told(response)[-1] == ("success", "Removed 1 decision from the stage.")
    assert [row.pk for row in StagedDecision.objects.all()] == [rows[2].pk]


def test_what_was_decided_meanwhile_says_so_and_has_no_effect(staff_client: Client) -> None:
    nomination = builders.submitted()
    row = staged(nomination)
    services.withdraw_nomination(nomination, by=builders.superuser())
    html = staff_client.get(f"{STAGE}?part=no_effect").content.decode()
    assert "No effect" in html
    assert "Apply all" not in html
    assert "Already withdrawn" in html
    assert "None of them can be applied" in preview(staff_client)
    # Decided between the click and the worker.
    StagedDecision.objects.filter(pk=row.pk).update(applied_at=timezone.now(), applied_by=builders.superuser())
    log = DecisionLog.objects.count()
    services.decide_staged()
    row.refresh_from_db()
    assert (row.error, DecisionLog.objects.count()) == ("Already decided: this nomination is withdrawn.", log)
    assert "Could not be decided" in staff_client.get(f"{STAGE}?part=refused").content.decode()
    # A button away from another try.
    services.reopen_nomination(nomination, by=builders.superuser())
    staff_client.post(f"{NOMINATIONS}{nomination.pk}/stage/", {"decision": "approve"})
    assert StagedDecision.objects.staged().get().error == ""


def test_a_worker_killed_at_any_moment_loses_and_doubles_nothing(
    staff_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        staged(builders.submitted())
    applied(staff_client)
    delete, count = StagedDecision.delete, [0]

    def killed(row: StagedDecision, *args: Any, **kwargs: Any) -> Any:
        count[0] += 1
        if count[0] == 2:
            raise SystemExit
        return delete(row, *args, **kwargs)

    monkeypatch.setattr(StagedDecision, "delete", killed)
    with pytest.raises(SystemExit):
        services.decide_staged()
    assert states() == ["approved", "submitted", "submitted"]
    assert StagedDecision.objects.under_way().count() == 2
    tasks.decide_left_over()
    assert states() == ["approved"] * 3
    assert DecisionLog.objects.filter(action="approve").count() == 3
    chain(builders.season())


def test_one_that_the_database_refuses_does_not_hold_up_the_others(
    staff_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = staged(builders.submitted()), staged(builders.submitted())
    applied(staff_client)
    decide = stage_services._decide

    def refused(row: StagedDecision) -> None:
        if row.pk == first.pk:
            raise IntegrityError("secret@example.org")
        decide(row)

    monkeypatch.setattr(stage_services, "_decide", refused)
    services.decide_staged()
    assert StagedDecision.objects.get().error == "The database refused it (IntegrityError)."
    assert Nomination.objects.get(pk=second.nomination_id).state == "approved"


def test_a_turn_ends_in_time_and_leaves_the_rest_to_the_next(staff_client: Client) -> None:
    for _ in range(2):
        staged(builders.submitted())
    applied(staff_client)
    assert services.decide_staged(seconds=0) is True
    assert services.decide_staged() is False


@pytest.mark.parametrize("rows", [1, 3])
def test_stage_and_preview_ask_the_same_for_any_number(
    staff_client: Client, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        staged(builders.submitted())
        staged(builders.approved(), "reject")
    staff_client.get(STAGE)
    with django_assert_num_queries(11):
        staff_client.get(STAGE)
    with django_assert_num_queries(6):
        staff_client.get(APPLY)


@pytest.mark.parametrize(("query", "found"), [("?part=approve", 2), ("?part=reject", 1), ("?q=zed@example.com", 1)])
def test_stage_is_filtered_and_searched(staff_client: Client, query: str, found: int) -> None:
    staged(builders.submitted())
    staged(builders.submitted(of=builders.nominee(email="zed@example.com")))
    staged(builders.submitted(), "reject")
    assert staff_client.get(STAGE + query).content.decode().count('class="field-about"') == found


def test_staging_and_applying_need_the_right_to_decide() -> None:
    nomination = builders.submitted()
    staged(nomination)
    viewer = logged_in("nominations.view_nomination", "nominations.view_stageddecision")
    assert viewer.get(STAGE).status_code == 200
    for method in (viewer.get, viewer.post):
        for address in (APPLY, f"{STAGE}progress/", f"{NOMINATIONS}{nomination.pk}/stage/"):
            assert method(address, {"decision": "approve"}).status_code == 403
    assert viewer.post(f"{NOMINATIONS}stage/rejections/", {}).status_code == 403
    tick(viewer, "stage_approval", [nomination])
    tick(viewer, "remove_selected", [StagedDecision.objects.get()], STAGE)
    assert not StagedDecision.objects.under_way().exists()
    assert StagedDecision.objects.count() == 1
    assert logged_in("nominations.decide_nomination").get(APPLY).status_code == 200


def test_a_moment_out_of_time_is_no_progress(staff_client: Client) -> None:
    asked = {"since": "0001-01-01T00:00:00+14:00", "total": "1"}
    assert staff_client.get("/admin/nominations/stageddecision/progress/", asked).status_code < 500


def test_texts_are_escaped_and_broken_forms_do_nothing(staff_client: Client) -> None:
    nomination = builders.submitted(of=builders.nominee(first_name=EVIL))
    services.stage_decisions([nomination], decision="reject", reason=EVIL, by=builders.superuser())
    for address in (STAGE, APPLY, f"{NOMINATIONS}{nomination.pk}/stage/", NOMINATIONS):
        assert EVIL not in staff_client.get(address).content.decode()
    for ids in ("", "x", "1,,2", "²", "9" * 30):
        assert staff_client.post(APPLY, {"ids": ids, "shown": "x"}).status_code == 200
    for query in ("", "?since=x&total=1", "?since=2026-01-01T00:00:00&total=1", "?since=2026-13-01T00:00&total=-1"):
        assert staff_client.get(f"{STAGE}progress/{query}")["Location"] == STAGE
    assert not StagedDecision.objects.under_way().exists()


def test_home_tells_what_is_staged_and_what_nominees_ask_for() -> None:
    editor = logged_in("nominations.decide_nomination")
    assert "On the stage" not in editor.get("/admin/").content.decode()
    staged(builders.submitted())
    services.ask_to_take_down(builders.approved().nominee)
    html = editor.get("/admin/").content.decode()
    for words in ("On the stage", STAGE, "Nominees’ words", "/admin/nominations/nomineereply/?state__exact=open"):
        assert words in html


def test_empty_stage_says_how_it_fills(staff_client: Client) -> None:
    assert "Stage approval" in staff_client.get(STAGE).content.decode()


def test_stage_tells_since_when_the_oldest_waits() -> None:
    staged(builders.submitted())
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        staged(builders.submitted())
    stage = selectors.stage()
    assert (stage.waiting, stage.since) == (2, StagedDecision.objects.earliest("created_at").created_at)


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_two_who_apply_at_once_and_two_workers_decide_everything_once() -> None:
    rows = [staged(builders.submitted()) for _ in range(8)]
    shown, ids = stage_services.fingerprint(StagedDecision.objects.complete()), [row.pk for row in rows]
    gate, outcomes = Barrier(2), list[Any]()

    def run(by: User) -> None:
        gate.wait()
        try:
            outcomes.append(services.apply_staged(ids, by=by, shown=shown)[1])
        except ValidationError as error:
            outcomes.append(error.code)
        services.decide_staged()
        connection.close()

    threads = [Thread(target=run, args=(builders.staff(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [8, "already_applied"]
    services.decide_staged()
    assert states() == ["approved"] * 8
    assert DecisionLog.objects.filter(action="approve").count() == 8
    assert DecisionLog.objects.filter(action="approve").values("by").distinct().count() == 1
    chain(builders.season())
