"""The season now, and what it is made of."""

from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet, Sum

from nominations.models import Category, Nomination, Nominee, Season
from nominations.selectors.standings import frozen_at


def current_season() -> Season:
    """The season now. Raises ValidationError `no_season` when none is current."""
    season = Season.objects.filter(is_current=True).first()
    if season is None:
        raise ValidationError("There is no current season.", code="no_season")
    return season


def active_categories() -> QuerySet[Category]:
    """Those one can nominate in, in the order shown."""
    return Category.objects.filter(is_active=True).select_related("group")


def stats(season: Season) -> dict[str, int | None]:
    """The season's live nominees, and its nominations, votes and active categories.

    Votes are what all tallies add up to; None where the season does not show totals. Once the results are frozen, the
    nominees and the votes are those in the results.
    """
    is_final = frozen_at(season) is not None
    sums = season.results if is_final else season.tallies
    total = sums.aggregate(total=Sum(F("votes") + F("manual_votes")))["total"] or 0
    standing = Nomination.objects.approved().filter(season=season, nominee__state=Nominee.State.LIVE)
    nominees = (season.results if is_final else standing).order_by().values("nominee").distinct()
    return {
        "nominees": nominees.count(),
        "nominations": season.nominations.count(),
        "votes": total if season.shows_totals else None,
        "categories": active_categories().count(),
    }
