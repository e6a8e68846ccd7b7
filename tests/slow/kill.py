"""`python -m tests.slow.kill`: workers killed in the middle of their work; prints what is left as JSON.

Runs on the database of DATABASE_URL, which must be its own, against a sandbox that answers slowly.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from typing import Any

import django

from config.sandbox import RunningSandbox, start_sandbox

WORKERS = 2


def main(contacts: int, kills: int) -> dict[str, Any]:
    """Kill `kills` times one of two workers while they deliver, then let one finish."""
    with start_sandbox(rate=None) as sandbox:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "LOOPS_SYNC_ENABLED": "true",
            "LOOPS_API_KEY": "sandbox",
            "LOOPS_BASE_URL": sandbox.loops_url,
            "LOOPS_REQUESTS_PER_SECOND": "",
            "LOOPS_TIMEOUT_SECONDS": "0.5",
        }
        django.setup()
        prepare(contacts)
        sandbox.set_fault("slow", seconds=0.01)
        killed = harass(kills)
        return judge(sandbox, contacts) | {"kills": killed}


def prepare(contacts: int) -> None:
    """Contacts with an entry each, in a new database."""
    from django.core.management import call_command
    from django.urls import reverse

    from tests.bench.drain import people

    call_command("migrate", verbosity=0)
    people(contacts, "kill")
    reverse("home")  # loads the routes once, or each new worker would spend its short life on that


def harass(kills: int) -> int:
    """Keep two workers running, and kill one at random at random moments: how many were killed at work."""
    from django.db import connections

    connections.close_all()
    workers = [fork() for _ in range(WORKERS)]
    killed = 0
    while killed < kills:
        time.sleep(random.uniform(0.02, 0.25))
        index = random.randrange(WORKERS)
        os.kill(workers[index], signal.SIGKILL)
        _pid, status = os.waitpid(workers[index], 0)
        killed += os.WIFSIGNALED(status)
        workers[index] = fork()
    for worker in workers:
        os.waitpid(worker, 0)
    return killed


def fork() -> int:
    """A worker that drains until nothing is open: its process id."""
    pid = os.fork()
    if pid:
        return pid
    from loops_sync import services
    from loops_sync.models import OutboxEntry

    random.seed()
    while OutboxEntry.objects.open().exists():
        services.drain()
        time.sleep(0.05)
    os._exit(0)


def judge(sandbox: RunningSandbox, contacts: int) -> dict[str, Any]:
    """What was lost, what is wrong at Loops, and how many requests were made twice."""
    from loops_sync import selectors
    from loops_sync.contacts import properties_of
    from loops_sync.models import Contact, OutboxEntry

    held = {row["email"]: row for row in sandbox.contacts}
    wrong = 0
    for contact in Contact.objects.all():
        person = selectors.people([contact.email])[contact.email]
        wanted = properties_of(person, user_id=str(contact.pk))
        at_loops = held.get(contact.email, {})
        wrong += any(at_loops.get(key) != value for key, value in wanted.items()) or contact.accepted != wanted
    sent = Counter(seen.email for seen in sandbox.requests if seen.method == "PUT")
    return {
        "contacts": len(held),
        "wrong": wrong,
        "sent_again": sum(sent.values()) - contacts,
        "statuses": dict(Counter(OutboxEntry.objects.values_list("status", flat=True))),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201
