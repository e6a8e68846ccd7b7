"""Nominations and those they name."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, Prefetch, Q, QuerySet
from django.utils import timezone

from nominations import signals
from nominations.models import ContactChange, Delivery, Nomination, Nominee, Season

SIMILAR_FROM = 0.40
SEARCHED = (
    "nominee__first_name",
    "nominee__last_name",
    "nominee__company_name",
    "nominee__email",
    "nominator__first_name",
    "nominator__last_name",
    "nominator__email",
)


def latest_nominees(season: Season, limit: int) -> QuerySet[Nominee]:
    """The live nominees approved last, each with its approved nominations of the season as `standing`."""
    approved = Nomination.objects.approved().filter(season=season)
    standing = Prefetch("nominations", approved.select_related("category"), to_attr="standing")
    return (
        Nominee.objects.live()
        .filter(nominations__in=approved)
        .annotate(approved_at=Max("nominations__approved_at"))
        .order_by("-approved_at", "id")
        .prefetch_related(standing)[:limit]
    )


def words_for(nominee: Nominee, limit: int = 12) -> QuerySet[Nomination]:
    """The approved nominations that say why, newest first, with their category."""
    said = nominee.nominations.approved().exclude(why="").select_related("category")
    return said.order_by("-approved_at", "id")[:limit]


def search_nominations(rows: QuerySet[Nomination], text: str) -> QuerySet[Nomination]:
    """Nominations in which each word of the text's first 200 characters stands in a name or an address."""
    for word in text[:200].split():
        found = Q()
        for field in SEARCHED:
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


def contact_changes(nomination: Nomination, *, slug: str, nominee: Nominee | None = None) -> list[ContactChange]:
    """What an approval would change outside, as whoever listens tells it. Nothing is saved.

    `nominee` is the existing one that the approval would join the nomination to.
    """
    after = Nomination.objects.complete().get(pk=nomination.pk)
    if nominee is not None:
        draft, after.nominee = after.nominee, Nominee.objects.get(pk=nominee.pk)
        for name, value in after.nominee.blanks_filled_by(draft).items():
            setattr(after.nominee, name, value)
    after.state = Nomination.State.APPROVED
    after.approved_at = timezone.now()
    after.nominee.state = Nominee.State.LIVE
    after.nominee.slug = slug
    return _answers(signals.approval_previewed.send(Nomination, nomination=after))


def is_told_outside() -> bool:
    """Whether anybody listens to what the awards decide."""
    return signals.approval_previewed.has_listeners(Nomination)


def waiting() -> tuple[int, datetime | None]:
    """How many nominations staff have to decide, and since when the oldest waits."""
    found = Nomination.objects.waiting().aggregate(count=Count("id"), oldest=Min("created_at"))
    return found["count"], found["oldest"]


def approved_today() -> int:
    """How many approvals still stand of those given since midnight."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return Nomination.objects.approved().filter(approved_at__gte=midnight).count()


def state_counts() -> dict[str, int]:
    """How many nominations are in each state."""
    counts = dict.fromkeys(Nomination.State.values, 0)
    counts.update(Nomination.objects.order_by().values_list("state").annotate(Count("id")))
    return counts


def is_last_approved(nomination: Nomination) -> bool:
    """Whether the nominee is public through this nomination alone."""
    others = nomination.nominee.nominations.approved().exclude(pk=nomination.pk)
    return nomination.state == Nomination.State.APPROVED and not others.exists()


def next_waiting(nomination: Nomination) -> Nomination | None:
    """The one to decide after this: the next that came in, else the oldest."""
    rows = Nomination.objects.waiting().exclude(pk=nomination.pk).order_by("created_at", "id")
    at = nomination.created_at
    later = rows.filter(Q(created_at__gt=at) | Q(created_at=at, id__gt=nomination.pk))
    return later.first() or rows.first()


def possible_originals(nomination: Nomination, text: str = "") -> QuerySet[Nomination]:
    """What a nomination can be a duplicate of: those of its season that it is not itself the original of.

    Without a text only those of the same nominee or category.
    """
    rows = Nomination.objects.complete().filter(season=nomination.season_id).exclude(pk=nomination.pk)
    rows = rows.exclude(duplicate_of=nomination)
    if text:
        return search_nominations(rows, text)
    return rows.filter(Q(nominee=nomination.nominee_id) | Q(category=nomination.category_id))


def deliveries(nomination: Nomination) -> list[Delivery]:
    """How far each contact's news has come, as whoever delivers it tells."""
    return _answers(signals.delivery_requested.send(Nomination, nomination=nomination))


def mails(nomination: Nomination) -> list[Delivery]:
    """How far each mail about this nomination has come, as whoever sends it tells."""
    return _answers(signals.mails_requested.send(Nomination, nomination=nomination))


def _answers(sent: Iterable[tuple[Any, Any]]) -> list[Any]:
    return [item for _receiver, items in sent for item in items]
