"""What the account at Loops must have, and who says so when it has not."""

from collections.abc import Iterator

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from config.sandbox import RunningSandbox, start_sandbox
from loops_sync import client, services
from loops_sync.contacts import CUSTOM_TYPES
from loops_sync.models import AccountSetup, Drift
from tests import builders
from tests.loops_sync.test_commands import run


@pytest.fixture(scope="module")
def bare_sandbox() -> Iterator[RunningSandbox]:
    """A new account at Loops, without our properties."""
    with start_sandbox(rate=None, bare=True) as sandbox:
        yield sandbox


@pytest.fixture
def bare(bare_sandbox: RunningSandbox, loops: RunningSandbox, settings: Settings) -> RunningSandbox:
    bare_sandbox.reset()
    settings.LOOPS_BASE_URL = bare_sandbox.loops_url
    return bare_sandbox


def warnings() -> dict[str, str]:
    """The warnings about the account."""
    found = {str(message.id): str(message.msg) for message in run_checks()}
    return {id_: text for id_, text in found.items() if id_ in {f"loops_sync.W00{n}" for n in (2, 3, 4, 5)}}


def test_setup_creates_what_is_missing_and_then_nothing(bare: RunningSandbox) -> None:
    lines = run("loops_setup").splitlines()
    assert lines[:-1] == [f"created: {name} ({kind})" for name, kind in CUSTOM_TYPES.items()]
    assert lines[-1] == f"{len(CUSTOM_TYPES)} created, 0 present, 0 missing"
    assert run("loops_setup").splitlines()[-1] == f"0 created, {len(CUSTOM_TYPES)} present, 0 missing"
    made = {str(seen.body["name"]): seen.body["type"] for seen in bare.requests if seen.method == "POST"}
    assert made == CUSTOM_TYPES
    assert {name for name, kind in made.items() if kind == "date"} == {"approvalDate", "lastVoteDate"}


def test_after_setup_everything_that_is_told_is_kept(bare: RunningSandbox) -> None:
    companies = builders.category("best-agency", "company")
    nomination = builders.approved(to=companies, of=builders.company(email="c@example.org"))
    builders.vote(nomination)
    services.drain()
    assert services.look_at_loops().differing == 3
    run("loops_setup")
    services.resend_drifted(Drift.objects.all())
    services.drain()
    assert services.look_at_loops().state == "ok"


def test_a_dry_run_only_looks(bare: RunningSandbox) -> None:
    assert run("loops_setup", "--dry-run").splitlines()[-1] == f"0 created, 0 present, {len(CUSTOM_TYPES)} missing"
    assert {seen.method for seen in bare.requests} == {"GET"}
    assert set(warnings()) == {"loops_sync.W003"}
    assert "linkedin, company" in warnings()["loops_sync.W003"]


def test_setup_names_unknown_lists_and_the_check_remembers(loops: RunningSandbox, settings: Settings) -> None:
    settings.LOOPS_LISTS = {"nominee": "list_nominees", "nominator_live": "", "nominator": "", "voter": "list_lost"}
    assert set(warnings()) == {"loops_sync.W002"}
    assert "no such list: LOOPS_LIST_VOTER=list_lost" in run("loops_setup")
    assert set(warnings()) == {"loops_sync.W004"}
    assert "LOOPS_LIST_VOTER=list_lost" in warnings()["loops_sync.W004"]
    settings.LOOPS_LISTS = {**settings.LOOPS_LISTS, "voter": "list_voters"}
    run("loops_setup")
    assert warnings() == {}


def test_the_check_asks_nobody_and_is_silent_while_syncing_is_off(loops: RunningSandbox, settings: Settings) -> None:
    warnings()
    assert loops.requests == []
    settings.LOOPS_SYNC_ENABLED = False
    assert warnings() == {}


def test_the_check_survives_a_database_without_tables(loops: RunningSandbox) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {AccountSetup._meta.db_table} RENAME TO gone")
    assert warnings() == {}


def test_a_property_of_another_type_is_named(bare: RunningSandbox) -> None:
    client.create_property("approvalDate", "string")
    assert "wrong type: approvalDate is string, should be date; change it in Loops" in run("loops_setup")
    assert set(warnings()) == {"loops_sync.W005"}


def test_setup_that_cannot_finish_says_so_and_goes_on_later(bare: RunningSandbox) -> None:
    bare.set_fault("server_error")
    with pytest.raises(CommandError, match="Not finished; run it again: 500"):
        call_command("loops_setup")
    bare.clear_faults()
    bare.set_fault("reset", times=1)  # made, but the answer is lost
    with pytest.raises(CommandError):
        call_command("loops_setup")
    assert run("loops_setup").splitlines()[-1].endswith(" 0 missing")


def test_setup_without_a_key_says_so(settings: Settings) -> None:
    settings.LOOPS_API_KEY = ""
    with pytest.raises(CommandError, match="LOOPS_API_KEY is empty"):
        call_command("loops_setup")
