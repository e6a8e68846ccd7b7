"""The nominees as the public looks through them."""

from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, When

from nominations.models import Category, Nomination, Nominee, Result, Season
from nominations.selectors.standings import Shown, frozen_at, overview, shown

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
        self.season, self.category = season, category
        self.categories = {row.pk: row for row in Category.objects.select_related("group")}
        wanted = [row for row in self.categories.values() if row.slug == category]
        self.places = overview(season, wanted if category else None)
        found = search_nominees(Nominee.objects.live() if rows is None else rows, q)
        if country:
            found = found.filter(country__iexact=country[:100])
        self.ids = self._ordered(found, ordering if ordering in ORDERINGS else BY_NAME)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, part: slice) -> list[Listed]:
        ids = self.ids[part]
        nominees = Nominee.objects.in_bulk(ids)
        stands = self._stands(ids)
        return [Listed(nominees[pk], stands[pk], shown(self.season, *self.places[pk])) for pk in ids]

    def _stands(self, ids: list[UUID]) -> dict[UUID, list[Category]]:
        """The categories of each, also those besides the one asked for."""
        if not self.category:
            return {pk: [self.categories[row.category_id] for row in self.places[pk]] for pk in ids}
        stands: dict[UUID, list[Category]] = {pk: [] for pk in ids}
        places: QuerySet[Any] = Nomination.objects.approved().filter(season=self.season)
        if frozen_at(self.season):
            places = self.season.results.all()
        found = places.filter(nominee__in=ids).order_by("category_id")
        for pk, category in found.values_list("nominee_id", "category_id").distinct():
            stands[pk].append(self.categories[category])
        return stands

    def _ordered(self, found: QuerySet[Nominee], ordering: str) -> list[UUID]:
        field, backwards = ordering.lstrip("-"), ordering.startswith("-")
        if field == "created_at":
            dated = found.order_by(ordering, "pk").values_list("pk", flat=True)
            return [pk for pk in dated if pk in self.places]
        names = found.order_by().values_list("first_name", "last_name", "company_name", "pk")
        rows = [((company or f"{first} {last}").casefold(), pk) for first, last, company, pk in names]
        rows = sorted(row for row in rows if row[1] in self.places)
        if field != "name" and self.season.shows_ranks:
            rows.sort(key=lambda row: self._figure(row[1], field), reverse=backwards)
        elif ordering == "-name":
            rows.sort(key=itemgetter(0), reverse=True)
        return [pk for _name, pk in rows]

    def _figure(self, pk: UUID, field: str) -> int:
        """Where only ranks are told, nothing is ordered by what is not."""
        seen = shown(self.season, *self.places[pk])
        if field == "total_votes" and seen.total_votes is not None:
            return seen.total_votes
        return -(seen.rank or 0) if field == "total_votes" else seen.rank or 0


def search_nominees(rows: QuerySet[Nominee], text: str) -> QuerySet[Nominee]:
    """Those in whose names each word of the text's first 200 characters stands. Addresses are not searched."""
    for word in text[:200].split():
        found = Q()
        for field in NAMES:
            found |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(found)
    return rows


def counted_categories(season: Season) -> QuerySet[Category]:
    """The active categories in the order shown, each with how many live nominees stand there, as `nominees`."""
    live = Q(nominations__state="approved", nominations__nominee__state="live", nominations__season=season)
    counted = Count("nominations__nominee", filter=live, distinct=True)
    return Category.objects.filter(is_active=True).select_related("group").annotate(nominees=counted)


def winners(season: Season) -> QuerySet[Result]:
    """Who won in each category, once the results are frozen; nobody without a vote."""
    first = season.results.filter(rank=1, votes__gt=-F("manual_votes")).select_related("category__group", "nominee")
    names = ("nominee__company_name", "nominee__first_name", "nominee__last_name")
    return first.order_by("category__group__position", "category__position", "category__label", *names)


def voted_categories(season: Season) -> set[int]:
    """The categories in which somebody has a vote."""
    return set(season.tallies.filter(votes__gt=-F("manual_votes")).values_list("category_id", flat=True).distinct())


def countries(season: Season) -> list[str]:
    """Where the season's live nominees are from, each once however it is spelt, in order."""
    approved = Nomination.objects.approved().filter(season=season)
    live = Nominee.objects.live().filter(nominations__in=approved).exclude(country="")
    found = {name.casefold(): name for name in live.order_by("-country").values_list("country", flat=True).distinct()}
    return sorted(found.values(), key=str.casefold)


def others_in(season: Season, category: Category, nominee: Nominee, limit: int) -> QuerySet[Nominee]:
    """Live nominees of the category besides this one: the next ones by id, so that each is shown equally often."""
    approved = Nomination.objects.approved().filter(season=season, category=category)
    is_before = Case(When(pk__gt=nominee.pk, then=0), default=1, output_field=IntegerField())
    others = Nominee.objects.live().filter(pk__in=approved.order_by().values("nominee")).exclude(pk=nominee.pk)
    return others.order_by(is_before, "pk")[:limit]
