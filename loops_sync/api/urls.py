"""Addresses of the run endpoint."""

from django.urls import path

from loops_sync.api import views

urlpatterns = [path("sync/loops/run", views.RunView.as_view(), name="api-loops-run")]
