"""The nominees as the public looks through them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from nominations.models import Category, Nominee, Season
from nominations.selectors.standings import Shown, Standing, overview, shown

NAMES = ("first_name", "last_name", "company_name", "company")
BY_NAME, NEWEST, MOST_VOTES = "name", "-created_at", "-total_votes"
ORDERINGS = {BY_NAME, "-name", NEWEST, "created_at", MOST_VOTES, "total_votes", "rank", "-rank"}


@dataclass(frozen=True)
class Listed:
    """A nominee in the directory: where it stands, and what the public sees of how."""

    nominee: Nominee
    categories: list[Category]
    shown: Shown

    @property
    def slugs(self) -> list[str]:
        """Of its categories."""
        return [category.slug for category in self.categories]


class Line(NamedTuple):
    """What the list is ordered by."""

    pk: UUID
    first_name: str
    last_name: str
    company_name: str
    created_at: datetime

    @property
    def name(self) -> str:
        """A nominee has either name."""
        return (self.company_name or f"{self.first_name} {self.last_name}").casefold()


class Directory:
    """The live nominees that stand in the season, filtered and ordered. Sliced, it reads only the page's rows."""

    def __init__(
        self,
        season: Season,
        rows: QuerySet[Nominee] | None = None,
        *,
        category: str = "",
        q: str = "",
        country: str = "",
        ordering: str = "",
    ) -> None:
        """`rows` narrows further; `category` is a slug, in which alone totals and ranks are then told."""
        self.season = season
        self.categories = {row.pk: row for row in Category.objects.select_related("group")}
        self.everywhere = overview(season)
        self.places = _places(self.everywhere, self.categories, category)
        found = search_nominees(Nominee.objects.live() if rows is None else rows, q)
        if country:
            found = found.filter(country__iexact=country)
        self.ids = self._ordered(found, ordering if ordering in ORDERINGS else BY_NAME)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> list[Listed]:
        ids = self.ids[part]
        nominees = Nominee.objects.in_bulk(ids)
        return [self._listed(nominees[pk]) for pk in ids]

    def _listed(self, nominee: Nominee) -> Listed:
        categories = [self.categories[row.category_id] for row in self.everywhere[nominee.pk]]
        return Listed(nominee, categories, shown(self.season, *self.places[nominee.pk]))

    def _ordered(self, found: QuerySet[Nominee], ordering: str) -> list[UUID]:
        names = ("pk", "first_name", "last_name", "company_name", "created_at")
        rows = [Line(*row) for row in found.order_by().values_list(*names) if row[0] in self.places]
        rows.sort(key=lambda row: (row.name, row.pk))
        field, backwards = ordering.lstrip("-"), ordering.startswith("-")
        if field in ("name", "created_at"):
            key: Any = (lambda row: row.name) if field == "name" else (lambda row: row.created_at)
            rows.sort(key=key, reverse=backwards)
        elif self.season.shows_ranks:
            rows.sort(key=lambda row: self._figure(row, field), reverse=backwards)
        return [row.pk for row in rows]

    def _figure(self, row: Line, field: str) -> int:
        """Where only ranks are told, nothing is ordered by what is not."""
        seen = shown(self.season, *self.places[row.pk])
        if field == "total_votes" and seen.total_votes is not None:
            return seen.total_votes
        return -(seen.rank or 0) if field == "total_votes" else seen.rank or 0


def _places(
    everywhere: dict[UUID, list[Standing]], categories: dict[int, Category], slug: str
) -> dict[UUID, list[Standing]]:
    """Only in the category asked for, if one is."""
    if not slug:
        return everywhere
    wanted = {pk for pk, category in categories.items() if category.slug == slug}
    kept = {pk: [row for row in rows if row.category_id in wanted] for pk, rows in everywhere.items()}
    return {pk: rows for pk, rows in kept.items() if rows}


def search_nominees(rows: QuerySet[Nominee], text: str) -> QuerySet[Nominee]:
    """Those in whose names each word of the text's first 200 characters stands. Addresses are not searched."""
    for word in text[:200].split():
        found = Q()
        for field in NAMES:
            found |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(found)
    return rows
