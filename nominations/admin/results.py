"""Results: publishing and withdrawing them, and the list of what stands frozen."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services
from nominations.models import Result, Season
from notifications.admin import ReadOnlyAdmin, StaffModelAdmin, badge, require, staff_page, when
from notifications.api.sheets import csv_response

CHANGE, VIEW = "nominations.change_season", "nominations.view_result"
FOLDER = "admin/nominations/season"
# Of more votes than this, looking for suspicious groups takes too long for a page that shows something else.
MOST_LOOKED_AT = 100_000


def state(season: Season) -> tuple[str, str, str]:
    """What has become of the results: a badge's colour, its word, a sentence."""
    frozen, at = selectors.frozen(season), season.results_published_at
    if frozen is not None:
        places = f"{_many(frozen.places, 'place')} in {_many(frozen.categories, 'category', 'categories')}"
        return "live", "Published", f"Frozen on {_moment(frozen.at)}, {places}. Nothing changes them any more."
    refusal = selectors.why_not_frozen(season)
    if at is None:
        return "closed", "Not published", refusal or "They can be published now."
    if at > timezone.now():
        return "pending", "Planned", f"They will be published by themselves on {_moment(at)}."
    waiting = f"Due since {_moment(at)}, waiting for the worker: a minute at most while it runs."
    return "late", "Due", f"Due since {_moment(at)}, but not published. {refusal}" if refusal else waiting


def publish(model_admin: StaffModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """The podium of each category as it would stand for ever; then freeze it."""
    season = get_object_or_404(Season, pk=pk)

    def act() -> str:
        count = services.publish_results(season, by=cast(User, request.user))
        return f"The results of {season} are published: {_many(count, 'place')} frozen."

    return staff_page(
        model_admin,
        request,
        permission=CHANGE,
        title=f"Publish the results of {season}",
        template=f"{FOLDER}/publish.html",
        act=act,
        then=_address(season),
        about=season,
        context=lambda: _publishing(season),
    )


def withdraw(model_admin: StaffModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """The numbers move again."""
    season = get_object_or_404(Season, pk=pk)
    frozen = selectors.frozen(season)

    def act() -> str:
        count = services.withdraw_results(season, by=cast(User, request.user))
        return f"The results of {season} are withdrawn: {_many(count, 'place')} no longer frozen."

    def context() -> dict[str, Any]:
        places = _many(frozen.places, "place") if frozen else "No place"
        since = f", told since {_moment(frozen.at)}, " if frozen else " "
        lines = [
            f"{places}{since}would be taken back. The public sees again what counts now, as during voting.",
            "The date of publication is emptied: nothing is published again by itself.",
            "Votes that publishing gave up wait again for their voters, where their links are not a week old.",
            "Publishing anew freezes the numbers of that moment, which may be others.",
        ]
        return {"button": "Withdraw results", "is_danger": True, "consequences": lines}

    return staff_page(
        model_admin,
        request,
        permission=CHANGE,
        title=f"Withdraw the results of {season}",
        act=act,
        then=_address(season),
        about=season,
        context=context,
    )


def _publishing(season: Season) -> dict[str, Any]:
    """Each podium, and what staff may want to settle first."""
    boards, held = selectors.final_boards(season), selectors.held_votes(season)
    votes = season.tallies.aggregate(n=Sum("votes"))["n"] or 0
    clusters = len(selectors.clusters(season)) if votes <= MOST_LOOKED_AT else None
    is_frozen = selectors.frozen_at(season) is not None
    places = _many(sum(board.of for board in boards), "place")
    lines = [
        f"{places} in {_many(len(boards), 'category', 'categories')} are frozen as they stand below.",
        _told(season),
        "Votes, rulings, manual votes and merges after this change nothing of it, until you withdraw the results.",
    ]
    if held:
        lines.insert(1, f"{_many(held, 'vote')} that nobody has confirmed will not count any more.")
    return {
        "season": season,
        "boards": boards,
        "with_ties": [board for board in boards if board.ties],
        "without_votes": [board for board in boards if not board.podium],
        "clusters": clusters,
        "refusal": "The results are published already." if is_frozen else selectors.why_not_frozen(season),
        "consequences": lines,
        "button": "Publish results",
    }


def _told(season: Season) -> str:
    """What the public will read."""
    if season.shows_totals:
        return "The public reads ranks and totals."
    if season.shows_ranks:
        return "The public reads the ranks; this season keeps totals to itself."
    return "The public reads who is on the podium; this season keeps the other ranks and all totals to itself."


def _address(season: Season) -> str:
    return reverse("admin:nominations_season_change", args=[season.pk])


def _moment(at: Any) -> str:
    return f"{at:%d %b %Y, %H:%M} UTC"


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


@admin.register(Result)
class ResultAdmin(ReadOnlyAdmin):
    """What was published, as it was frozen."""

    list_display = ("place", "nominee_name", "category", "total", "votes", "manual_votes", "season", "frozen")
    list_display_links = None
    list_filter = ("season", "category", "is_tied")
    list_select_related = ("season", "category", "nominee")
    search_fields = ("nominee__first_name", "nominee__last_name", "nominee__company_name")
    search_help_text = "Nominees' names."
    ordering = ("-season", "category__group__position", "category__position", "rank", "pk")
    change_list_template = "admin/nominations/result/change_list.html"
    empty_text = "Places appear here when the results of a season are published, on the season's page."
    fields = ("season", "category", "nominee", "rank", "of", "is_tied", "votes", "manual_votes", "frozen_at")

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the sheet."""
        view = self.admin_site.admin_view(self.export)
        return [path("export/", view, name="nominations_result_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """What the list shows, whole, as CSV. Raises PermissionDenied."""
        require(request, VIEW)
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters as error:
            raise Http404 from error
        name = f"results-{timezone.now():%Y-%m-%d}.csv"
        return csv_response(name, selectors.RESULT_HEADER, selectors.result_lines(rows))

    @admin.display(description="Rank", ordering="rank")
    def place(self, row: Result) -> SafeString:
        """Of how many, and whether shared."""
        tied = badge("pending", "Tied") if row.is_tied else ""
        return format_html("<span><strong>{}</strong> of {} {}</span>", row.rank, row.of, tied)

    @admin.display(description="Nominee", ordering="nominee__last_name")
    def nominee_name(self, row: Result) -> SafeString:
        """With what has become of them."""
        state = "" if row.nominee.state == "live" else badge(row.nominee.state, row.nominee.get_state_display())
        return format_html("{} {}", row.nominee.name, state)

    @admin.display(description="Total")
    def total(self, row: Result) -> str:
        """What counted."""
        return f"{row.total_votes:,}"

    @admin.display(description="Frozen", ordering="frozen_at")
    def frozen(self, row: Result) -> SafeString | str:
        """When."""
        return when(row.frozen_at)
