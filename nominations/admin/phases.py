"""Where a season is, for staff."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils import timezone

from nominations.models import Season


class Phase(TextChoices):
    """What goes on now."""

    SOON = "soon", "Not begun"
    NOMINATING = "nominating", "Nominating"
    BOTH = "both", "Nominating and voting"
    BETWEEN = "between", "Before voting"
    VOTING = "voting", "Voting"
    CLOSED = "closed", "Closed"
    PUBLISHED = "published", "Results published"

    @property
    def colour(self) -> str:
        """Of its badge."""
        if self in (Phase.NOMINATING, Phase.BOTH, Phase.VOTING, Phase.PUBLISHED):
            return "live"
        return "closed" if self == Phase.CLOSED else "pending"


@dataclass(frozen=True)
class Window:
    """Nominating or voting: `open`, `soon`, `closed`, or `unset` without a beginning."""

    name: str
    opens_at: datetime | None
    closes_at: datetime | None
    is_open: bool

    @property
    def state(self) -> str:
        """Now."""
        if self.is_open:
            return "open"
        if self.opens_at is None:
            return "unset"
        return "soon" if self.opens_at > timezone.now() else "closed"

    @property
    def badge(self) -> tuple[str, str]:
        """Its colour and its word."""
        words = {
            "open": ("live", "Open"),
            "soon": ("pending", "Not open yet"),
            "closed": ("closed", "Closed"),
            "unset": ("closed", "No dates"),
        }
        return words[self.state]


def windows(season: Season) -> list[Window]:
    """Nominating and voting, in this order."""
    return [
        Window("Nominating", season.nominations_open_at, season.nominations_close_at, season.nominations_open),
        Window("Voting", season.voting_open_at, season.voting_close_at, season.voting_open),
    ]


def phase_of(season: Season, *, is_frozen: bool) -> Phase:
    """What goes on now."""
    if is_frozen:
        return Phase.PUBLISHED
    nominating, voting = (window.state for window in windows(season))
    if nominating == "open":
        return Phase.BOTH if voting == "open" else Phase.NOMINATING
    if voting == "open":
        return Phase.VOTING
    if voting == "soon" and nominating == "closed":
        return Phase.BETWEEN
    return Phase.SOON if "soon" in (nominating, voting) else Phase.CLOSED
