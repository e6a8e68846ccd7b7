"""What every test gets: loopback only, no throttle, Loops off unless the sandbox is asked for."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from config.sandbox import RunningSandbox, start_sandbox
from tests import builders

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
APPEND_ONLY = (
    "nominations_decisionlog",
    "nominations_manualvote",
    "nominations_voteruling",
    "loyalty_pointstransaction",
)


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Whoever speaks to another machine fails the test that made it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def calm(settings: Settings) -> None:
    """No throttle, no Loops, quick passwords."""
    settings.THROTTLE_RATES = {"public": "", "lookup": ""}
    settings.LOOPS_SYNC_ENABLED = False
    settings.LOOPS_API_KEY = "sandbox"
    settings.LOOPS_TRANSACTIONAL = dict.fromkeys(settings.LOOPS_TRANSACTIONAL, "")
    settings.LOOPS_REQUESTS_PER_SECOND = 0
    settings.CRON_SECRET = "clock"
    # Where nobody listens, until a test asks for the sandbox.
    settings.NANGO_HOST = "http://127.0.0.1:9"
    settings.NANGO_SECRET_KEY = "sandbox"
    settings.PUBLIC_BASE_URL = "https://awards.example"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[RunningSandbox]:
    """One stateful Loops on loopback for the whole run."""
    with start_sandbox(rate=None) as sandbox:
        yield sandbox


@pytest.fixture
def loops(running_sandbox: RunningSandbox, settings: Settings) -> Iterator[RunningSandbox]:
    """Loops, empty, with syncing on."""
    running_sandbox.reset()
    settings.LOOPS_SYNC_ENABLED = True
    settings.LOOPS_BASE_URL = running_sandbox.loops_url
    settings.LOOPS_TIMEOUT_SECONDS = 0.5
    yield running_sandbox
    running_sandbox.reset()


@pytest.fixture
def staff_client(db: None) -> Client:
    """Logged in as a superuser."""
    client = Client()
    client.force_login(builders.superuser())
    return client


@pytest.fixture
def really_committed(transactional_db: None) -> Iterator[None]:
    """Real transactions, for threads and processes. SQLite empties tables by DELETE, which logs would refuse."""
    yield
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for table in APPEND_ONLY:
                for change in ("update", "delete"):
                    cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{change}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What depends on row locks says so, and runs where there are some."""
    for item in items:
        if item.get_closest_marker("postgres") and connection.vendor != "postgresql":
            item.add_marker(pytest.mark.skip(reason="row locks: PostgreSQL only"))
