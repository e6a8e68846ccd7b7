"""What pages, API and admin read of the awards."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from nominations import signals
from nominations.models import (
    Category,
    ContactChange,
    Delivery,
    Nomination,
    Nominee,
    Season,
    Vote,
)

SIMILAR_FROM = 0.40


def current_season() -> Season:
    """The season now. Raises ValidationError `no_season` when none is current."""
    season = Season.objects.filter(is_current=True).first()
    if season is None:
        raise ValidationError("There is no current season.", code="no_season")
    return season


def active_categories() -> QuerySet[Category]:
    """Those one can nominate in, in the order shown."""
    return Category.objects.filter(is_active=True).select_related("group")


def standings(nominee: Nominee, season: Season) -> list[tuple[Category, int]]:
    """The categories in which the nominee stands this season, each with its counted votes."""
    categories = Category.objects.filter(
        pk__in=nominee.nominations.approved().filter(season=season).values("category")
    ).select_related("group")
    rows = (
        Vote.objects.filter(season=season, nominee=nominee, state=Vote.State.COUNTED)
        .values("category")
        .annotate(votes=Count("id"))
        .values_list("category", "votes")
    )
    votes: dict[int, int] = dict(rows)
    return [(category, votes.get(category.pk, 0)) for category in categories]


def stands_in(nominee: Nominee, category: Category, season: Season) -> bool:
    """Whether the nominee can be voted for in the category."""
    return nominee.nominations.approved().filter(season=season, category=category).exists()


def votes_for(nominee: Nominee, category: Category, season: Season) -> int:
    """The counted votes of a nominee in a category."""
    return Vote.objects.filter(season=season, category=category, nominee=nominee, state=Vote.State.COUNTED).count()


def search_nominations(rows: QuerySet[Nomination], text: str) -> QuerySet[Nomination]:
    """Nominations in which each word stands in a name or an address."""
    for word in text.split():
        found = Q()
        for field in (
            "nominee__first_name",
            "nominee__last_name",
            "nominee__company_name",
            "nominee__email",
            "nominator__first_name",
            "nominator__last_name",
            "nominator__email",
        ):
            found |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(found)
    return rows


def candidates_for(nomination: Nomination) -> QuerySet[Nominee]:
    """The other nominees of the same kind that are nominated in the same category."""
    return (
        Nominee.objects.known()
        .filter(kind=nomination.nominee.kind, nominations__category=nomination.category)
        .exclude(pk=nomination.nominee_id)
    )


def contact_changes(nomination: Nomination, *, slug: str) -> list[ContactChange]:
    """What an approval would change outside, as whoever listens tells it. Nothing is saved."""
    after = Nomination.objects.complete().get(pk=nomination.pk)
    after.state = Nomination.State.APPROVED
    after.approved_at = timezone.now()
    after.nominee.state = Nominee.State.LIVE
    after.nominee.slug = slug
    return _answers(signals.approval_previewed.send(Nomination, nomination=after))


def deliveries(nomination: Nomination) -> list[Delivery]:
    """How far each contact's news has come, as whoever delivers it tells."""
    return _answers(signals.delivery_requested.send(Nomination, nomination=nomination))


def _answers(sent: Iterable[tuple[Any, Any]]) -> list[Any]:
    return [item for _receiver, items in sent for item in items]
