"""All nominees: searched, filtered, sorted."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from nominations import selectors
from nominations.models import Season
from nominations.pages.answers import season_now
from nominations.pages.phases import phases

PER_PAGE = 24
ASKED = ("q", "category", "country", "ordering")
SORTINGS = ((selectors.BY_NAME, "Name"), (selectors.NEWEST, "Newest"))


@require_safe
def nominees(request: HttpRequest) -> HttpResponse:
    """The live nominees of the season; a page past the end is the last."""
    season = season_now()
    if season is None:
        return render(request, "nominations/no_season.html", status=404)
    asked = {name: request.GET.get(name, "").strip() for name in ASKED}
    found: Any = selectors.Directory(season, None, **asked)
    page: Any = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    voting = phases(season)[1]
    context = {
        "season": season,
        "voting": voting,
        "begun": voting.is_open or voting.is_over,
        "asked": asked,
        "is_narrowed": any(asked[name] for name in ("q", "category", "country")),
        "page": page,
        "kept": urlencode({name: value for name, value in asked.items() if value}),
        "categories": selectors.counted_categories(season),
        "category": next((row for row in found.categories.values() if row.slug == asked["category"]), None),
        "countries": selectors.countries(season),
        "sortings": sortings(season),
    }
    return render(request, "nominations/nominees.html", context)


def sortings(season: Season) -> list[tuple[str, str]]:
    """By what the season lets be seen."""
    more = [("-total_votes", "Most votes")] if season.shows_totals else []
    more += [("rank", "Rank")] if season.shows_ranks else []
    return [*SORTINGS, *more]
