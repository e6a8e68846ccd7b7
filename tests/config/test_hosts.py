"""The product refuses to take a sandbox on this machine for the real Loops."""

import os
import subprocess
import sys

import pytest

from config.hosts import is_this_machine


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
    ],
)
def test_this_machine_is_known_by_all_its_names(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["app.loops.so", "10.0.0.1", "localhost.example.org", "2001:db8::1", ""])
def test_other_machines_are_not_mistaken(host: str) -> None:
    assert not is_this_machine(host)


def test_production_does_not_start_with_the_sandbox() -> None:
    environment = {
        **os.environ,
        "DEBUG": "false",
        "SECRET_KEY": "x" * 60,
        "LOOPS_BASE_URL": "http://127.0.0.2:1/api/v1",
    }
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "LOOPS_BASE_URL points at this machine" in done.stderr
