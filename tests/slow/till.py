"""`python -m tests.slow.till`: the web killed under tills that never give up; prints what became of it as JSON.

Runs on the database of DATABASE_URL, which must be its own. Each till sends one movement after the other, and each of
them again under its own key until it has an answer, as the contract tells tills to do.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import django
import requests

ROOT = Path(__file__).resolve().parent.parent.parent
TILLS, CARDS, START = 4, 3, 100_000
READY_SECONDS, ANSWER_SECONDS = 60, 10


@dataclass
class Till:
    """What one till has sent and heard."""

    url: str
    headers: dict[str, str]
    cards: list[str]
    stop: Event
    answers: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    surprises: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    replayed: int = 0

    def work(self) -> None:
        """Until it is told to stop, and then until the last movement is answered."""
        with requests.Session() as session:
            while not self.stop.is_set():
                self.move(session, uuid4().hex)

    def move(self, session: requests.Session, key: str) -> None:
        """One movement, sent until it is answered."""
        method, path, kind, body, headers = self.movement(key)
        while True:
            try:
                answer = session.request(method, self.url + path, json=body, headers=headers, timeout=ANSWER_SECONDS)
            except requests.RequestException:
                self.failed += 1
                time.sleep(0.02)
                continue
            if answer.status_code in (200, 201):
                self.replayed += answer.headers.get("Idempotent-Replay") == "true"
                self.answers[key] = kind, body["points"], answer.json()["transaction"]
                return
            self.surprises[f"{answer.status_code} {answer.text[:200]}"] += 1
            time.sleep(0.02)

    def movement(self, key: str) -> tuple[str, str, str, dict[str, Any], dict[str, str]]:
        """Points redeemed with PUT or POST, or earned; every till at every card."""
        body = {"card": random.choice(self.cards), "points": random.randint(1, 50)}
        keyed = self.headers | {"Idempotency-Key": key}
        redeem = "/api/customer/loyalty/redeem"
        return random.choice(
            [
                ("PUT", redeem, "redeem_points", body | {"redemption_id": key, "order_total": "90.00"}, self.headers),
                ("POST", redeem, "redeem_points", body | {"order_id": key}, keyed),
                ("POST", "/api/loyalty/earn", "earn_points", body, keyed),
            ]
        )


def main(kills: int) -> dict[str, Any]:
    """Kill the web so many times while the tills work."""
    os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "LOOPS_SYNC_ENABLED": "false"}
    django.setup()
    from config.management.commands.dev import free_port

    headers, cards = prepare()
    port, stop = free_port(), Event()
    tills = [Till(f"http://127.0.0.1:{port}", headers, cards, stop) for _ in range(TILLS)]
    with working(tills, stop):
        web = serve(port)
        for _ in range(kills):
            time.sleep(random.uniform(0.05, 0.8))
            os.killpg(web.pid, signal.SIGKILL)
            web.wait()
            web = serve(port)
        stop.set()
    os.killpg(web.pid, signal.SIGTERM)
    web.wait()
    return {"kills": kills} | judge(tills)


def prepare() -> tuple[dict[str, str], list[str]]:
    """A new database with a cashier and cards: the cashier's login, and the cards' numbers."""
    from django.core.management import call_command

    from tests import builders
    from tests.door import bearer

    call_command("migrate", verbosity=0)
    program = builders.program(max_points_per_transaction=None, max_points_per_day=None)
    cashier = builders.member("cashier", program.business)
    return bearer(cashier), [builders.card(START, of=program).card_number for _ in range(CARDS)]


@contextmanager
def working(tills: list[Till], stop: Event) -> Iterator[None]:
    """The tills at work; on leaving they finish."""
    threads = [Thread(target=till.work, daemon=True) for till in tills]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(READY_SECONDS)


def serve(port: int) -> subprocess.Popen[bytes]:
    """The web as it is run, in a process group of its own, when it answers."""
    from config.management.commands.dev import gunicorn

    command = [*gunicorn(), "--bind", f"127.0.0.1:{port}", "config.wsgi"]
    web = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(f"http://127.0.0.1:{port}/healthz", timeout=ANSWER_SECONDS).ok:
                return web
        except requests.RequestException:
            time.sleep(0.02)
    raise TimeoutError("the web did not come up")


def judge(tills: list[Till]) -> dict[str, Any]:
    """What of the answers is not in the ledger, what is there twice, and whether the sums are those of the answers."""
    from loyalty.models import LoyaltyCard, PointsTransaction
    from loyalty.services import verify_ledger

    answers = {key: answer for till in tills for key, answer in till.answers.items()}
    booked = PointsTransaction.objects.exclude(idempotency_key=None)
    rows = {row.idempotency_key: (row.operation_type, row.points_amount, str(row.pk)) for row in booked}
    deltas = [points if kind == "earn_points" else -points for kind, points, _row in answers.values()]
    return {
        "lost": sum(rows.get(key) != answer for key, answer in answers.items()),
        "twice": PointsTransaction.objects.count() - CARDS - len(answers),
        "points_off": sum(LoyaltyCard.objects.values_list("points_balance", flat=True)) - CARDS * START - sum(deltas),
        "problem": str(verify_ledger() or ""),
        "surprises": dict(sum((till.surprises for till in tills), Counter())),
        "answered": len(answers),
        "replayed": sum(till.replayed for till in tills),
        "sent_in_vain": sum(till.failed for till in tills),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))  # noqa: T201
