"""Everything that writes to the outbox, and everything that empties it."""

from loops_sync.services.backfill import queue_missed_approvals
from loops_sync.services.batches import Tally
from loops_sync.services.delivery import drain, sync_contact
from loops_sync.services.outbox import discard_entries, purge_old, record_change, retry_entries
from loops_sync.services.relay import note_alive, probe_if_due, take_sweep, yield_sweep
from loops_sync.services.verify import Check, verify

__all__ = [
    "Check",
    "Tally",
    "discard_entries",
    "drain",
    "note_alive",
    "probe_if_due",
    "purge_old",
    "queue_missed_approvals",
    "record_change",
    "retry_entries",
    "sync_contact",
    "take_sweep",
    "verify",
    "yield_sweep",
]
