"""Workers killed in the middle of their work, on the kind of database that the suite runs on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def own_database(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The address of a new, empty database."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path}/kill.sqlite3"
        return
    name = f"kill_{uuid4().hex}"
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield f"{os.environ['DATABASE_URL'].rsplit('/', 1)[0]}/{name}"
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def harassed(database: str, contacts: int, kills: int) -> dict[str, Any]:
    """What the kill run found."""
    command = [sys.executable, "-m", "tests.slow.kill", str(contacts), str(kills)]
    environment = {**os.environ, "DATABASE_URL": database}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("contacts", "kills"), [(200, 8), pytest.param(1000, 50, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_killed_workers_lose_nothing_and_send_at_most_once_more_a_kill(
    own_database: str, contacts: int, kills: int
) -> None:
    found = harassed(own_database, contacts, kills)
    assert found.pop("sent_again") <= found["kills"]
    assert found == {"contacts": contacts, "wrong": 0, "statuses": {"done": contacts}, "kills": kills}
