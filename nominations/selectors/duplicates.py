"""Nominees that may be one: names that are alike, and what speaks for it and against it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from itertools import combinations, product
from math import ceil
from uuid import UUID

from django.db.models import QuerySet

from nominations.models import Category, Nomination, Nominee
from nominations.models.names import normal_name, trigrams
from nominations.selectors.clusters import PUBLIC_DOMAINS
from nominations.selectors.nominations import SIMILAR_FROM

MOST_PAIRS = 100
ERASED = "erased person"
SKETCH_BITS = 509
TINY = 1e-9


@dataclass(frozen=True)
class Pair:
    """Two nominees whose names are alike, in percent; the categories they share.

    `one` is whom to keep: who has an address, else the older.
    """

    one: Nominee
    other: Nominee
    likeness: int
    categories: list[str]
    speaks_for: list[str]
    speaks_against: list[str]


@lru_cache(maxsize=50_000)
def pieces_of(name: str) -> frozenset[str]:
    """The pieces by which a name is compared. Kept, since the same names are compared with each new one."""
    return trigrams(normal_name(name))


def alike(name: str, rows: QuerySet[Nominee], limit: int = 3) -> list[tuple[Nominee, int]]:
    """Up to `limit` of the nominees whose names are alike, with the likeness in percent, most alike first.

    Reads the names alone of all rows, and then only those that it returns.
    """
    wanted = pieces_of(name)
    scored = ((_likeness(wanted, pieces_of(text)), pk) for pk, text in _names(rows))
    best = nlargest(limit, (pair for pair in scored if pair[0] >= SIMILAR_FROM))
    found = Nominee.objects.in_bulk([pk for _score, pk in best])
    return [(found[pk], round(score * 100)) for score, pk in best]


def duplicate_pairs(kind: str, at_least: float, category: Category | None = None) -> tuple[list[Pair], int]:
    """Nominees of a kind whose names are alike in a category they share, or the same anywhere; most alike first.

    The first hundred pairs, and how many there are.
    """
    rows = Nominee.objects.known().filter(kind=kind)
    if category is not None:
        rows = rows.filter(nominations__category=category)
    names = {pk: normal_name(text) for pk, text in _names(rows)}
    standing = _standing(kind)
    found = {pair: 1.0 for pks in _by_name(names, names).values() for pair in combinations(sorted(pks), 2)}
    for nominees in standing.values():
        here = _by_name(names, nominees)
        for score, first, second in similar_names(list(here), at_least):
            found |= {(min(pair), max(pair)): score for pair in product(here[first], here[second])}
    best = nlargest(MOST_PAIRS, ((score, *pair) for pair, score in found.items()))
    return _pairs(best, standing), len(found)


def _by_name(names: dict[UUID, str], pks: Iterable[UUID]) -> dict[str, list[UUID]]:
    """Without those who were forgotten, and now all have one name."""
    found: dict[str, list[UUID]] = defaultdict(list)
    for pk in pks:
        if names.get(pk, ERASED) != ERASED:
            found[names[pk]].append(pk)
    return found


def similar_names(names: list[str], at_least: float) -> Iterator[tuple[float, str, str]]:
    """Every two different normal names that are at least so alike.

    No name is compared with all others. Two that are so alike share one of their rarest pieces, if of each so many are
    looked at that the rest alone could not make them alike ("prefix filtering"); and in a short sketch of both, pieces
    that only one has show as bits that differ.
    """
    pieces = {name: trigrams(name) for name in names}
    common = Counter(piece for found in pieces.values() for piece in found)
    rarity = {piece: place for place, piece in enumerate(sorted(common, key=lambda piece: (common[piece], piece)))}
    ordered = sorted(names, key=lambda name: (len(pieces[name]), name))
    sketches = [_sketch(rarity[piece] for piece in pieces[name]) for name in ordered]
    most_different = (1 - at_least) / (1 + at_least)
    index: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(ordered):
        mine, sketch = pieces[name], sketches[place]
        rarest, size = sorted(mine, key=rarity.__getitem__), len(mine)
        for other in {other for piece in rarest[: _enough(size, at_least)] for other in index[piece]}:
            theirs = pieces[ordered[other]]
            if (sketch ^ sketches[other]).bit_count() > most_different * (size + len(theirs)) + TINY:
                continue
            score = _likeness(mine, theirs)
            if score >= at_least:
                yield score, name, ordered[other]
        # Those to come are at least as long, and so have to share more.
        for piece in rarest[: _enough(size, 2 * at_least / (1 + at_least))]:
            index[piece].append(place)


def _enough(size: int, share: float) -> int:
    """Of so many pieces, how many have to be looked at to meet one of any so large a share."""
    return size - ceil(share * size - TINY) + 1


def _sketch(numbers: Iterable[int]) -> int:
    bits = 0
    for number in numbers:
        bits |= 1 << number % SKETCH_BITS
    return bits


def evidence(one: Nominee, other: Nominee) -> tuple[list[str], list[str]]:
    """What speaks for two nominees being one, and what against it."""
    speaks_for: list[str] = []
    against: list[str] = []
    for field, words in (("country", "country"), ("linkedin_url", "LinkedIn address"), ("phone", "phone")):
        first, second = getattr(one, field).casefold(), getattr(other, field).casefold()
        if first and second:
            (speaks_for if first == second else against).append(
                f"same {words}" if first == second else f"different {words}"
            )
    if one.company and normal_name(one.company) == normal_name(other.company):
        speaks_for.append("same company")
    elif one.company and other.company:
        against.append("different company")
    domains = {nominee.email.partition("@")[2] for nominee in (one, other)}
    if one.email and one.email == other.email:
        speaks_for.append("same email address")
    elif len(domains) == 1 and domains != {""} and not domains & PUBLIC_DOMAINS:
        speaks_for.append("same mail domain")
    return speaks_for, against


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _names(rows: QuerySet[Nominee]) -> Iterator[tuple[UUID, str]]:
    """Each nominee once, also where they came by a join."""
    found = rows.order_by().values_list("pk", "first_name", "last_name", "company_name").distinct()
    for pk, first, last, company in found:
        yield pk, company or f"{first} {last}"


def _standing(kind: str) -> dict[int, set[UUID]]:
    """By category, those who are nominated there."""
    rows = Nomination.objects.filter(category__kind=kind).order_by()
    found: dict[int, set[UUID]] = defaultdict(set)
    for category, nominee in rows.values_list("category_id", "nominee_id").distinct():
        found[category].add(nominee)
    return found


def _pairs(found: Iterable[tuple[float, UUID, UUID]], standing: dict[int, set[UUID]]) -> list[Pair]:
    rows = list(found)
    nominees = Nominee.objects.in_bulk({pk for _score, *pks in rows for pk in pks})
    labels = dict(Category.objects.values_list("pk", "label"))
    pairs = []
    for score, *pks in rows:
        one, other = sorted((nominees[pk] for pk in pks), key=lambda nominee: (not nominee.slug, nominee.created_at))
        shared = sorted(labels[key] for key, there in standing.items() if {one.pk, other.pk} <= there)
        pairs.append(Pair(one, other, round(score * 100), shared, *evidence(one, other)))
    return pairs
