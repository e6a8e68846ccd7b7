"""Addresses of the run endpoint, and where Loops tells us something by itself."""

from django.urls import path

from loops_sync.api import views

urlpatterns = [
    path("sync/loops/run", views.RunView.as_view(), name="api-loops-run"),
    path("webhooks/loops", views.LoopsWebhookView.as_view(), name="api-loops-webhook"),
]
