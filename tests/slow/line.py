"""`python -m tests.slow.line SCENARIO SECONDS`: workers and a sandbox under load; prints what was seen as JSON.

Runs on the database of DATABASE_URL, which must be its own. The sandbox has no limit of its own: it only counts.
"""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

from config.sandbox import RunningSandbox, start_sandbox

ROOT = Path(__file__).resolve().parent.parent.parent
GATE_WORKERS, BACKFILL, POISONED = 4, 36_000, 1_000
READY_SECONDS, RECOVERY_SECONDS = 120, 60


def main(scenario: str, seconds: float) -> dict[str, Any]:
    """One scenario, against a sandbox that has just started."""
    with start_sandbox(rate=None) as sandbox:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DEBUG": "true",
            "LOOPS_SYNC_ENABLED": "true",
            "LOOPS_API_KEY": "sandbox",
            "LOOPS_BASE_URL": sandbox.loops_url,
            "LOOPS_TIMEOUT_SECONDS": "2",
        }
        if scenario == "poison":
            os.environ["LOOPS_REQUESTS_PER_SECOND"] = "50"
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        return SCENARIOS[scenario](sandbox, seconds)


def gate(sandbox: RunningSandbox, seconds: float) -> dict[str, Any]:
    """R8: processes side by side at one gate."""
    from tests.bench.drain import people

    people(int(seconds * 11), "gate")
    shares = drained(GATE_WORKERS, seconds)
    at = [seen.at for seen in sandbox.requests]
    return {
        "requests": len(at),
        "most_in_a_second": max(sum(1 for other in at if moment <= other < moment + 1) for moment in at),
        "mean": round((len(at) - 1) / (at[-1] - at[0]), 2),
        "poorest_share": round(min(shares) / sum(shares), 3),
    }


def backfill(sandbox: RunningSandbox, seconds: float) -> dict[str, Any]:
    """Approvals while a backfill of 36,000 keeps the gate busy: how long each took to Loops."""
    from loops_sync.models import OutboxEntry
    from tests.bench.drain import people

    count = int(seconds)
    people(BACKFILL + count, "flood")
    fresh = [f"flood-{number}@example.org" for number in range(BACKFILL, BACKFILL + count)]
    OutboxEntry.objects.filter(contact__email__in=fresh).delete()
    OutboxEntry.objects.update(event_type="backfill", priority=2)
    written: dict[str, float] = {}
    with cluster():
        wait_until(lambda: len(sandbox.requests) > 20)
        for email in fresh:
            write("nomination_approved", email)
            written[email] = time.monotonic()
            time.sleep(1)
        wait_until(lambda: {seen.email for seen in sandbox.requests} >= set(fresh))
    told = {seen.email: seen.at for seen in reversed(sandbox.requests)}
    delays = [told[email] - written[email] for email in fresh]
    others = sum(seen.email not in written for seen in sandbox.requests)
    return {"approvals": count, "p50": percentile(delays, 50), "p99": percentile(delays, 99), "backfilled": others}


def steady(sandbox: RunningSandbox, seconds: float) -> dict[str, Any]:
    """R11: five rows a second; the age of the oldest that Loops was not told of."""
    from django.utils import timezone

    from loops_sync.models import OutboxEntry
    from tests.bench.drain import people

    count = int(seconds * 5)
    people(count + 1, "steady")
    OutboxEntry.objects.filter(contact__email__gt="").exclude(contact__email="steady-0@example.org").delete()
    ages: list[float] = []
    with cluster():
        wait_until(lambda: len(sandbox.requests) > 0)
        started = time.monotonic()
        for number in range(1, count + 1):
            write("vote_cast", f"steady-{number}@example.org")
            while time.monotonic() < started + number / 5:
                oldest = OutboxEntry.objects.open().order_by("id").values_list("created_at", flat=True).first()
                ages.append((timezone.now() - oldest).total_seconds() if oldest else 0.0)
                time.sleep(0.05)
        wait_until(lambda: not OutboxEntry.objects.open().exists())
    return {"rows": count, "p50": percentile(ages, 50), "p99": percentile(ages, 99), "told": len(sandbox.contacts)}


def outage(sandbox: RunningSandbox, seconds: float) -> dict[str, Any]:
    """R9: nothing passes for a while; then what is left a minute after Loops is back, and in what order it came."""
    from loops_sync.models import OutboxEntry
    from nominations.models import Nominator
    from tests.bench.drain import people

    people(60, "out")
    nominators = list(Nominator.objects.order_by("email"))
    with cluster():
        wait_until(lambda: not OutboxEntry.objects.open().exists())
        for kind in ("rate_limited", "server_error", "hang", "reset"):
            sandbox.set_fault(kind, probability=0.25)
        ends_at, version = time.monotonic() + seconds, 0
        while time.monotonic() < ends_at:
            version += 1
            nominator = nominators[version % len(nominators)]
            nominator.company = f"v{version:06}"
            nominator.save()
            time.sleep(0.5)
        sandbox.clear_faults()
        recovered = time.monotonic()
        while OutboxEntry.objects.open().exists() and time.monotonic() < recovered + RECOVERY_SECONDS:
            time.sleep(0.2)
        took = time.monotonic() - recovered
        undelivered = OutboxEntry.objects.exclude(status="done").count()
    held = {row["email"]: row["company"] for row in sandbox.contacts}
    return {
        "facts": version,
        "undelivered": undelivered,
        "seconds_to_recover": round(took, 1),
        "order_errors": order_errors(sandbox),
        "wrong": sum(held[row.email] != row.company for row in Nominator.objects.all()),
    }


def poison(sandbox: RunningSandbox, seconds: float) -> dict[str, Any]:
    """R10: one row of a thousand that Loops refuses: how much later the others are told than without it."""
    from loops_sync.models import OutboxEntry
    from tests.bench.drain import people

    times = []
    for name in ("clean", "toxic"):
        people(POISONED, name)
        sandbox.reset()
        if name == "toxic":
            sandbox.set_fault("reject", match="toxic-500@")
        started = time.monotonic()
        drained(2, seconds)
        times.append({seen.email.split("-")[1]: seen.at - started for seen in sandbox.requests})
    added = [times[1][row] - at for row, at in times[0].items() if not row.startswith("500@")]
    dead = list(OutboxEntry.objects.dead().values_list("contact__email", flat=True))
    left = OutboxEntry.objects.open().count()
    return {"added_p99": percentile(added, 99), "dead": dead, "open": left, "others": len(added)}


def drained(workers: int, seconds: float) -> list[int]:
    """Processes that drain side by side for so long: how many entries each told."""
    from django.db import connections

    connections.close_all()
    children = []
    for _ in range(workers):
        ours, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            from loops_sync import services

            os.write(theirs, b"%d" % services.drain(seconds=seconds).succeeded)
            os._exit(0)
        os.close(theirs)
        children.append((pid, ours))
    found = [int(os.read(pipe, 20)) for _pid, pipe in children]
    for pid, pipe in children:
        os.waitpid(pid, 0)
        os.close(pipe)
    return found


@contextmanager
def cluster() -> Iterator[None]:
    """The worker as it is run in production."""
    command = [sys.executable, "manage.py", "qcluster"]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    from loops_sync import tasks

    tasks.queue_sweep()
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def write(event: str, email: str) -> None:
    """A fact in its transaction, workers on commit."""
    from django.db import transaction

    from loops_sync import services, tasks

    with transaction.atomic():
        contact_ids = services.record_change(event, [email])
        transaction.on_commit(lambda: tasks.queue_sync(contact_ids))


def order_errors(sandbox: RunningSandbox) -> int:
    """How often a contact was told an older company after a newer one."""
    newest: dict[str, str] = {}
    errors = 0
    for seen in sandbox.requests:
        version = str(seen.body.get("company", ""))
        if version.startswith("v"):
            errors += version < newest.get(seen.email, "")
            newest[seen.email] = max(version, newest.get(seen.email, ""))
    return errors


def wait_until(happened: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + READY_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.1)


def percentile(values: list[float], of: int) -> float:
    """The nearest rank, in seconds."""
    return round(sorted(values)[math.ceil(len(values) * of / 100) - 1], 2)


SCENARIOS = {"gate": gate, "backfill": backfill, "steady": steady, "outage": outage, "poison": poison}

if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], float(sys.argv[2]))))  # noqa: T201
