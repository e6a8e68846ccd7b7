"""How the line to Loops is, as all workers see it."""

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from loops_sync import client, selectors
from loops_sync.models import Contact, Relay, SweepSeat

MOST_REFUSALS = 3
# A refused key waits for a person; an outage ends by itself, and then everybody waits for us.
PROBE_EVERY, PROBE_OUTAGE_EVERY = timedelta(seconds=60), timedelta(seconds=10)
# Longer than a sweep and its last batch can take.
SWEEP_LEASE = timedelta(seconds=180)
# One worker waiting for each answer would not reach ten requests a second over a real distance.
SEATS = (1, 2)
LOOKOUT = 3
LOOKOUT_SECONDS, GLANCE_SECONDS = 50.0, 1.0


def is_open() -> bool:
    """Whether contacts may be delivered now."""
    return settings.LOOPS_SYNC_ENABLED and not selectors.relay().is_stopped


def note_success() -> None:
    """The line works. After an outage everybody's backoff ends: it was Loops, not they."""
    line, now = selectors.relay(), timezone.now()
    Relay.objects.filter(Q(consecutive_failures__gt=0) | Q(unauthorized_at__isnull=False), pk=1).update(
        consecutive_failures=0,
        outage_signs=0,
        failing_since=None,
        unauthorized_at=None,
        next_probe_at=None,
        last_error="",
    )
    waiting = Contact.objects.filter(next_attempt_at__gt=now)
    if line.is_out:
        waiting.update(next_attempt_at=None)
    elif line.is_unauthorized:  # but not for one that Loops refuses again and again while the key is good
        waiting.filter(failures__lt=MOST_REFUSALS).update(next_attempt_at=None)


def note_failure(error: client.LoopsError, *, is_new: bool) -> None:
    """A contact could not be delivered, or a probe failed.

    Only a new failure is a sign of an outage: contacts that have failed before say nothing new of the line.
    """
    now = timezone.now()
    with transaction.atomic():
        Relay.objects.bulk_create([Relay(pk=1)], ignore_conflicts=True)
        line = Relay.objects.select_for_update().get(pk=1)
        line.last_error = str(error)
        line.failing_since = line.failing_since or now
        if error.is_unauthorized:
            line.unauthorized_at = line.unauthorized_at or now
        line.consecutive_failures += 1
        line.outage_signs += is_new
        if line.is_stopped:
            line.next_probe_at = now + (PROBE_EVERY if line.is_unauthorized else PROBE_OUTAGE_EVERY)
        line.save()


def probe_if_due(*, now: bool = False) -> None:
    """While the line is stopped, ask Loops whether it is back: now and then, or `now`; touches no contact."""
    line = selectors.relay()
    if not settings.LOOPS_SYNC_ENABLED or not line.is_stopped:
        return
    if not now and line.next_probe_at and line.next_probe_at > timezone.now():
        return
    try:
        client.check_key()
    except client.LoopsError as error:
        note_failure(error, is_new=True)
    else:
        note_success()


def note_alive() -> None:
    """A worker is at work."""
    Relay.objects.bulk_create([Relay(pk=1)], ignore_conflicts=True)
    Relay.objects.filter(pk=1).update(swept_at=timezone.now())


def is_in_outage() -> bool:
    """Whether Loops is out of reach, and nobody has to do anything but wait."""
    line = selectors.relay()
    return settings.LOOPS_SYNC_ENABLED and line.is_out and not line.is_unauthorized


def look_out() -> bool:
    """Stay and ask until the outage is over, but no longer than a task may: whether this worker was the one.

    One at a time, over all workers; whoever finds another at it has nothing to wait for.
    """
    seat = _take_seat((LOOKOUT,))
    if seat is None:
        return False
    ends_at = time.monotonic() + LOOKOUT_SECONDS
    try:
        while is_in_outage() and time.monotonic() < ends_at:
            probe_if_due()
            time.sleep(GLANCE_SECONDS)
    finally:
        yield_sweep(seat)
    return True


def take_sweep() -> int | None:
    """Take a seat among those who sweep: its number, None when all are taken."""
    return _take_seat(SEATS)


def _take_seat(numbers: tuple[int, ...]) -> int | None:
    now = timezone.now()
    SweepSeat.objects.bulk_create([SweepSeat(number=number) for number in numbers], ignore_conflicts=True)
    for number in numbers:
        free = SweepSeat.objects.filter(Q(taken_until=None) | Q(taken_until__lt=now), pk=number)
        if free.update(taken_until=now + SWEEP_LEASE):
            return number
    return None


def yield_sweep(seat: int) -> None:
    """Let another sweep."""
    SweepSeat.objects.filter(pk=seat).update(taken_until=None)
