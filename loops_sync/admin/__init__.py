"""What operators see of the line to Loops, and what they can do about it."""

from loops_sync.admin import contacts, drift, incidents, mails, outbox

__all__ = ["contacts", "drift", "incidents", "mails", "outbox"]
