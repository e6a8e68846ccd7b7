"""How a season went, in sums: when and from where votes and nominations came, and what became of them.

Nothing here names a person: mail domains are told from five voters on, the rest is counts.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum
from django.db.models.functions import TruncDate, TruncHour, Upper
from django.utils import timezone

from nominations.models import Category, Nomination, Season, Tally, Vote, Voter
from nominations.selectors.clusters import mail_domain

FEWEST_VOTERS = 5
MOST_NAMED = 100
# A million votes take the better part of a second: so many are counted once in five minutes, not for every reader.
KEPT_FROM, KEPT_SECONDS = 50_000, 300


@dataclass(frozen=True)
class Analytics:
    """The sums of a season, or of one category in it, as they were at `counted_at`. Days and hours are UTC."""

    counted_at: datetime
    is_kept: bool
    votes_by_hour: Mapping[tuple[datetime, str], int]
    votes_by_country: Mapping[str, int]
    voters_by_domain: Mapping[str, int]
    votes_by_category: Mapping[str, int]
    nominations_by_day: Mapping[tuple[date, str], int]

    @property
    def votes_by_state(self) -> dict[str, int]:
        """Counted, held and invalid."""
        return _rolled_up(self.votes_by_hour, Vote.State.values)

    @property
    def nominations_by_state(self) -> dict[str, int]:
        """Submitted, approved and so on."""
        return _rolled_up(self.nominations_by_day, Nomination.State.values)

    @property
    def votes_by_day(self) -> dict[date, dict[str, int]]:
        """Every day from the first vote to the last, also those without one."""
        return _by_day(((at.date(), state, n) for (at, state), n in self.votes_by_hour.items()), Vote.State.values)

    @property
    def nominations_daily(self) -> dict[date, dict[str, int]]:
        """Every day from the first nomination to the last, also those without one; by what became of them."""
        rows = ((day, state, n) for (day, state), n in self.nominations_by_day.items())
        return _by_day(rows, Nomination.State.values)

    @property
    def votes_by_hour_of_day(self) -> dict[int, int]:
        """Counted votes, from midnight to 23 h."""
        found = dict.fromkeys(range(24), 0)
        for (at, state), count in self.votes_by_hour.items():
            if state == Vote.State.COUNTED:
                found[at.hour] += count
        return found


def analytics(season: Season, category: Category | None = None, *, is_fresh: bool = False) -> Analytics:
    """The sums now, or with very many votes those of the last five minutes, unless they are to be `is_fresh`."""
    tallies = _within(Tally.objects.filter(season=season), category)
    is_kept = (tallies.aggregate(n=Sum("votes"))["n"] or 0) >= KEPT_FROM
    key = f"nominations.analytics:{season.pk}:{category.pk if category else ''}"
    found: Analytics | None = cache.get(key) if is_kept and not is_fresh else None
    if found is None:
        found = _counted(season, category, tallies, is_kept=is_kept)
        if is_kept:
            cache.set(key, found, KEPT_SECONDS)
    return found


def _counted(season: Season, category: Category | None, tallies: QuerySet[Tally], *, is_kept: bool) -> Analytics:
    votes = _within(Vote.objects.filter(season=season), category).order_by()
    nominations = _within(Nomination.objects.filter(season=season), category).order_by()
    hours: Any = votes.annotate(hour=TruncHour("created_at", tzinfo=UTC)).values_list("hour", "state")
    days: Any = nominations.annotate(day=TruncDate("created_at", tzinfo=UTC)).values_list("day", "state")
    sums: Any = tallies.order_by().values_list("category__label").annotate(n=Sum(F("votes") + F("manual_votes")))
    return Analytics(
        counted_at=timezone.now(),
        is_kept=is_kept,
        votes_by_hour={(hour, state): n for hour, state, n in hours.annotate(n=Count("pk"))},
        votes_by_country=_by_country(votes),
        voters_by_domain=_by_domain(votes),
        votes_by_category=dict(sums.order_by("-n", "category__label")),
        nominations_by_day={(day, state): n for day, state, n in days.annotate(n=Count("pk"))},
    )


def _by_country(votes: QuerySet[Vote]) -> dict[str, int]:
    """However voters have capitalised them; "" for those who have not said."""
    rows: Any = votes.filter(state=Vote.State.COUNTED).values_list(Upper("voter__country"))
    found = Counter[str]()
    for name, count in rows.annotate(n=Count("pk")):
        found[" ".join(name.split()).title() if len(name) > 3 else name] += count
    return dict(found.most_common())


def _by_domain(votes: QuerySet[Vote]) -> dict[str, int]:
    """The domains of at least five voters whose vote counts, the largest first."""
    theirs = votes.filter(state=Vote.State.COUNTED, voter=OuterRef("pk"))
    voters: Any = Voter.objects.filter(Exists(theirs), email__isnull=False).order_by()
    rows = voters.annotate(domain=mail_domain("email")).values_list("domain").annotate(n=Count("pk"))
    return dict(rows.filter(n__gte=FEWEST_VOTERS).order_by("-n", "domain")[:MOST_NAMED])


def _within(rows: Any, category: Category | None) -> Any:
    return rows if category is None else rows.filter(category=category)


def _rolled_up(counts: Mapping[Any, int], states: list[str]) -> dict[str, int]:
    found = dict.fromkeys(states, 0)
    for (_moment, state), count in counts.items():
        found[state] += count
    return found


def _by_day(rows: Any, states: list[str]) -> dict[date, dict[str, int]]:
    counts = Counter[tuple[date, str]]()
    for day, state, count in rows:
        counts[day, state] += count
    days = sorted({day for day, _state in counts})
    if not days:
        return {}
    every = [days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1)]
    return {day: {state: counts[day, state] for state in states} for day in every}
