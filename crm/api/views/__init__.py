"""Login and logout, and the CRM's API: shapes in, services, shapes out."""

from crm.api.views.access import (
    KEY_HEADER,
    REPLAYED,
    IsCron,
    IsCronOrStaff,
    IsStaffWith,
    LoginView,
    LogoutView,
    address_of,
    answer_once,
    answer_under,
    check_key,
    fingerprint,
)
from crm.api.views.clients import ClientsView, ClientView
from crm.api.views.connections import ConnectView, DisconnectView, SessionTokenView, StatusView
from crm.api.views.cron import SyncAllView
from crm.api.views.leads import LeadsView, LeadView, MessagesView, ThreadsView
from crm.api.views.runs import OutcomesView, RunsView, RunView, SyncView
from crm.api.views.webhooks import NangoWebhookView

__all__ = [
    "KEY_HEADER",
    "REPLAYED",
    "ClientView",
    "ClientsView",
    "ConnectView",
    "DisconnectView",
    "IsCron",
    "IsCronOrStaff",
    "IsStaffWith",
    "LeadView",
    "LeadsView",
    "LoginView",
    "LogoutView",
    "MessagesView",
    "NangoWebhookView",
    "OutcomesView",
    "RunView",
    "RunsView",
    "SessionTokenView",
    "StatusView",
    "SyncAllView",
    "SyncView",
    "ThreadsView",
    "address_of",
    "answer_once",
    "answer_under",
    "check_key",
    "fingerprint",
]
