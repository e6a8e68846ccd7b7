"""The team's ten requests a second, shared by all workers through one row."""

import time
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from crm.models import RateGate
from crm.services import book_slot

GATE = "loops"
LONGEST_WAIT_SECONDS = 5.0
SLOTS, LATEST_SECONDS = 3, 0.05


class Stop(Exception):
    """The line has to rest: for some seconds, after which this run may go on, or (0) until another run."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(f"resting {seconds} s")
        self.seconds = seconds


def wait_for_slot() -> None:
    """Wait for the next free slot. Raises Stop when it is far away, because Loops asked for patience.

    Whoever comes late to a slot, on a busy machine, lets it pass: one request too close to the next ones is one too
    many in their second.
    """
    per_second = settings.LOOPS_REQUESTS_PER_SECOND
    if not per_second:
        return
    for _try in range(SLOTS):
        asked_at = time.monotonic()
        wait = book_slot(GATE, per_second=per_second, at_most=LONGEST_WAIT_SECONDS)
        if wait is None:
            raise Stop
        time.sleep(wait)
        if time.monotonic() - asked_at - wait <= LATEST_SECONDS:
            return


def pause_all(seconds: float) -> None:
    """Loops asked for patience: no worker gets a slot before it is over."""
    free_at = timezone.now() + timedelta(seconds=seconds)
    RateGate.objects.bulk_create([RateGate(name=GATE, free_at=free_at)], ignore_conflicts=True)
    RateGate.objects.filter(name=GATE, free_at__lt=free_at).update(free_at=free_at)
