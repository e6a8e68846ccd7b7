"""Seasons: the list, the form with its phases, and what is done to one as a whole."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nominations import selectors, services
from nominations.admin import clone, results
from nominations.admin.phases import Phase, phase_of, windows
from nominations.models import Category, CategoryGroup, Nomination, Nominee, Result, Season, Tally
from notifications.admin import StaffModelAdmin, badge, staff_page, when

CHANGE = "nominations.change_season"
# What results were frozen by stays as it was.
FROZEN = ("voting_open_at", "voting_close_at", "vote_verification", "results_published_at")


class SeasonForm(forms.ModelForm):  # type: ignore[type-arg]
    """A season; once its results are frozen, without what they rest on."""

    class Meta:
        labels = {
            "nominations_open_at": "Opens, UTC",
            "nominations_close_at": "Closes, UTC",
            "nominations_closed_message": "Message while closed",
            "voting_open_at": "Opens, UTC",
            "voting_close_at": "Closes, UTC",
            "voting_closed_message": "Message while closed",
            "totals_visibility": "The public sees",
            "results_published_at": "Published by itself, UTC",
        }
        help_texts = {
            "nominations_close_at": "Empty: open until you say otherwise.",
            "voting_close_at": "Empty: open until you say otherwise.",
            "vote_verification": "A vote that waits for its voter counts once they confirm it.",
            "totals_visibility": "During voting and after. Published results tell ranks in any case: all of them, or "
            "in a season that hides them the podium.",
            "results_published_at": "After voting has closed. Empty: until somebody presses “Publish results”.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_frozen = self.instance.pk is not None and selectors.frozen_at(self.instance) is not None
        for name in FROZEN if is_frozen else ():
            if name in self.fields:
                self.fields[name].disabled = True
                self.fields[name].help_text = "Withdraw the results to change this."

    def clean(self) -> dict[str, Any]:
        """A form knows whole minutes; what it may not change stays to the microsecond."""
        values: dict[str, Any] = super().clean() or {}
        fixed = [name for name, field in self.fields.items() if field.disabled]
        return {**values, **{name: getattr(self.instance, name) for name in fixed}}


class PhaseFilter(admin.SimpleListFilter):
    """Where seasons are."""

    title = parameter_name = "phase"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """As the list words them."""
        return [(phase.value, phase.label) for phase in Phase]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Season]) -> QuerySet[Season]:
        """There are as many as there were years."""
        if self.value() not in Phase.values:
            return queryset
        rows: Any = queryset
        chosen = [row.pk for row in rows if phase_of(row, is_frozen=row.is_frozen) == self.value()]
        return queryset.filter(pk__in=chosen)


@admin.register(Season)
class SeasonAdmin(StaffModelAdmin):
    """One year of the programme; exactly one is current."""

    form = SeasonForm
    list_display = ("name", "current", "phase_badge", "dates", "nominations", "nominees", "votes")
    list_filter = ("is_current", PhaseFilter, "vote_verification", "totals_visibility")
    search_fields = ("name",)
    search_help_text = "The season's name."
    readonly_fields = ("current_badge",)
    change_form_template = "admin/nominations/season/change_form.html"
    empty_text = "Add the first season, then make it current: nobody can nominate or vote before."
    fieldsets = (
        (None, {"fields": ("name", "current_badge")}),
        ("Nominating", {"fields": ("nominations_open_at", "nominations_close_at", "nominations_closed_message")}),
        ("Voting", {"fields": ("voting_open_at", "voting_close_at", "voting_closed_message", "vote_verification")}),
        ("Results", {"fields": ("totals_visibility", "results_published_at")}),
    )

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the pages of what is done to a season as a whole."""
        pages = {
            "make-current": self.make_current,
            "clone": lambda request, pk: clone.page(self, request, pk),
            "publish": lambda request, pk: results.publish(self, request, pk),
            "withdraw": lambda request, pk: results.withdraw(self, request, pk),
        }
        own = [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(page),
                name=f"nominations_season_{name.replace('-', '_')}",
            )
            for name, page in pages.items()
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Season]:
        """With its counts; the votes are what the tallies add up to."""
        same = {"season": OuterRef("pk")}
        live = Q(state=Nomination.State.APPROVED, nominee__state=Nominee.State.LIVE)
        counted = Nomination.objects.filter(**same).order_by().values("season")
        voted = Tally.objects.filter(**same).order_by().values("season")

        def number(rows: Any) -> Coalesce:
            return Coalesce(Subquery(rows.values("n"), output_field=IntegerField()), 0)

        rows: QuerySet[Season] = super().get_queryset(request)
        return rows.annotate(
            nomination_count=number(counted.annotate(n=Count("pk"))),
            nominee_count=number(counted.filter(live).annotate(n=Count("nominee", distinct=True))),
            vote_count=number(voted.annotate(n=Sum(F("votes") + F("manual_votes")))),
            is_frozen=Exists(Result.objects.filter(**same)),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A new one is never current."""
        return self.readonly_fields if obj is not None else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A new one is never current."""
        if obj is not None:
            return self.fieldsets
        return ((None, {"fields": ("name",)}), *self.fieldsets[1:])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's, below the phases and what can be done."""
        season = self.get_object(request, object_id)
        extra = {}
        if season is not None:
            colour, word, text = results.state(season)
            extra = {
                "windows": [(window, badge(*window.badge)) for window in windows(season)],
                "results_badge": badge(colour, word),
                "results_text": text,
                "actions": self._actions(request, season),
            }
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def _actions(self, request: HttpRequest, season: Any) -> list[tuple[str, str, str]]:
        """What this user can do with it: label, address, look."""
        found: list[tuple[str, str, str]] = []
        if request.user.has_perm(CHANGE):
            if season.is_frozen:
                found.append(("Withdraw results", "withdraw", ""))
            elif not selectors.why_not_frozen(season):
                found.append(("Publish results", "publish", "primary"))
            if not season.is_current:
                found.append(("Make current", "make_current", ""))
        if request.user.has_perm("nominations.add_season"):
            found.append(("Clone to next year", "clone", ""))
        page = "admin:nominations_season_{}".format
        own = [(label, reverse(page(name), args=[season.pk]), look) for label, name, look in found]
        if request.user.has_perm("nominations.view_vote"):
            own.append(("Analytics", f"{reverse('admin:nominations_analytics')}?season={season.pk}", "quiet"))
        if season.is_frozen and request.user.has_perm("nominations.view_result"):
            listed = reverse("admin:nominations_result_changelist")
            own.append(("Results", f"{listed}?season__id__exact={season.pk}", "quiet"))
        return [*own, ("History", reverse(page("history"), args=[season.pk]), "quiet")]

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
            permission=CHANGE,
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

    @admin.display(description="Current")
    def current(self, season: Season) -> SafeString | str:
        """The one that the public sees, or the way to make it that."""
        if season.is_current:
            return badge("live", "Current")
        url = reverse("admin:nominations_season_make_current", args=[season.pk])
        return format_html('<a class="button small" href="{}">Make current</a>', url)

    @admin.display(description="Phase")
    def phase_badge(self, season: Any) -> SafeString:
        """Where it is."""
        phase = phase_of(season, is_frozen=season.is_frozen)
        return badge(phase.colour, phase.label)

    @admin.display(description="Voting")
    def dates(self, season: Season) -> SafeString | str:
        """From and to."""
        if season.voting_open_at is None:
            return "–"
        ends = when(season.voting_close_at) if season.voting_close_at else "open end"
        return format_html("<span>{} to {}</span>", when(season.voting_open_at), ends)

    @admin.display(description="Nominations", ordering="nomination_count")
    def nominations(self, season: Any) -> str:
        """In whatever state."""
        return f"{season.nomination_count:,}"

    @admin.display(description="Live nominees", ordering="nominee_count")
    def nominees(self, season: Any) -> str:
        """Those that stand in a category."""
        return f"{season.nominee_count:,}"

    @admin.display(description="Votes", ordering="vote_count")
    def votes(self, season: Any) -> str:
        """With manual ones, from the tallies."""
        return f"{season.vote_count:,}"


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
