"""The front door's first command, as a stranger would use it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from django.db import connection

from config.management.commands.dev import free_port

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _sqlite_only() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("it brings a database of its own")


def test_check_drives_the_whole_journey() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "manage.py", "dev", "--check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line.split("  ")[-1] for line in done.stdout.splitlines() if line.startswith("ok")]
    assert steps == [
        "nominated through the form",
        "logged into the admin",
        "found it in the list",
        "approved it; the nominee's page is live",
        "both contacts are right in Loops",
    ]


def test_run_serves_until_interrupted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/dev.sqlite3", "PORT": str(port)}
    command = [sys.executable, "manage.py", "dev"]
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        seen = ""
        while "Ctrl-C" not in seen:
            line = running.stdout.readline()
            assert line, seen
            seen += line
        assert f"http://127.0.0.1:{port}/admin/" in seen
        assert requests.get(f"http://127.0.0.1:{port}/readyz", timeout=5).json() == {"status": "ok", "failing": []}
        running.send_signal(signal.SIGINT)
        assert running.wait(40) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()
    for _attempt in range(20):
        if not answers(port) and not answers(port + 10):
            return
        time.sleep(0.5)
    pytest.fail("something still listens")


def answers(port: int) -> bool:
    """Whether anybody listens there."""
    try:
        requests.get(f"http://127.0.0.1:{port}/healthz", timeout=1)
    except requests.RequestException:
        return False
    return True
