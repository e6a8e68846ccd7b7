"""What a merge of nominees, or its undoing, would change: read only."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet

from nominations import selectors
from nominations.models import Category, Merge, Nomination, Nominee, Season, Tally, Vote, Voter
from nominations.models.nominations import NominationQuerySet
from nominations.selectors.merges import (
    Counts,
    counted_by_place,
    manual_between,
    manual_of,
    merged_under,
    nominations_from,
    votes_from,
)
from nominations.selectors.standings import Score
from nominations.services.decisions import proposed_slug
from nominations.services.merging import blanks, check_merge, check_unmerge, fills

Key = tuple[int, int]


@dataclass(frozen=True)
class Sums:
    """Votes and manual votes of a nominee in a category, and whether it stands there."""

    votes: int
    manual_votes: int
    stands: bool

    @property
    def total_votes(self) -> int:
        """What counts."""
        return self.votes + self.manual_votes


@dataclass(frozen=True)
class PlaceChange:
    """One category of a season: what source and target have before and after, and the podium. Frozen results stay."""

    season: Season
    category: Category
    before: tuple[Sums, Sums]
    after: tuple[Sums, Sums]
    what_if: selectors.WhatIf
    is_frozen: bool


@dataclass(frozen=True)
class MovePreview:
    """What goes from the one to the other: with a merge to the survivor, with its undoing back to the loser.

    `problem` says why it cannot be; `changed` names the survivor's fields that are filled, or emptied again.
    """

    source: Nominee
    target: Nominee
    problem: str
    changed: dict[str, str]
    nominations: list[Nomination]
    places: list[PlaceChange]
    doubled_votes: int
    contacts: int
    source_is_live: bool
    target_is_live: bool
    target_slug: str

    @property
    def votes(self) -> int:
        """How many counted votes go."""
        return sum(row.before[0].votes - row.after[0].votes for row in self.places)

    @property
    def frozen(self) -> list[str]:
        """Seasons whose results stand."""
        return sorted({row.season.name for row in self.places if row.is_frozen})


def preview_merge(loser: Nominee, survivor: Nominee) -> MovePreview:
    """What `merge_nominees` would do now."""
    rows = Nomination.objects.filter(nominee=loser)
    counted = counted_by_place(Vote.objects.filter(nominee=loser))
    places = _places(loser, survivor, rows, counted, manual_of(loser))
    return MovePreview(
        source=loser,
        target=survivor,
        problem=_problem(lambda: check_merge(loser, survivor)),
        changed=fills(loser, survivor),
        nominations=list(rows.complete()),
        places=places,
        doubled_votes=_doubled(loser, survivor),
        contacts=_contacts(loser, survivor, rows, Vote.objects.filter(nominee=loser)),
        source_is_live=False,
        target_is_live=_has_approved(survivor) or rows.approved().exists(),
        target_slug=proposed_slug(survivor),
    )


def preview_unmerge(merge: Merge) -> MovePreview:
    """What `unmerge_nominees` would do now."""
    loser, survivor = merge.loser, merge.survivor
    originals = merged_under(loser)
    rows = nominations_from(loser, survivor, originals)
    votes = votes_from(loser, survivor, originals)
    places = _places(survivor, loser, rows, counted_by_place(votes), manual_between(survivor, loser))
    return MovePreview(
        source=survivor,
        target=loser,
        problem=_problem(lambda: check_unmerge(merge, loser, survivor)),
        changed={name: merge.filled[name] for name in blanks(merge, survivor)},
        nominations=list(rows.complete()),
        places=places,
        doubled_votes=Vote.objects.filter(
            nominee__in=[survivor], state=Vote.State.INVALID, reason=Vote.Reason.MERGED_DUPLICATE
        ).count(),
        contacts=_contacts(loser, survivor, rows, votes),
        source_is_live=survivor.nominations.approved().exclude(pk__in=rows.values("pk")).exists(),
        target_is_live=rows.approved().exists(),
        target_slug=proposed_slug(loser),
    )


def _problem(check: Callable[[], None]) -> str:
    try:
        check()
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _has_approved(nominee: Nominee) -> bool:
    return nominee.nominations.approved().exists()


def _contacts(loser: Nominee, survivor: Nominee, rows: NominationQuerySet, votes: QuerySet[Vote]) -> int:
    """At most so many people are told outside."""
    nominators = rows.approved().exclude(nominator__email=None).values("nominator").distinct().count()
    voters = Voter.objects.filter(votes__in=votes.filter(state=Vote.State.COUNTED)).exclude(email=None).distinct()
    return int(nominators) + voters.count() + len({loser.email, survivor.email} - {""})


def _doubled(loser: Nominee, survivor: Nominee) -> int:
    """How many votes that wait for their voters would meet another of the same voter."""
    both = [loser, survivor]
    waiting = Vote.objects.held().filter(nominee__in=both).values("voter")
    rows = Vote.objects.live().filter(nominee__in=both, voter__in=waiting).order_by()
    counts = rows.values("season", "category", "voter").annotate(n=Count("pk")).filter(n__gt=1)
    return sum(int(row["n"]) - 1 for row in counts)


def _places(
    source: Nominee, target: Nominee, rows: NominationQuerySet, votes: Counts, manual: Counts
) -> list[PlaceChange]:
    """Every category in which something goes over."""
    moved = _approved_places(rows)
    keys = {*votes, *manual, *moved}
    sums = {
        (row.season_id, row.category_id, row.nominee_id): (row.votes, row.manual_votes)
        for row in Tally.objects.filter(nominee__in=[source, target])
    }
    stays = _approved_places(source.nominations.exclude(pk__in=rows.values("pk")))
    there = _approved_places(target.nominations.all())
    seasons = Season.objects.in_bulk({season for season, _category in keys})
    categories = Category.objects.in_bulk({category for _season, category in keys})
    found = []
    for key in sorted(keys):
        season, category = seasons[key[0]], categories[key[1]]
        mine, theirs = (sums.get((*key, nominee.pk), (0, 0)) for nominee in (source, target))
        gone = votes.get(key, 0), manual.get(key, 0)
        before = Sums(*mine, key in stays | moved), Sums(*theirs, key in there)
        after = (
            Sums(mine[0] - gone[0], mine[1] - gone[1], key in stays),
            Sums(theirs[0] + gone[0], theirs[1] + gone[1], key in there | moved),
        )
        what_if = _what_if(season, category, {source.pk: after[0], target.pk: after[1]})
        found.append(PlaceChange(season, category, before, after, what_if, selectors.frozen_at(season) is not None))
    return found


def _approved_places(rows: NominationQuerySet) -> set[Key]:
    approved = rows.filter(state=Nomination.State.APPROVED).order_by()
    return set(approved.values_list("season_id", "category_id").distinct())


def _what_if(season: Season, category: Category, changed: dict[UUID, Sums]) -> selectors.WhatIf:
    """The podium by what counts now, and with the two as they would be."""
    board = selectors.live_boards(season, [category]).get(category.pk, [])
    scores: list[Score] = [
        (row.nominee_id, row.votes, row.manual_votes) for row in board if row.nominee_id not in changed
    ]
    scores += [(pk, sums.votes, sums.manual_votes) for pk, sums in changed.items() if sums.stands]
    return selectors.WhatIf(selectors.top_of(board), selectors.top_of(selectors.ranked(category.pk, scores)))
