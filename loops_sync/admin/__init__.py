"""What operators see of the line to Loops, and what they can do about it."""

from loops_sync.admin import contacts, outbox

__all__ = ["contacts", "outbox"]
