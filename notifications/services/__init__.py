"""Telling people, asking them, and noting what has changed for whom.

Each of these belongs into the transaction of the fact it speaks of, but for the mails, which wait for a server.
"""

from notifications.services.changes import forget_old_changes, note_change
from notifications.services.mails import retry_mail, send_mail_of, send_mails
from notifications.services.notifications import change_preferences, notify, read_all, read_notification
from notifications.services.requests import (
    answer_request,
    ask,
    expire_request,
    expire_requests,
    forget,
    pending_request,
    told_of,
    withdraw_request,
)

__all__ = [
    "answer_request",
    "ask",
    "change_preferences",
    "expire_request",
    "expire_requests",
    "forget",
    "forget_old_changes",
    "note_change",
    "notify",
    "pending_request",
    "read_all",
    "read_notification",
    "retry_mail",
    "send_mail_of",
    "send_mails",
    "told_of",
    "withdraw_request",
]
