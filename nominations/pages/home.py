"""The front page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from nominations import selectors
from nominations.models import Category, Nominee, Season
from nominations.pages.answers import published_seasons, season_now
from nominations.pages.phases import phases, stage

LATEST = 6
Place = tuple[Nominee, selectors.Standing, selectors.Shown]


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The season with its phases, who is ahead in one category, the categories, who went live last."""
    season = season_now()
    if season is None:
        return render(request, "nominations/no_season.html", {"earlier": published_seasons()})
    categories = list(selectors.counted_categories(season))
    chosen = _chosen(season, categories, request.GET.get("category", ""))
    nominating, voting, results = phases(season)
    context = {
        "season": season,
        "stage": stage(season),
        "nominating": nominating,
        "voting": voting,
        "results": results,
        "phases": [nominating, voting, results],
        "figures": selectors.stats(season),
        "categories": categories,
        "chosen": chosen,
        "places": places_of(season, selectors.podium(season, chosen)) if chosen else [],
        "winners": selectors.winners(season) if results.is_open else [],
        "nominees": selectors.latest_nominees(season, LATEST),
    }
    return render(request, "nominations/home.html", context)


def _chosen(season: Season, categories: list[Category], slug: str) -> Category | None:
    """The category that is asked for; else the first in which somebody has a vote."""
    asked = next((category for category in categories if category.slug == slug), None)
    if asked is not None or not categories:
        return asked
    voted = selectors.voted_categories(season)
    return next((category for category in categories if category.pk in voted), categories[0])


def places_of(season: Season, rows: list[selectors.Standing]) -> list[Place]:
    """Named places with what the public sees of each; none where the season tells no rank."""
    seen = [(nominee, row, selectors.shown(season, row)) for nominee, row in selectors.named(rows)]
    return [place for place in seen if place[2].rank is not None]
