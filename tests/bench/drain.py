"""The outbox against a sandbox."""

import multiprocessing
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from django.conf import settings
from django.db import connections
from django.utils import timezone

from loops_sync import services
from loops_sync.models import Contact, OutboxEntry
from nominations.models import Category, Nomination, Nominator, Nominee
from tests import builders
from tests.bench.table import Row

CONTACTS, ROUNDS = 1000, 5
PORT = 18010


@contextmanager
def sandbox() -> Iterator[str]:
    """A sandbox without a rate limit in a process of its own: its root address."""
    command = [sys.executable, "-m", "config.sandbox", "--port", str(PORT), "--rate", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    settings.LOOPS_BASE_URL = f"http://127.0.0.1:{PORT}/api/v1"
    try:
        yield f"http://127.0.0.1:{PORT}"
    finally:
        process.terminate()
        process.wait()


def against_bare_loop() -> list[Row]:
    """The same PUTs, by one worker, by the two that a cluster sweeps with, and by a loop on one keep-alive session."""
    settings.LOOPS_REQUESTS_PER_SECOND = 0
    with sandbox() as root, workers(2) as pair:
        timed(root, pair, "warm")
        alone = [timed(root, pair[:1], f"alone{number}") for number in range(ROUNDS)]
        both = [timed(root, pair, f"both{number}") for number in range(ROUNDS)]
    note = f"median of {ROUNDS} rounds of {CONTACTS} contacts; one worker alone {statistics.median(alone):.2f}"
    return [Row("outbox drain by two workers ÷ bare loop of the same PUTs", statistics.median(both), 0.7, True, note)]


def timed(root: str, chosen: list[Any], name: str) -> float:
    """The bare loop's seconds ÷ the drain's, for the same people."""
    people(CONTACTS, name)
    requests.post(f"{root}/_control/reset", timeout=10)
    started = time.perf_counter()
    for worker in chosen:
        worker.send(True)
    for worker in chosen:
        worker.recv()
    drained = time.perf_counter() - started
    assert not OutboxEntry.objects.open().exists()
    bodies = [row["body"] for row in requests.get(f"{root}/_control/requests", timeout=10).json()["requests"]]
    assert len(bodies) == CONTACTS, len(bodies)
    requests.post(f"{root}/_control/reset", timeout=10)
    return bare_loop(bodies) / drained


@contextmanager
def workers(count: int) -> Iterator[list[Any]]:
    """Processes that drain when told: the ends of their pipes."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    ends = []
    for _ in range(count):
        ours, theirs = context.Pipe()
        context.Process(target=drain_when_told, args=(theirs,), daemon=True).start()
        ends.append(ours)
    try:
        yield ends
    finally:
        for end in ends:
            end.send(False)


def drain_when_told(pipe: Any) -> None:
    """One worker."""
    while pipe.recv():
        services.drain()
        pipe.send(True)


def bare_loop(bodies: list[dict[str, Any]]) -> float:
    """Seconds for the same requests and nothing else."""
    session = requests.Session()
    url = f"{settings.LOOPS_BASE_URL}/contacts/update"
    started = time.perf_counter()
    for body in bodies:
        session.put(url, json=body, headers={"Authorization": "Bearer sandbox"}, timeout=10).json()
    return time.perf_counter() - started


def under_the_limit() -> list[Row]:
    """With the gate on: requests a second on average, and the most in any one second."""
    settings.LOOPS_REQUESTS_PER_SECOND = 9.3
    with sandbox() as root:
        people(120, "limited")
        services.drain()
        at = [row["at"] for row in requests.get(f"{root}/_control/requests", timeout=10).json()["requests"]]
    settings.LOOPS_REQUESTS_PER_SECOND = 0
    mean = (len(at) - 1) / (at[-1] - at[0])
    most = max(sum(1 for other in at if moment <= other < moment + 1) for moment in at)
    return [
        Row("outbox drain with the limit: requests/s", mean, 9.0, True, f"{len(at)} requests"),
        Row("outbox drain with the limit: most in any second", most, 10, False),
    ]


def people(count: int, name: str) -> None:
    """Approved nominators with one entry each, as if just approved; nothing else waits."""
    OutboxEntry.objects.all().delete()
    Contact.objects.all().delete()
    season, category = builders.season(), builders.category()
    nominee = nominee_of(category)
    nominators = Nominator.objects.bulk_create(
        Nominator(
            email=f"{name}-{number}@example.org",
            first_name="Ada",
            last_name=f"O'Number {number}",
            company="Example Partners",
            job_title="Director",
            phone="+447306506797",
            country="United Kingdom",
        )
        for number in range(count)
    )
    Nomination.objects.bulk_create(
        Nomination(
            season=season,
            category=category,
            nominator=nominator,
            nominee=nominee,
            state="approved",
            approved_at=timezone.now(),
            source="api",
        )
        for nominator in nominators
    )
    services.record_change("nomination_approved", [nominator.email for nominator in nominators])


def nominee_of(category: Category) -> Nominee:
    """One live nominee for all."""
    found = Nominee.objects.filter(slug="bench").first()
    return found or Nominee.objects.create(
        kind=category.kind, first_name="Bench", last_name="Mark", slug="bench", state="live"
    )
