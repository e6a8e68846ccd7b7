"""The sums of votes: moved with each vote, never counted again but by the proof."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from crm.models import User
from nominations import selectors
from nominations.models import Category, ManualVote, Nominee, Season, Tally, Vote
from nominations.models.tallies import Place

MOST_AT_ONCE = 1_000_000


def lock_nominees(*pks: UUID) -> list[Nominee]:
    """In one order, so that nothing locks crosswise. Whoever moves a tally holds its nominee first."""
    return list(Nominee.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk"))


def shift_tally(place: Place, *, votes: int = 0, manual_votes: int = 0) -> None:
    """Move the sums of a place, whose nominee must be locked.

    Raises ValidationError `total_below_zero`, where manual votes were taken away on the strength of these.
    """
    season_id, category_id, nominee_id = place
    rows = Tally.objects.filter(season_id=season_id, category_id=category_id, nominee_id=nominee_id)
    if votes < 0 or manual_votes < 0:
        known = rows.first()
        total = known.total_votes if known else 0
        if total + votes + manual_votes < 0:
            short = -(total + votes + manual_votes)
            message = f"The total would fall to {-short}: it cannot be less than 0. Add {short} manual votes first."
            raise ValidationError(message, code="total_below_zero")
    changed = {"votes": F("votes") + votes, "manual_votes": F("manual_votes") + manual_votes}
    if not rows.update(**changed):
        given = {"votes": votes, "manual_votes": manual_votes}
        Tally.objects.create(season_id=season_id, category_id=category_id, nominee_id=nominee_id, **given)


def add_manual_votes(
    nominee: Nominee, category: Category, *, count: int, reason: str, by: User, season: Season | None = None
) -> Tally:
    """Add votes by hand, or take some away: the sums after it.

    Raises ValidationError: `not_live` for who does not stand in the category, or naming `count` or `reason`.
    """
    if not reason.strip():
        raise ValidationError({"reason": ["Say why."]})
    if not count or abs(count) > MOST_AT_ONCE:
        raise ValidationError({"count": [f"Enter a number up to {MOST_AT_ONCE:,}, but not 0."]})
    season = season or selectors.current_season()
    with transaction.atomic():
        lock_nominees(nominee.pk)
        if not selectors.stands_in(nominee, category, season):
            raise ValidationError("There is no such nominee in this category.", code="not_live")
        place = (season.pk, category.pk, nominee.pk)
        try:
            shift_tally(place, manual_votes=count)
        except ValidationError as error:
            raise ValidationError({"count": error.messages}) from error
        note_manual_votes(place, count, reason=reason.strip()[:500], by=by)
        return Tally.objects.get(season=season, category=category, nominee=nominee)


def note_manual_votes(
    place: Place, count: int, *, reason: str, by: User | None, counterpart: Nominee | None = None
) -> None:
    """The row alone: the caller moves the sum."""
    season_id, category_id, nominee_id = place
    ManualVote.objects.create(
        season_id=season_id,
        category_id=category_id,
        nominee_id=nominee_id,
        count=count,
        reason=reason,
        by=by,
        staff_name=(by.get_full_name() or by.email) if by else "",
        counterpart=counterpart,
    )


def verify_votes() -> str:
    """Count every vote again: "" when all tallies agree, else what is wrong with the first that does not.

    Each question is one statement, so that votes cast meanwhile are either in both numbers or in neither.
    """
    for row in _recounted():
        if (row.votes, row.manual_votes) != (row.counted, row.added):
            return (
                f"{row.nominee} in {row.category} ({row.season}): the tally says {row.votes} and {row.manual_votes} "
                f"manual, but there are {row.counted} and {row.added}."
            )
    for model in (Vote.objects.counted(), ManualVote.objects.all()):
        stray = _without_tally(model)
        if stray is not None:
            return f"{stray.nominee} in {stray.category} ({stray.season}): there are votes, but no tally."
    return ""


def _recounted() -> Any:
    same = {name: OuterRef(name) for name in ("season", "category", "nominee")}
    counted = Vote.objects.counted().filter(**same).order_by().values("nominee").annotate(n=Count("pk")).values("n")
    added = ManualVote.objects.filter(**same).order_by().values("nominee").annotate(n=Sum("count")).values("n")
    rows = Tally.objects.select_related("season", "category", "nominee").order_by("pk")
    rows = rows.annotate(counted=Coalesce(Subquery(counted), 0), added=Coalesce(Subquery(added), 0))
    return rows.exclude(votes=F("counted"), manual_votes=F("added"))[:1]


def _without_tally(rows: Any) -> Any:
    same = {name: OuterRef(name) for name in ("season", "category", "nominee")}
    related = rows.select_related("season", "category", "nominee").order_by()
    return next(iter(related.filter(~Exists(Tally.objects.filter(**same)))[:1]), None)
