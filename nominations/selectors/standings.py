"""Who is ahead, and once the results are frozen, who was. Read from sums alone: no vote is counted here.

From the moment of freezing everybody reads what stands in `Result`, whatever becomes of votes and nominees later. Only
what staff weigh up reads `live_boards`.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from nominations.models import Category, Nomination, Nominee, Season, Tally

PODIUM = 3
LABELS = ((10, "Top 10%"), (25, "Top 25%"), (50, "Top 50%"))
RISING = "Rising"
BEST_FIRST = [*(label for _percent, label in LABELS), RISING]
Score = tuple[UUID, int, int]
"""A nominee's key, votes, manual votes."""


@dataclass(frozen=True)
class Standing:
    """A nominee's place in one category, among the `of` that stand there. Ties share a rank: 1, 1, 3.

    `is_final` is a frozen one: the nominee may be suspended, merged or erased by now.
    """

    category_id: int
    nominee_id: UUID
    votes: int
    manual_votes: int
    rank: int
    of: int
    is_tied: bool
    is_final: bool = False

    @property
    def is_on_podium(self) -> bool:
        """The ranks 1 to 3; nobody without a vote."""
        return self.rank <= PODIUM and self.total_votes > 0

    @property
    def total_votes(self) -> int:
        """What counts."""
        return self.votes + self.manual_votes

    @property
    def trending(self) -> str:
        """`Top 10%`, `Top 25%`, `Top 50%` or `Rising`."""
        return trending_of(self.rank, self.of)


@dataclass(frozen=True)
class Shown:
    """What the public may see of a standing, or of several; None is what it may not."""

    total_votes: int | None
    rank: int | None
    trending: str | None


NOT_SHOWN = Shown(None, None, None)


def trending_of(rank: int, of: int) -> str:
    """Whole places, rounded up: of eight nominees rank 1 is in the top 10 %, rank 2 in the top 25 %."""
    return next((label for percent, label in LABELS if rank <= -(-percent * of // 100)), RISING)


def stands_in(nominee: Nominee, category: Category, season: Season) -> bool:
    """Whether the nominee can be voted for in the category."""
    return nominee.nominations.approved().filter(season=season, category=category).exists()


def total_of(nominee: Nominee, category: Category, season: Season) -> int:
    """A nominee's total in a category."""
    tally = Tally.objects.filter(season=season, category=category, nominee=nominee).first()
    return tally.total_votes if tally else 0


def frozen_at(season: Season) -> datetime | None:
    """When the results were frozen; None while they still move. A season without a date for them costs no query."""
    if season.results_published_at is None:
        return None
    return season.results.order_by().values_list("frozen_at", flat=True).first()


def boards(season: Season, categories: Collection[Category] | None = None) -> dict[int, list[Standing]]:
    """By category, everybody who stands there, the best first; in two queries, whatever their number.

    As they were frozen, once they are; until then as they are now.
    """
    if frozen_at(season) is None:
        return live_boards(season, categories)
    results = season.results.all() if categories is None else season.results.filter(category__in=categories)
    found: dict[int, list[Standing]] = defaultdict(list)
    fields = ("category_id", "nominee_id", "votes", "manual_votes", "rank", "of", "is_tied")
    for row in results.order_by("rank", "nominee_id").values(*fields):
        found[row["category_id"]].append(Standing(**row, is_final=True))
    return dict(found)


def live_boards(season: Season, categories: Collection[Category] | None = None) -> dict[int, list[Standing]]:
    """By category, everybody live who stands there, by what counts at this moment, frozen or not."""
    standing = Nomination.objects.approved().filter(season=season, nominee__state=Nominee.State.LIVE)
    tallies = Tally.objects.filter(season=season)
    if categories is not None:
        standing, tallies = standing.filter(category__in=categories), tallies.filter(category__in=categories)
    sums = {
        (category, nominee): (votes, manual)
        for category, nominee, votes, manual in tallies.values_list(
            "category_id", "nominee_id", "votes", "manual_votes"
        )
    }
    found: dict[int, list[Score]] = defaultdict(list)
    for category, nominee in standing.order_by().values_list("category_id", "nominee_id").distinct():
        found[category].append((nominee, *sums.get((category, nominee), (0, 0))))
    return {category: ranked(category, scores) for category, scores in found.items()}


def ranked(category_id: int, scores: Iterable[Score]) -> list[Standing]:
    """Scores in their order, ties sharing a rank."""
    ordered = sorted(scores, key=lambda score: (-score[1] - score[2], score[0]))
    shared = Counter(votes + manual for _nominee, votes, manual in ordered)
    places: list[Standing] = []
    for position, (nominee, votes, manual) in enumerate(ordered, start=1):
        before = places[-1] if places else None
        total = votes + manual
        rank = before.rank if before and before.total_votes == total else position
        places.append(Standing(category_id, nominee, votes, manual, rank, len(ordered), shared[total] > 1))
    return places


def without(board: list[Standing], taken: Mapping[UUID, int]) -> list[Standing]:
    """The same board after so many votes of each nominee were taken out, or, below zero, added."""
    scores = [(row.nominee_id, row.votes - taken.get(row.nominee_id, 0), row.manual_votes) for row in board]
    return ranked(board[0].category_id, scores) if board else []


def leaderboard(season: Season, category: Category) -> list[Standing]:
    """Everybody live who stands in the category, the best first."""
    return boards(season, [category]).get(category.pk, [])


def podium(season: Season, category: Category) -> list[Standing]:
    """The ranks 1 to 3; more than three when they are tied, and nobody without a vote."""
    return top_of(leaderboard(season, category))


def top_of(board: list[Standing]) -> list[Standing]:
    """The podium of a board."""
    return [row for row in board if row.is_on_podium]


def standings(nominee: Nominee, season: Season) -> list[tuple[Category, Standing]]:
    """The categories in which a live nominee stands this season, each with its place there."""
    is_final = frozen_at(season) is not None
    rows: Any = nominee.results.all() if is_final else nominee.nominations.approved()
    places = rows.filter(season=season).order_by().values("category")
    categories = list(Category.objects.filter(pk__in=places).select_related("group"))
    found = boards(season, categories)
    return [
        (category, row)
        for category in categories
        for row in found.get(category.pk, [])
        if row.nominee_id == nominee.pk
    ]


def named(rows: Iterable[Standing]) -> list[tuple[Nominee, Standing]]:
    """The places with their nominees, whatever has become of these, in one query; by name where tied."""
    places = list(rows)
    nominees = Nominee.objects.in_bulk([row.nominee_id for row in places])
    pairs = [(nominees[row.nominee_id], row) for row in places]
    return sorted(pairs, key=lambda pair: (pair[1].rank, pair[0].name.casefold()))


def shown(season: Season, *rows: Standing) -> Shown:
    """What the public may see of a nominee: the votes of all these categories, the best rank and the best label.

    Asked with one category's place, it is that place. A season that hides who is ahead tells at the end who won: the
    ranks on the podium, nothing else. Totals are told where the season shows them, also at the end.
    """
    if not season.shows_ranks:
        rows = tuple(row for row in rows if row.is_final and row.is_on_podium)
    if not rows:
        return NOT_SHOWN
    best = min(rows, key=lambda row: (row.rank, -row.of))
    top = min((row.trending for row in rows), key=BEST_FIRST.index)
    total = sum(row.total_votes for row in rows) if season.shows_totals else None
    return Shown(total, best.rank, top)


def seen(season: Season, rows: Iterable[Standing]) -> list[tuple[Nominee, Standing, Shown]]:
    """The places with their nominees and what the public sees: by rank, those without one last, by name."""
    places = [(nominee, row, shown(season, row)) for nominee, row in named(rows)]
    return sorted(places, key=lambda place: (place[2].rank is None, place[2].rank or place[0].name.casefold()))


def overview(season: Season, categories: Collection[Category] | None = None) -> dict[UUID, list[Standing]]:
    """By nominee, every place in the season, or in these categories."""
    found: dict[UUID, list[Standing]] = defaultdict(list)
    for board in boards(season, categories).values():
        for row in board:
            found[row.nominee_id].append(row)
    return found
