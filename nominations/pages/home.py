"""The front page."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from nominations import selectors
from nominations.models import Season
from nominations.pages.answers import season_now

LATEST = 6


@dataclass(frozen=True)
class Phase:
    """A window of the season, as the timeline shows it."""

    name: str
    opens_at: datetime | None
    closes_at: datetime | None
    is_open: bool

    @property
    def state(self) -> str:
        """`open`, `soon` (its beginning is known) or `closed`."""
        if self.is_open:
            return "open"
        return "soon" if self.opens_at is not None and self.opens_at > timezone.now() else "closed"


def phases(season: Season) -> list[Phase]:
    """Nominating and voting, in this order."""
    return [
        Phase("Nominations", season.nominations_open_at, season.nominations_close_at, season.nominations_open),
        Phase("Voting", season.voting_open_at, season.voting_close_at, season.voting_open),
    ]


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The season with its phases, the nominees who went live last, the categories."""
    season = season_now()
    if season is None:
        return render(request, "nominations/no_season.html")
    nominating, voting = phases(season)
    context = {
        "season": season,
        "nominating": nominating,
        "voting": voting,
        "phases": [nominating, voting],
        "categories": selectors.active_categories(),
        "nominees": selectors.latest_nominees(season, LATEST),
    }
    return render(request, "nominations/home.html", context)
