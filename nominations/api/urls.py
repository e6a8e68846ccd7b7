"""Addresses of the awards' API."""

from django.urls import path

from nominations.api import views

urlpatterns = [
    path("season", views.SeasonView.as_view(), name="api-season"),
    path("categories", views.CategoriesView.as_view(), name="api-categories"),
    path("nominations", views.NominationsView.as_view(), name="api-nominations"),
    path("nominations/<uuid:id>", views.NominationView.as_view(), name="api-nomination"),
    path("nominations/<uuid:id>/approve", views.ApproveView.as_view(), name="api-approve"),
    path("nominations/<uuid:id>/reject", views.RejectView.as_view(), name="api-reject"),
    path("nominations/<uuid:id>/withdraw", views.WithdrawView.as_view(), name="api-withdraw"),
    path("nominations/<uuid:id>/duplicate", views.DuplicateView.as_view(), name="api-duplicate"),
    path("nominations/<uuid:id>/reopen", views.ReopenView.as_view(), name="api-reopen"),
    path("nominees/<slug:slug>", views.NomineeView.as_view(), name="api-nominee"),
    path("nominees", views.NomineesView.as_view(), name="api-nominees"),
    path("nominees/<slug:slug>/manual-votes", views.ManualVotesView.as_view(), name="api-manual-votes"),
    path("podium", views.PodiumView.as_view(), name="api-podium"),
    path("stats", views.StatsView.as_view(), name="api-stats"),
    path("votes", views.VotesView.as_view(), name="api-votes"),
]
