"""Workers at one gate, in a flood, through an outage and beside a poisoned row, as they are run in production."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.slow


def seen(scenario: str, seconds: int, database: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the scenario found; shown, too."""
    command = [sys.executable, "-m", "tests.slow.line", scenario, str(seconds)]
    environment = {**os.environ, "DATABASE_URL": database}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\n{scenario}: {json.dumps(found)}")  # noqa: T201
    return found


def test_four_workers_share_ten_requests_a_second(own_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = seen("gate", 60, own_database, capsys)
    assert found["most_in_a_second"] <= 10
    assert found["mean"] >= 9
    assert found["poorest_share"] >= 0.15


def test_a_backfill_of_36000_does_not_delay_approvals(own_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = seen("backfill", 60, own_database, capsys)
    assert found["p99"] <= 5
    assert found["backfilled"] > 0


def test_five_rows_a_second_are_told_within_seconds(own_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = seen("steady", 60, own_database, capsys)
    assert found["p99"] <= 10
    assert found["told"] == found["rows"] + 1


def test_a_minute_after_an_outage_everything_is_told(own_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = seen("outage", 60, own_database, capsys)
    assert (found["undelivered"], found["order_errors"], found["wrong"]) == (0, 0, 0)


def test_a_poisoned_row_delays_nobody_and_ends_dead(own_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = seen("poison", 120, own_database, capsys)
    assert found["added_p99"] <= 1
    assert (found["dead"], found["open"]) == (["toxic-500@example.org"], 0)
