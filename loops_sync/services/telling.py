"""One request about a contact, in its turn and on record."""

import time
from collections.abc import Callable

from django.utils import timezone

from loops_sync import client
from loops_sync.contacts import Properties
from loops_sync.models import Contact, SyncAttempt
from loops_sync.services.batches import Batch
from loops_sync.services.pace import wait_for_slot


def tell(batch: Batch, contact: Contact, body: Properties) -> None:
    """Have Loops create or update the contact. Raises LoopsError, and Stop when the line has to rest."""
    on_record(batch, contact, lambda: client.upsert_contact(body))


def on_record(batch: Batch, contact: Contact, request: Callable[[], None]) -> None:
    """Make the request in its turn, and note how it went. Raises LoopsError, and Stop when the line has to rest."""
    wait_for_slot()
    batch.speaking = contact.pk
    started_at, started = timezone.now(), time.perf_counter()
    error: client.LoopsError | None = None
    try:
        request()
    except client.LoopsError as failure:
        error = failure
    took = int((time.perf_counter() - started) * 1000)
    batch.attempts.append(
        SyncAttempt(contact=contact, at=started_at, duration_ms=took, ok=error is None, error=str(error or ""))
    )
    if error is not None:
        raise error
