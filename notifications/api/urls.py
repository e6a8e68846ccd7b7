"""Addresses of what people are told. Who somebody is, the apps above know: whoever mounts these says so."""

from collections.abc import Callable, Mapping
from typing import Any

from django.urls import URLPattern, path

from notifications.api import views
from notifications.selectors import Scope


def urls(scope_of: Callable[[Any], Scope], kinds: Mapping[str, str]) -> list[URLPattern]:
    """`scope_of` tells what a user sees; `kinds` are the types that a customer may switch off, with their labels."""
    pages: list[tuple[str, Any, str]] = [
        ("notifications", views.NotificationsView, "api-notifications"),
        ("notifications/read-all", views.ReadAllView, "api-notifications-read-all"),
        ("notifications/<uuid:id>/read", views.ReadView, "api-notification-read"),
        ("notifications/<uuid:id>/respond", views.RespondView, "api-notification-respond"),
        ("changes", views.ChangesView, "api-changes"),
    ]
    preferences = views.PreferencesView.as_view(scope_of=scope_of, kinds=kinds)
    return [
        *(path(route, view.as_view(scope_of=scope_of), name=name) for route, view, name in pages),
        path("notifications/preferences", preferences, name="api-notification-preferences"),
    ]
