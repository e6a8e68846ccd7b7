"""What pages, API and admin read of businesses, connections and leads."""

from crm.selectors.clients import LOOPS_STATUSES, clients_of, delivery_of, search_clients, with_delivery
from crm.selectors.connections import Status, active_connection, examples_of, outcomes_of, status_of
from crm.selectors.leads import BY_HAND, leads_of, search_leads, threads
from crm.selectors.tenancy import business_for, may_act, require_role

__all__ = [
    "BY_HAND",
    "LOOPS_STATUSES",
    "Status",
    "active_connection",
    "business_for",
    "clients_of",
    "delivery_of",
    "examples_of",
    "leads_of",
    "may_act",
    "outcomes_of",
    "require_role",
    "search_clients",
    "search_leads",
    "status_of",
    "threads",
    "with_delivery",
]
