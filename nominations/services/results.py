"""Results are frozen when they are published, and nothing that happens later moves them."""

import logging
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from crm.models import User
from nominations import selectors
from nominations.models import Nomination, Nominee, Result, Season, Vote
from nominations.services.log import lock_season
from nominations.services.verification import LASTS

UNVERIFIED = Vote.Reason.UNVERIFIED
logger = logging.getLogger(__name__)


def publish_results(season: Season, *, by: User | None) -> int:
    """Freeze every place of the season, and tell it from now on: how many places. `by` is None for the clock.

    Whoever votes, decides or merges at this moment is in the results or comes too late: all seasons and all nominees
    that stand are locked, in this order. Votes that still wait for their voters do not count any more. Raises
    ValidationError: `already_published`, or `too_early` with what stands in the way.
    """
    with transaction.atomic():
        season = lock_season(season.pk)
        _lock_standing(season)
        if selectors.frozen_at(season) is not None:
            raise ValidationError("The results are published already.", code="already_published")
        refusal = selectors.why_not_frozen(season)
        if refusal:
            raise ValidationError(refusal, code="too_early")
        now = timezone.now()
        places = [row for board in selectors.live_boards(season).values() for row in board]
        Result.objects.bulk_create((_result(season, row, now) for row in places), batch_size=1000)
        _settle_held(season)
        if season.results_published_at is None or season.results_published_at > now:
            season.results_published_at = now
            season.save(update_fields=["results_published_at"])
    who = by.pk if by else "the clock"
    logger.info("The results of season %s are frozen: %s places, by %s.", season.pk, len(places), who)
    return len(places)


def withdraw_results(season: Season, *, by: User) -> int:
    """Take published results back, so that the numbers move again: how many places were told.

    Votes that publishing gave up wait again, as far as their links are still good. Raises ValidationError
    `already_withdrawn`.
    """
    with transaction.atomic():
        season = lock_season(season.pk)
        _lock_standing(season)
        count, _by_model = season.results.all().delete()
        if not count:
            raise ValidationError("No results are published.", code="already_withdrawn")
        season.results_published_at = None
        season.save(update_fields=["results_published_at"])
        _hold_again(season)
    logger.info("The results of season %s are withdrawn, by %s.", season.pk, by.pk)
    return count


def publish_due_results() -> int:
    """Freeze the results whose moment has come: of how many seasons. What stands in the way waits."""
    due = Season.objects.filter(results_published_at__lte=timezone.now(), results__isnull=True)
    frozen = 0
    for season in due.order_by("pk"):
        try:
            publish_results(season, by=None)
        except ValidationError as error:
            logger.info("The results of season %s are due, but wait: %s", season.pk, error.messages[0])
        else:
            frozen += 1
    return frozen


def _result(season: Season, row: selectors.Standing, at: datetime) -> Result:
    return Result(
        season=season,
        category_id=row.category_id,
        nominee_id=row.nominee_id,
        rank=row.rank,
        of=row.of,
        is_tied=row.is_tied,
        votes=row.votes,
        manual_votes=row.manual_votes,
        frozen_at=at,
    )


def _lock_standing(season: Season) -> None:
    """Everybody who can be voted for, in the order of every lock of nominees."""
    approved = Nomination.objects.approved().filter(season=season)
    standing = Nominee.objects.live().filter(pk__in=approved.order_by().values("nominee"))
    list(standing.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _settle_held(season: Season) -> None:
    """They never counted, so nobody outside is told."""
    settled = {"state": Vote.State.INVALID, "reason": UNVERIFIED, "state_before": Vote.State.HELD}
    Vote.objects.held().filter(season=season).update(**settled)


def _hold_again(season: Season) -> None:
    """Those whose links are not a week old: older ones have lapsed by themselves."""
    rows = Vote.objects.filter(season=season, state=Vote.State.INVALID, reason=UNVERIFIED)
    since = timezone.now() - LASTS
    rows.filter(created_at__gte=since).update(state=Vote.State.HELD, state_before="")
