"""Addresses of the login, the CRM and its leads."""

from django.urls import path

from crm.api import views

urlpatterns = [
    path("auth/login", views.LoginView.as_view(), name="api-login"),
    path("auth/logout", views.LogoutView.as_view(), name="api-logout"),
    path("crm/session-token", views.SessionTokenView.as_view(), name="api-crm-session-token"),
    path("crm/connect", views.ConnectView.as_view(), name="api-crm-connect"),
    path("crm/sync", views.SyncView.as_view(), name="api-crm-sync"),
    path("crm/runs", views.RunsView.as_view(), name="api-crm-runs"),
    path("crm/runs/<uuid:id>", views.RunView.as_view(), name="api-crm-run"),
    path("crm/runs/<uuid:id>/outcomes", views.OutcomesView.as_view(), name="api-crm-outcomes"),
    path("crm/status", views.StatusView.as_view(), name="api-crm-status"),
    path("crm/disconnect", views.DisconnectView.as_view(), name="api-crm-disconnect"),
    path("cron/sync-crm", views.SyncAllView.as_view(), name="api-cron-sync-crm"),
    path("webhooks/nango", views.NangoWebhookView.as_view(), name="api-nango-webhook"),
    path("clients", views.ClientsView.as_view(), name="api-clients"),
    path("clients/<uuid:id>", views.ClientView.as_view(), name="api-client"),
    path("leads", views.LeadsView.as_view(), name="api-leads"),
    path("leads/<uuid:id>", views.LeadView.as_view(), name="api-lead"),
    path("leads/<uuid:id>/messages", views.MessagesView.as_view(), name="api-messages"),
    path("threads", views.ThreadsView.as_view(), name="api-threads"),
]
