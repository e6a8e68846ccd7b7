"""Many at one card at once: what any database must get right. `python -m tests.loyalty.crowd` tries it on a new one.

The suite's SQLite lives in the memory of one process, where threads do not wait for each other as they do on a file.
"""

import json
import sys
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

WAIT_SECONDS = 120


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Every call in a thread of its own, all let go together: what each returned or was refused with, in order."""
    from django.core.exceptions import ValidationError
    from django.db import OperationalError, connection

    gate = Barrier(len(calls))
    answers: dict[int, Any] = {}

    def run(number: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            gate.wait(WAIT_SECONDS)
            answers[number] = call()
        except ValidationError as refusal:
            answers[number] = refusal.code
        except OperationalError:
            gate.abort()
            raise
        finally:
            connection.close()

    threads = [Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    return [answers.get(number, "crashed") for number in range(len(calls))]


def redeem_the_last(tills: int) -> dict[str, int]:
    """So many tills want all of a card's 100 points: how often each answer came."""
    from collections import Counter

    from loyalty.services import Instruction, redeem_points
    from tests import builders

    card = builders.card(100)
    answers = at_once(*[lambda: redeem_points(card, Instruction(), points=100).points] * tills)
    card.refresh_from_db()
    assert (card.points_balance, card.total_points_redeemed) == (0, 100)
    return dict(Counter(str(answer) for answer in answers))


def earn_together(tills: int) -> dict[str, int]:
    """So many tills book two orders each for the same card: what is on it."""
    from loyalty.services import Instruction, earn_points
    from tests import builders

    card = builders.card()

    def order(number: int) -> Callable[[], list[int]]:
        return lambda: [earn_points(card, Instruction(), points=points).points for points in (number, tills + number)]

    answers = at_once(*[order(number) for number in range(1, tills + 1)])
    card.refresh_from_db()
    return {
        "crashed": answers.count("crashed"),
        "rows": card.transactions.count(),
        "last": card.last_seq,
        "points": card.points_balance,
    }


def main() -> dict[str, Any]:
    """On the new database of DATABASE_URL."""
    import os

    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from django.core.management import call_command

    from loyalty.services import verify_ledger

    call_command("migrate", verbosity=0)
    found = {"redeemed": redeem_the_last(20), "earned": earn_together(50)}
    return found | {"problem": verify_ledger()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
