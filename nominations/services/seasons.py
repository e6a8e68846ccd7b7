"""Which season is the one, and how the next one begins."""

import logging
import re
from collections.abc import Mapping
from datetime import MAXYEAR, datetime

from django.db import transaction

from crm.models import User
from nominations.models import Season

WINDOWS = ("nominations_open_at", "nominations_close_at", "voting_open_at", "voting_close_at")
COPIED = ("nominations_closed_message", "voting_closed_message", "totals_visibility", "vote_verification")
Windows = Mapping[str, datetime | None]
logger = logging.getLogger(__name__)


def make_season_current(season: Season) -> None:
    """The public pages and the API show this season from now on, and no other."""
    with transaction.atomic():
        # All rows, in one order: two of these at once queue instead of locking crosswise.
        list(Season.objects.select_for_update().order_by("pk").values_list("pk"))
        Season.objects.filter(is_current=True).exclude(pk=season.pk).update(is_current=False)
        Season.objects.filter(pk=season.pk).update(is_current=True)


def clone_season(season: Season, *, name: str, by: User, windows: Windows | None = None) -> Season:
    """A season like this one, not current and without results; its windows are a year later unless given.

    Categories are shared by all seasons; nominees, nominations and votes stay where they are. Raises ValidationError
    naming the field.
    """
    clone = Season(name=name.strip(), **{field: getattr(season, field) for field in COPIED})
    for field, moment in (windows or windows_next_year(season)).items():
        setattr(clone, field, moment)
    with transaction.atomic():
        clone.full_clean()
        clone.save(force_insert=True)
    logger.info("Season %s is cloned to %s, by %s.", season.pk, clone.pk, by.pk)
    return clone


def windows_next_year(season: Season) -> dict[str, datetime | None]:
    """The season's windows, each a year later."""
    return {field: _next_year(getattr(season, field)) for field in WINDOWS}


def name_next_year(name: str) -> str:
    """The last year in the name is counted up; a name without one is marked as next."""
    found = list(re.finditer(r"(?<!\d)(?:19|20)\d\d(?!\d)", name))
    if not found:
        return f"{name} (next)"
    last = found[-1]
    return f"{name[: last.start()]}{int(last.group()) + 1}{name[last.end() :]}"


def _next_year(moment: datetime | None) -> datetime | None:
    """The same day and time; for 29 February the day before."""
    if moment is None or moment.year == MAXYEAR:
        return moment
    try:
        return moment.replace(year=moment.year + 1)
    except ValueError:
        return moment.replace(year=moment.year + 1, day=28)
