"""Where merged nominees have gone, and what went along."""

from collections.abc import Collection

from django.db.models import Count, QuerySet, Sum

from nominations.models import ManualVote, Nomination, Nominee, Tally, Vote
from nominations.models.nominations import NominationQuerySet

Counts = dict[tuple[int, int], int]
"""By the keys of season and category."""


def end_of(nominee: Nominee) -> Nominee:
    """Whom it ended up as, in whatever state; itself if it was not merged. No chain has a cycle: see the service."""
    while nominee.merged_into_id is not None:
        nominee = Nominee.objects.get(pk=nominee.merged_into_id)
    return nominee


def survivor_of(nominee: Nominee) -> Nominee | None:
    """The live nominee at whose address one that was merged is found now. None for one that was not, or is not live.

    Then the state of `end_of` says what to answer.
    """
    if nominee.state != Nominee.State.MERGED:
        return None
    end = end_of(nominee)
    return end if end.state == Nominee.State.LIVE else None


def merged_under(*nominees: Nominee) -> list[Nominee]:
    """All that were merged into these, also by way of others; a query for each step of the longest chain."""
    found: list[Nominee] = []
    level: Collection[Nominee] = nominees
    while level:
        level = list(Nominee.objects.filter(merged_into__in=level).order_by("pk"))
        found += level
    return found


def one_with(rows: QuerySet[Nominee]) -> QuerySet[Nominee]:
    """Those, whom they were merged into, and who was merged into these: by staff's word they are one."""
    ends = {end_of(row) for row in rows}
    return Nominee.objects.filter(pk__in=[row.pk for row in (*ends, *merged_under(*ends))])


def votes_from(loser: Nominee, survivor: Nominee, originals: Collection[Nominee]) -> QuerySet[Vote]:
    """The votes that a merge gave the survivor; `originals` are those merged into the loser before."""
    return Vote.objects.filter(nominee=survivor, original_nominee__in=[loser, *originals])


def nominations_from(loser: Nominee, survivor: Nominee, originals: Collection[Nominee]) -> NominationQuerySet:
    """The nominations that a merge gave the survivor."""
    return Nomination.objects.filter(nominee=survivor, original_nominee__in=[loser, *originals])


def counted_by_place(votes: QuerySet[Vote]) -> Counts:
    """How many of the votes count."""
    rows = votes.filter(state=Vote.State.COUNTED).order_by().values_list("season_id", "category_id")
    return {(season, category): count for season, category, count in rows.annotate(Count("pk"))}


def manual_of(nominee: Nominee) -> Counts:
    """What a nominee has of manual votes."""
    rows = Tally.objects.filter(nominee=nominee).exclude(manual_votes=0)
    return {(row.season_id, row.category_id): row.manual_votes for row in rows}


def manual_between(nominee: Nominee, counterpart: Nominee) -> Counts:
    """What the one still holds of the other's manual votes."""
    rows = ManualVote.objects.filter(nominee=nominee, counterpart=counterpart).order_by()
    sums = rows.values_list("season_id", "category_id").annotate(Sum("count"))
    return {(season, category): count for season, category, count in sums if count}
