"""Everything that writes to the outbox, and everything that empties it."""

from loops_sync.services.backfill import Missed, PlannedChange, planned_changes, queue_missed_approvals
from loops_sync.services.batches import Tally
from loops_sync.services.delivery import drain, sync_contact
from loops_sync.services.incidents import watch_line
from loops_sync.services.mails import (
    MailTally,
    deliver_mails,
    plan_mail,
    prepared_resend,
    purge_old_mails,
    reason_not_to_send,
    resend_mail,
    retry_mails,
    send_mail,
)
from loops_sync.services.outbox import discard_entries, purge_old, record_change, retry_entries
from loops_sync.services.pace import Stop
from loops_sync.services.relay import is_in_outage, look_out, note_alive, probe_if_due, take_sweep, yield_sweep
from loops_sync.services.remote import Look, look_at_loops, look_by_night, resend_drifted
from loops_sync.services.setup import SetupReport, set_up_account
from loops_sync.services.verify import Check, verify
from loops_sync.services.webhooks import is_from_loops, receive_event

__all__ = [
    "Check",
    "Look",
    "MailTally",
    "Missed",
    "PlannedChange",
    "SetupReport",
    "Stop",
    "Tally",
    "deliver_mails",
    "discard_entries",
    "drain",
    "is_from_loops",
    "is_in_outage",
    "look_at_loops",
    "look_by_night",
    "look_out",
    "note_alive",
    "plan_mail",
    "planned_changes",
    "prepared_resend",
    "probe_if_due",
    "purge_old",
    "purge_old_mails",
    "queue_missed_approvals",
    "reason_not_to_send",
    "receive_event",
    "record_change",
    "resend_drifted",
    "resend_mail",
    "retry_entries",
    "retry_mails",
    "send_mail",
    "set_up_account",
    "sync_contact",
    "take_sweep",
    "verify",
    "watch_line",
    "yield_sweep",
]
