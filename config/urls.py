"""Every address of the product."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.static import serve
from drf_spectacular.views import SpectacularAPIView

from config import health, metrics
from config.docs import DocsView
from config.errors import missing_route
from loyalty.selectors import scope_of
from loyalty.services.telling import CUSTOMER_TYPES
from nominations import pages
from notifications.api import urls as notifications

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"

urlpatterns = [
    path("", pages.home, name="home"),
    path("nominate", pages.nominate, name="nominate"),
    path("nominate/thanks", pages.thanks, name="nominate-thanks"),
    path("nominees", pages.nominees, name="nominees"),
    path("nominee/<slug:slug>", pages.nominee, name="nominee"),
    path("nominee/<slug:slug>/card.png", pages.card, name="nominee-card"),
    path("nominee/<slug:slug>/portrait-<int:side>.webp", pages.small_portrait, name="nominee-portrait"),
    path("leaderboard", pages.leaderboard, name="leaderboard"),
    path("vote/confirm/<str:token>", pages.confirm, name="vote-confirm"),
    path("own/<str:token>", pages.own, name="own"),
    path("own/<str:token>/correct", pages.own_correct, name="own-correct"),
    path("own/<str:token>/take-down", pages.own_take_down, name="own-take-down"),
    path("", include("loyalty.pages.urls")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("api/schema", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs", DocsView.as_view(), name="api-docs"),
    path("api/", include("crm.api.urls")),
    path("api/", include("nominations.api.urls")),
    path("api/", include("loyalty.api.urls")),
    path("api/", include(notifications.urls(scope_of, CUSTOMER_TYPES))),
    path("api/", include("loops_sync.api.urls")),
    re_path(r"^api(?:/.*)?$", missing_route),
    re_path(r"^media/(?P<path>nominees/[\w.-]+)$", serve, {"document_root": settings.MEDIA_ROOT}, name="media"),
]
