"""Results: what publishing them would freeze, and what stands frozen."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from nominations.models import Category, Nominee, Result, Season, Vote
from nominations.selectors.standings import Standing, live_boards, named, top_of

RESULT_HEADER = (
    "season",
    "category",
    "rank",
    "of",
    "tied",
    "nominee",
    "slug",
    "country",
    "votes",
    "manual_votes",
    "total_votes",
    "frozen_at",
)


@dataclass(frozen=True)
class Frozen:
    """When results were frozen, and how much."""

    at: datetime
    places: int
    categories: int


@dataclass(frozen=True)
class FinalBoard:
    """A category as it would be frozen: its podium, and how many stand there."""

    category: Category
    podium: list[tuple[Nominee, Standing]]
    of: int

    @property
    def ties(self) -> list[str]:
        """The names that share a place on the podium, place by place."""
        shared: dict[int, list[str]] = defaultdict(list)
        for nominee, row in self.podium:
            if row.is_tied:
                shared[row.rank].append(nominee.name)
        return [f"{', '.join(names)} share rank {rank}." for rank, names in shared.items()]


def frozen(season: Season) -> Frozen | None:
    """What stands frozen; None while nothing does."""
    counts = {"at": Min("frozen_at"), "places": Count("pk"), "categories": Count("category", distinct=True)}
    found = season.results.order_by().aggregate(**counts)
    return Frozen(**found) if found["places"] else None


def why_not_frozen(season: Season) -> str:
    """Why the results cannot be frozen now, in words; "" when they can."""
    now = timezone.now()
    if season.voting_open:
        ends = f"closes on {_moment(season.voting_close_at)}" if season.voting_close_at else "has no end"
        return f"Voting is open and {ends}: results stand when nobody can vote any more."
    if season.voting_open_at is not None and season.voting_open_at > now:
        return f"Voting has not begun: it opens on {_moment(season.voting_open_at)}."
    if not Nominee.objects.live().filter(nominations__season=season, nominations__state="approved").exists():
        return "Nobody stands in any category: there is nothing to publish."
    return ""


def final_boards(season: Season) -> list[FinalBoard]:
    """Each category in which somebody stands, in the order shown, by what counts now. In four queries."""
    boards = live_boards(season)
    categories = Category.objects.filter(pk__in=boards).select_related("group")
    podiums: dict[int, list[tuple[Nominee, Standing]]] = defaultdict(list)
    for nominee, row in named(row for board in boards.values() for row in top_of(board)):
        podiums[row.category_id].append((nominee, row))
    return [FinalBoard(row, podiums[row.pk], len(boards[row.pk])) for row in categories]


def held_votes(season: Season) -> int:
    """How many votes wait for their voters."""
    return Vote.objects.held().filter(season=season).order_by().count()


def result_lines(results: QuerySet[Result]) -> Iterator[tuple[object, ...]]:
    """Frozen results for a sheet, in the order of `RESULT_HEADER`."""
    rows = results.select_related("season", "category__group", "nominee")
    shelf = ("category__group__position", "category__position", "category__label")
    for row in rows.order_by("-season", *shelf, "rank", "pk").iterator(chunk_size=1000):
        place = (row.season.name, row.category.label, row.rank, row.of, "yes" if row.is_tied else "no")
        who = (row.nominee.name, row.nominee.slug, row.nominee.country)
        yield (*place, *who, row.votes, row.manual_votes, row.total_votes, row.frozen_at)


def _moment(at: datetime | None) -> str:
    return f"{at:%d %b %Y, %H:%M} UTC" if at else ""
