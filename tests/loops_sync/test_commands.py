"""What operators run."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from config.sandbox import RunningSandbox
from loops_sync import services
from loops_sync.models import Contact, OutboxEntry, Relay
from nominations.models import Nomination, Nominee
from tests import builders


def run(name: str, *arguments: str) -> str:
    """The command's output."""
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue().strip()


def verified(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of loops_verify."""
    out = StringIO()
    try:
        call_command("loops_verify", "--json", *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def approved_behind_the_signals(count: int) -> None:
    """Approvals by a path that writes no entries, as a bulk update or a restored backup would."""
    nominations = [builders.submitted() for _ in range(count)]
    for number, nomination in enumerate(nominations):
        Nominee.objects.filter(pk=nomination.nominee_id).update(state="live", slug=f"missed-{number}")
    Nomination.objects.update(state="approved", approved_at=timezone.now())
    OutboxEntry.objects.all().delete()


def test_drain_tells_what_it_did(loops: RunningSandbox) -> None:
    builders.approved()
    assert run("loops_drain", "--limit", "1") == "processed 2, succeeded 2, retried 0, dead 0, remaining 1"
    assert run("loops_drain") == "processed 1, succeeded 1, retried 0, dead 0, remaining 0"


def test_drain_says_that_syncing_is_off(settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = False
    builders.submitted()
    assert run("loops_drain").splitlines() == [
        "LOOPS_SYNC_ENABLED is off: entries wait, nothing is sent.",
        "processed 0, succeeded 0, retried 0, dead 0, remaining 1",
    ]


def test_41_missed_approvals_are_repaired_by_one_run(loops: RunningSandbox) -> None:
    approved_behind_the_signals(41)
    dry = run("sync_missed_approvals", "--dry-run").splitlines()
    assert dry[-1] == "found 41, would queue 41, already right 0"
    assert OutboxEntry.objects.count() == 0
    assert run("sync_missed_approvals") == "found 41, queued 41, already right 0"
    assert run("sync_missed_approvals") == "found 41, queued 0, already right 0"
    services.drain()
    assert run("sync_missed_approvals") == "found 0, queued 0, already right 41"
    groups = sorted(row["userGroup"] for row in loops.contacts)
    assert groups == ["Nominator Live"] * 41 + ["Nominess"] * 41


def test_a_rehearsal_shows_each_property_before_and_after_in_a_steady_order(loops: RunningSandbox) -> None:
    known = builders.person(email="ada@example.org", last_name="Known")
    nominee = builders.submitted(by=known).nominee
    services.drain()
    approved_behind_the_signals(2)
    Nominee.objects.filter(pk=nominee.pk).update(state="live", slug="known")
    told = Contact.objects.get(email="ada@example.org")
    seen = [run("sync_missed_approvals", "--dry-run", "--json") for _ in range(2)]
    assert seen[0] == seen[1]
    found = json.loads(seen[0])
    contacts = {row["email"]: row for row in found["contacts"]}
    assert (found["dry_run"], found["found"], found["queued"], found["already_right"]) == (True, 3, 3, 0)
    assert list(contacts) == sorted(contacts)
    assert len(contacts) == 6
    nomination = Nomination.objects.get(nominator__email=told.email)
    changes = {change["property"]: (change["before"], change["after"]) for change in contacts[told.email]["changes"]}
    assert contacts[told.email]["state"] == "known"
    assert changes.pop("approvalDate")[0] is None
    assert changes == {
        "userGroup": ("Nominator", "Nominator Live"),
        "nomineeName": (None, nomination.nominee.name),
        "nomineeLiveUrl": (None, nomination.nominee.live_url),
    }
    table = run("sync_missed_approvals", "--dry-run").splitlines()
    assert table[0].split() == ["Contact", "Property", "Before", "After"]
    assert table[2].startswith(f"{told.email}  ")
    assert table[2].split() == [told.email, "userGroup", "Nominator", "Nominator", "Live"]
    assert table[-1] == "found 3, would queue 3, already right 0"
    assert OutboxEntry.objects.count() == 0


def test_a_rehearsal_foretells_what_is_then_sent(loops: RunningSandbox) -> None:
    approved_behind_the_signals(2)
    rehearsed = json.loads(run("sync_missed_approvals", "--dry-run", "--json"))["contacts"]
    run("sync_missed_approvals")
    services.drain()
    sent = {seen.email: seen.body for seen in loops.requests}
    for row in rehearsed:
        body = sent.pop(row["email"])
        foretold = {change["property"]: change["after"] for change in row["changes"]}
        # The id of one who is no contact yet is made with the entry.
        assert body == {"source": body["source"], "userId": body["userId"], **foretold}
    assert sent == {}


def test_approvals_made_while_syncing_was_off_are_repaired(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = False
    for _ in range(3):
        builders.approved()
    assert services.drain().processed == 0
    settings.LOOPS_SYNC_ENABLED = True
    assert run("sync_missed_approvals") == "found 3, queued 3, already right 0"
    services.drain()
    assert len(loops.requests) == 6
    assert run("sync_missed_approvals") == "found 0, queued 0, already right 3"


def test_missed_approvals_honour_since_and_limit(loops: RunningSandbox) -> None:
    approved_behind_the_signals(3)
    old = Nomination.objects.first()
    assert old is not None
    Nomination.objects.filter(pk=old.pk).update(approved_at=timezone.now() - timedelta(days=10))
    since = (timezone.now() - timedelta(days=1)).date().isoformat()
    dry = run("sync_missed_approvals", "--since", since, "--dry-run").splitlines()
    assert dry[-1] == "found 2, would queue 2, already right 0"
    assert run("sync_missed_approvals", "--limit", "1") == "found 3, queued 1, already right 0"


def test_one_contact_of_several_missed_nominations_gets_one_entry() -> None:
    nominator = builders.person()
    for _ in range(2):
        builders.approved(by=nominator)
    OutboxEntry.objects.all().delete()
    assert run("sync_missed_approvals") == "found 2, queued 2, already right 0"
    assert OutboxEntry.objects.filter(contact__email=nominator["email"]).count() == 1


def test_verify_is_healthy_after_a_drain(loops: RunningSandbox) -> None:
    builders.approved()
    services.drain()
    code, found = verified("--remote")
    assert (code, {name: check["state"] for name, check in found.items()}) == (
        0,
        dict.fromkeys(["line", "dead", "unheard", "accepted", "remote", "drift"], "ok"),
    )


def test_verify_finds_what_loops_holds_otherwise(loops: RunningSandbox) -> None:
    nomination = builders.approved()
    services.drain()
    contact = Contact.objects.get(email=nomination.nominee.email)
    import requests

    body = {"email": contact.email, "userId": str(contact.pk), "userGroup": "Someone Else"}
    requests.put(f"{loops.loops_url}/contacts/update", json=body, headers={"Authorization": "Bearer x"}, timeout=5)
    assert verified()[0] == 0
    code, found = verified("--remote")
    assert code == 1
    assert found["remote"]["examples"] == [f"{contact.email}: userGroup"]


def test_verify_finds_drift_and_dead_entries(loops: RunningSandbox) -> None:
    approved_behind_the_signals(1)
    services.drain()
    Contact.objects.update(synced_at=timezone.now(), accepted={"email": "x", "userGroup": "Voters"})
    code, found = verified()
    assert (code, found["accepted"]["state"], found["accepted"]["count"]) == (1, "drift", 1)
    OutboxEntry.objects.create(event_type="backfill", contact=Contact.objects.get(), status="dead")
    assert verified()[1]["dead"]["count"] == 1


def test_verify_says_unknown_when_loops_is_out_of_reach(loops: RunningSandbox) -> None:
    builders.approved()
    services.drain()
    loops.set_fault("server_error")
    code, found = verified("--remote")
    assert (code, found["remote"]["state"], found["remote"]["count"]) == (1, "unknown", None)


def test_verify_is_broken_when_the_key_is_refused(loops: RunningSandbox) -> None:
    builders.submitted()
    loops.set_fault("unauthorized")
    services.drain()
    assert Relay.objects.get().is_unauthorized
    assert verified()[0] == 2


def test_verify_sample_looks_at_so_many(loops: RunningSandbox) -> None:
    for _ in range(5):
        builders.submitted()
    services.drain()
    assert verified("--sample", "2")[1]["accepted"]["detail"] == "0 of 2 contacts are not what Loops last accepted"


@pytest.mark.parametrize("name", ["loops_drain", "sync_missed_approvals", "loops_verify", "loops_setup"])
def test_commands_explain_themselves(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command(name, "--help")
    assert "Loops" in capsys.readouterr().out


def test_verify_finds_people_nobody_told_loops_about() -> None:
    builders.submitted()
    OutboxEntry.objects.all().delete()
    Contact.objects.all().delete()
    code, found = verified()
    assert (code, found["unheard"]["state"], found["unheard"]["count"]) == (1, "drift", 1)


def test_verify_does_not_call_waiting_news_right(settings: Settings) -> None:
    settings.LOOPS_SYNC_ENABLED = False
    builders.approved()
    assert verified()[0] == 1


def test_verify_is_broken_without_a_key(settings: Settings) -> None:
    settings.LOOPS_API_KEY = ""
    assert verified()[0] == 2
