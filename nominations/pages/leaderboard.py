"""Who is ahead in each category, and at the end who has won."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from nominations import selectors
from nominations.models import Category, Season
from nominations.pages.answers import error_page, published_seasons, season_now
from nominations.pages.phases import phases, stage

PER_PAGE = 50


@require_safe
def leaderboard(request: HttpRequest) -> HttpResponse:
    """One category of the current season, or with `?season=` of an earlier one whose results are published."""
    now, asked = season_now(), request.GET.get("season", "")
    published = list(published_seasons())
    earlier = [row for row in published if now is None or row.pk != now.pk]
    season = next((row for row in published if asked in (str(row.pk), slugify(row.name))), None) if asked else now
    if season is None:
        return _missing(request, earlier, is_asked=bool(asked))
    is_earlier = now is None or season.pk != now.pk
    frozen_at = selectors.frozen_at(season)
    categories = list(_categories(season, is_frozen=frozen_at is not None))
    slug = request.GET.get("category", "")
    chosen = next((row for row in categories if row.slug == slug or not slug), None)
    context = {
        "season": now,
        "board_season": season,
        "stage": stage(season),
        "voting": phases(season)[1],
        "is_earlier": is_earlier,
        "more": f"&season={season.pk}" if is_earlier else "",
        "kept": urlencode({name: request.GET[name] for name in ("category", "season") if request.GET.get(name)}),
        "earlier": [row for row in earlier if row.pk != season.pk],
        "frozen_at": frozen_at,
        "categories": categories,
        "chosen": chosen,
        **(_board(request, season, chosen) if chosen else {}),
    }
    return render(request, "nominations/leaderboard.html", context, status=404 if slug and chosen is None else 200)


def _categories(season: Season, *, is_frozen: bool) -> QuerySet[Category]:
    """Those one can vote in; at the end, those that had nominees."""
    if not is_frozen:
        return selectors.active_categories()
    return Category.objects.filter(pk__in=season.results.order_by().values("category")).select_related("group")


def _board(request: HttpRequest, season: Season, category: Category) -> dict[str, object]:
    """A page of places: by rank; where the season tells none, by name, on whatever page."""
    rows = selectors.leaderboard(season, category)
    pages: Paginator[Any] = Paginator(rows if season.shows_ranks else selectors.seen(season, rows), PER_PAGE)
    page = pages.get_page(request.GET.get("page"))
    places = selectors.seen(season, list(page.object_list)) if season.shows_ranks else page.object_list
    most = rows[0].total_votes if rows else 0
    return {"page": page, "places": places, "most": most if season.shows_totals else 0, "is_voted": bool(most)}


def _missing(request: HttpRequest, earlier: list[Season], *, is_asked: bool) -> HttpResponse:
    if is_asked:
        return error_page(request, 404, "No such results", "The results of this season are not published.")
    return render(request, "nominations/no_season.html", {"earlier": earlier}, status=404)
