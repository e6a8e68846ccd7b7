"""An approval must not feel how Loops is."""

import os
import signal
import statistics
import subprocess
import sys
import time

import requests
from django.conf import settings
from django.test import Client

from nominations.models import Nomination
from tests import builders
from tests.bench.drain import sandbox
from tests.bench.table import Row

BLOCKS, PER_BLOCK = 16, 20


def while_loops_hangs() -> list[Row]:
    """The median approve request while Loops hangs ÷ while it answers, with a worker at work, in turns."""
    client = Client(headers={"host": "localhost"})
    client.force_login(builders.superuser())
    times: dict[bool, list[float]] = {True: [], False: []}
    waiting = [builders.submitted() for _ in range(BLOCKS * PER_BLOCK + 20)]
    with sandbox() as root:
        environment = {**os.environ, "LOOPS_BASE_URL": settings.LOOPS_BASE_URL, "LOOPS_REQUESTS_PER_SECOND": ""}
        command = [sys.executable, "manage.py", "qcluster"]
        worker = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
        try:
            for _ in range(20):
                approve(client, waiting.pop())
            for block in range(BLOCKS):
                hanging = bool(block % 2)
                control(root, hanging=hanging)
                times[hanging] += [approve(client, waiting.pop()) for _ in range(PER_BLOCK)]
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    ratio = statistics.median(times[True]) / statistics.median(times[False])
    return [Row("approve while Loops hangs ÷ while it answers", ratio, 1.1, False, f"{BLOCKS * PER_BLOCK} approvals")]


def approve(client: Client, nomination: Nomination) -> float:
    """Seconds of one request."""
    started = time.perf_counter()
    answer = client.post(f"/api/nominations/{nomination.pk}/approve", {}, content_type="application/json")
    took = time.perf_counter() - started
    assert answer.status_code == 200, answer.status_code
    return took


def control(root: str, *, hanging: bool) -> None:
    """Switch the fault, and let the worker settle."""
    requests.delete(f"{root}/_control/faults", timeout=10)
    if hanging:
        requests.post(f"{root}/_control/faults", json={"kind": "hang"}, timeout=10)
    time.sleep(1)
