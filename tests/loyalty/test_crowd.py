"""Many at one card at once on SQLite, where writers queue: on a file, in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.skipif(connection.vendor != "sqlite", reason="test_races does it on PostgreSQL")
def test_tills_that_queue_lose_nothing_and_spend_nothing_twice(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/crowd.sqlite3"}
    command = [sys.executable, "-m", "tests.loyalty.crowd"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "redeemed": {"100": 1, "insufficient_points": 19},
        "earned": {"crashed": 0, "rows": 100, "last": 100, "points": 5050},
        "problem": None,
    }
