"""Seasons, categories and their headings."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nominations import services
from nominations.models import Category, CategoryGroup, Season
from notifications.admin import StaffModelAdmin, badge, staff_page, when


@admin.register(Season)
class SeasonAdmin(StaffModelAdmin):
    """One year of the programme; exactly one is current."""

    list_display = ("name", "current_badge", "nominating", "voting", "make_current_link")
    readonly_fields = ("current_badge",)
    empty_text = "Add the first season, then make it current: nobody can nominate or vote before."
    fieldsets = (
        (None, {"fields": ("name", "current_badge")}),
        (
            "Nominating (UTC)",
            {"fields": ("nominations_open_at", "nominations_close_at", "nominations_closed_message")},
        ),
        (
            "Voting (UTC)",
            {"fields": ("voting_open_at", "voting_close_at", "voting_closed_message", "vote_verification")},
        ),
        ("Results (UTC)", {"fields": ("totals_visibility", "results_published_at")}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the page that makes a season current."""
        view = self.admin_site.admin_view(self.make_current)
        return [path("<int:pk>/make-current/", view, name="nominations_season_make_current"), *super().get_urls()]

    def make_current(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The public pages and the API show this season from now on."""
        season = get_object_or_404(Season, pk=pk)
        current = Season.objects.filter(is_current=True).exclude(pk=pk).first()

        def act() -> str:
            services.make_season_current(season)
            return f"{season} is the current season."

        replaced = f"It takes the place of {current}." if current else "No season is current at the moment."
        shown = "The public pages and the API show its categories, windows and messages from now on."
        return staff_page(
            self,
            request,
            permission="nominations.change_season",
            title=f"Make {season} current",
            act=act,
            then=reverse("admin:nominations_season_changelist"),
            about=season,
            context=lambda: {"button": "Make current", "consequences": [replaced, shown]},
        )

    @admin.display(description="Current")
    def current_badge(self, season: Season) -> SafeString | str:
        """In its colour."""
        return badge("live", "Current") if season.is_current else "No"

    @admin.display(description="Nominating")
    def nominating(self, season: Season) -> SafeString:
        """Open or closed, and until when."""
        return _window(season.nominations_open, season.nominations_close_at)

    @admin.display(description="Voting")
    def voting(self, season: Season) -> SafeString:
        """Open or closed, and until when."""
        return _window(season.voting_open, season.voting_close_at)

    @admin.display(description="", empty_value="")
    def make_current_link(self, season: Season) -> SafeString | str:
        """The way to the page that does it."""
        if season.is_current:
            return ""
        url = reverse("admin:nominations_season_make_current", args=[season.pk])
        return format_html('<a class="button small" href="{}">Make current</a>', url)


def _window(is_open: bool, closes_at: Any) -> SafeString:
    if not is_open:
        return badge("closed", "Closed")
    return format_html('{} <span class="sub">until {}</span>', badge("live", "Open"), when(closes_at))


@admin.register(CategoryGroup)
class CategoryGroupAdmin(StaffModelAdmin):
    """Headings that categories stand under."""

    list_display = ("name", "position")
    empty_text = "Add a heading, then categories under it."


@admin.register(Category)
class CategoryAdmin(StaffModelAdmin):
    """What one can be nominated and voted for. The slug is its name in the API and at Loops, for ever."""

    list_display = ("label", "kind", "group", "slug", "active_badge", "position")
    list_filter = ("is_active", "kind", "group")
    list_select_related = ("group",)
    search_fields = ("label", "slug", "region")
    fields = ("label", "slug", "kind", "group", "region", "position", "is_active")
    empty_text = "Add a category: nobody can nominate without one."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Slug and kind are fixed at creation."""
        return ("slug", "kind") if obj is not None else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        """A slug from the label, for a new one."""
        return {} if obj is not None else {"slug": ("label",)}

    @admin.display(description="Open", ordering="is_active")
    def active_badge(self, category: Category) -> SafeString:
        """Whether it takes nominations."""
        return badge("live", "Active") if category.is_active else badge("closed", "Closed")
