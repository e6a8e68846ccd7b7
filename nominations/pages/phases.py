"""Where the season is, and what one can do in it now."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from nominations.models import Season


@dataclass(frozen=True)
class Phase:
    """A part of the season, as the timeline shows it."""

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

    @property
    def is_over(self) -> bool:
        """Whether it was open before."""
        return self.state == "closed" and self.opens_at is not None


def phases(season: Season) -> tuple[Phase, Phase, Phase]:
    """Nominating, voting, and the results, in this order."""
    return (
        Phase("Nominations", season.nominations_open_at, season.nominations_close_at, season.nominations_open),
        Phase("Voting", season.voting_open_at, season.voting_close_at, season.voting_open),
        Phase("Results", season.results_published_at, None, season.results_published),
    )


def stage(season: Season) -> str:
    """What the season is about now.

    `results`, `nominating` (also while one can vote), `voting`, `before` nominations open, `between` nominating and
    voting, `counting`, or `quiet` where no date says what comes.
    """
    nominating, voting, results = phases(season)
    if results.is_open:
        return "results"
    if nominating.is_open:
        return "nominating"
    if voting.is_open:
        return "voting"
    if nominating.state == "soon":
        return "before"
    if voting.state == "soon":
        return "between"
    return "counting" if voting.is_over else "quiet"
