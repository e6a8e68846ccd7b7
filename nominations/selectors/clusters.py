"""Groups of votes that look like one hand: from one network, one firm's mail, or one moment.

A suspicion, not a proof: colleagues who vote for their own look the same. Staff see the size and what it would change.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Max, Min, QuerySet, Value
from django.db.models.functions import StrIndex, Substr, TruncMinute

from nominations.models import Category, Nominee, Season, Tally, Vote
from nominations.selectors.standings import Standing, live_boards, top_of, without

SMALLEST = 5
MOST_OF_A_KIND = 100
MINUTE = timedelta(minutes=1)
PUBLIC_DOMAINS = frozenset(
    "gmail.com googlemail.com outlook.com hotmail.com hotmail.co.uk live.com msn.com yahoo.com yahoo.co.uk ymail.com "
    "icloud.com me.com mac.com aol.com gmx.com gmx.de gmx.net web.de mail.com mail.ru yandex.ru yandex.com proton.me "
    "protonmail.com zoho.com qq.com 163.com btinternet.com orange.fr free.fr libero.it t-online.de".split()
)
KINDS = {"network": "One network", "domain": "One mail domain", "burst": "One burst"}
NETWORK, DOMAIN, BURST = KINDS


@dataclass(frozen=True)
class Cluster:
    """Votes for one nominee in one category that have something in common; `share` of all their votes, in percent."""

    kind: str
    value: str
    season_id: int
    category_id: int
    nominee_id: UUID
    size: int
    share: int
    first_at: datetime
    last_at: datetime

    @property
    def label(self) -> str:
        """What they have in common, in words."""
        return label_of(self.kind, self.value)


@dataclass(frozen=True)
class WhatIf:
    """A category's podium as it stands, and without some votes."""

    before: list[Standing]
    after: list[Standing]

    @property
    def changes(self) -> bool:
        """Whether anybody's place on the podium would be another."""
        return [(row.nominee_id, row.rank) for row in self.before] != [
            (row.nominee_id, row.rank) for row in self.after
        ]


def clusters(season: Season, *, category: Category | None = None, nominee: Nominee | None = None) -> list[Cluster]:
    """The groups of at least five votes that count or may come to, the largest first, in four queries."""
    votes = Vote.objects.live().filter(season=season).order_by()
    tallies = Tally.objects.filter(season=season)
    if category is not None:
        votes, tallies = votes.filter(category=category), tallies.filter(category=category)
    if nominee is not None:
        votes, tallies = votes.filter(nominee=nominee), tallies.filter(nominee=nominee)
    totals = {(row.category_id, row.nominee_id): row.votes for row in tallies}
    found = [
        *_grouped(votes.exclude(ip_prefix=""), NETWORK, F("ip_prefix")),
        *_grouped(votes, DOMAIN, mail_domain(), exclude=PUBLIC_DOMAINS),
        *_merged(_grouped(votes, BURST, TruncMinute("created_at"))),
    ]
    made = [_cluster(row, season, totals) for row in found]
    return sorted(made, key=lambda row: (-row.size, row.kind, row.value))


def cluster_votes(season: Season, category: Category, nominee: Nominee, *, kind: str, value: str) -> QuerySet[Vote]:
    """The votes of a group that are not invalid yet. Raises ValueError for a kind or a time that is none."""
    votes = Vote.objects.live().filter(season=season, category=category, nominee=nominee)
    if kind == NETWORK:
        return votes.filter(ip_prefix=value)
    if kind == DOMAIN:
        return votes.annotate(domain=mail_domain()).filter(domain=value)
    if kind == BURST:
        start, end = minutes_of(value)
        return votes.filter(created_at__gte=start, created_at__lt=end)
    raise ValueError(f"{kind!r} is no kind of cluster")


def what_if(season: Season, category: Category, taken: dict[UUID, int]) -> WhatIf:
    """The podium now, and after so many votes of each nominee were taken out (below zero: added).

    By what counts now: frozen results stay as they are.
    """
    board = live_boards(season, [category]).get(category.pk, [])
    return WhatIf(top_of(board), top_of(without(board, taken)))


def minutes_of(value: str) -> tuple[datetime, datetime]:
    """The beginning and the end of a burst. Raises ValueError."""
    start, _, end = value.partition("/")
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    if first.tzinfo is None or last.tzinfo is None:
        raise ValueError("a burst has times with a zone")
    return first, last


def label_of(kind: str, value: str) -> str:
    """What votes have in common, in words. Raises ValueError for a time that is none."""
    if kind == BURST:
        start, end = minutes_of(value)
        return f"{KINDS[kind]}: {start:%d %b %H:%M} to {end:%H:%M}"
    return f"{KINDS[kind]}: {value}"


def mail_domain(field: str = "voter__email") -> Substr:
    """What stands behind the @ of an address."""
    return Substr(field, StrIndex(field, Value("@")) + 1)


def _grouped(votes: QuerySet[Vote], kind: str, by: Any, exclude: Iterable[str] = ()) -> list[dict[str, Any]]:
    groups = votes.annotate(value=by)
    if exclude:
        groups = groups.exclude(value__in=exclude)
    rows: Any = groups.values("category_id", "nominee_id", "value")
    rows = rows.annotate(size=Count("pk"), first_at=Min("created_at"), last_at=Max("created_at"))
    large = rows.filter(size__gte=SMALLEST).order_by("-size")[:MOST_OF_A_KIND]
    return [{**row, "kind": kind} for row in large]


def _merged(bursts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Minutes that follow each other are one burst."""
    merged: list[dict[str, Any]] = []
    for row in sorted(bursts, key=lambda row: (row["category_id"], str(row["nominee_id"]), row["value"])):
        same = merged and all(merged[-1][key] == row[key] for key in ("category_id", "nominee_id"))
        if same and merged[-1]["end"] == row["value"]:
            merged[-1]["size"] += row["size"]
            merged[-1] |= {"end": row["value"] + MINUTE, "last_at": row["last_at"]}
        else:
            merged.append({**row, "end": row["value"] + MINUTE})
    for row in merged:
        row["value"] = "/".join(at.astimezone(UTC).isoformat() for at in (row["value"], row.pop("end")))
    return merged


def _cluster(row: dict[str, Any], season: Season, totals: dict[tuple[int, UUID], int]) -> Cluster:
    of = max(totals.get((row["category_id"], row["nominee_id"]), 0), row["size"])
    return Cluster(season_id=season.pk, share=round(100 * row["size"] / of), **row)
