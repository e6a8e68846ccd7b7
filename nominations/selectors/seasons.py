"""The season now, and what it is made of."""

from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet, Sum

from nominations.models import Category, Nominee, Season


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
    """Nominees live now, and the season's nominations, votes and active categories.

    Votes are what all tallies add up to; None where the season does not show totals.
    """
    total = season.tallies.aggregate(total=Sum(F("votes") + F("manual_votes")))["total"] or 0
    return {
        "nominees": Nominee.objects.live().count(),
        "nominations": season.nominations.count(),
        "votes": total if season.shows_totals else None,
        "categories": active_categories().count(),
    }
