"""Everything that writes to businesses, connections and leads."""

from crm.services.access import (
    Answer,
    book_slot,
    check_login,
    count_here,
    forget_old_requests,
    is_cron_secret,
    login_name,
    parse_rate,
    remember_answer,
    take_turn,
    turn_wait,
)
from crm.services.connections import (
    connect,
    create_reconnect_session,
    create_session,
    disconnect,
    look_up,
    remove_due,
    require_phones,
    start_first_run,
)
from crm.services.leads import add_lead, delete_lead, edit_lead, follow_crm, log_message
from crm.services.runs import bury_dead_runs, purge_outcomes, queue_run, start_run
from crm.services.sync import execute_run, in_turn, queue_all, replace_dead_run
from crm.services.webhooks import find_connections, is_signed, receive, sync_soon, take_over

__all__ = [
    "Answer",
    "add_lead",
    "book_slot",
    "bury_dead_runs",
    "check_login",
    "connect",
    "count_here",
    "create_reconnect_session",
    "create_session",
    "delete_lead",
    "disconnect",
    "edit_lead",
    "execute_run",
    "find_connections",
    "follow_crm",
    "forget_old_requests",
    "in_turn",
    "is_cron_secret",
    "is_signed",
    "log_message",
    "login_name",
    "look_up",
    "parse_rate",
    "purge_outcomes",
    "queue_all",
    "queue_run",
    "receive",
    "remember_answer",
    "remove_due",
    "replace_dead_run",
    "require_phones",
    "start_first_run",
    "start_run",
    "sync_soon",
    "take_over",
    "take_turn",
    "turn_wait",
]
