"""Numbers that nobody else in an account has, in the spellings people give them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from config.sandbox.crms.places import FREE, Place

# A prime that shares no factor with 9·10^n, so that a whole range of indexes lands on as many different numbers.
STRIDE = 7919
SPELLINGS: dict[str, Callable[[str, str, Sequence[str]], str]] = {
    "compact": lambda code, _, groups: f"+{code}{''.join(groups)}",
    "spaced": lambda code, _, groups: f"+{code} {' '.join(groups)}",
    "dashed": lambda code, _, groups: f"+{code}-{'-'.join(groups)}",
    "hard_spaced": lambda code, _, groups: f"+{code}\u00a0" + "\u00a0".join(groups),
    "zeroes": lambda code, _, groups: f"00{code} {' '.join(groups)}",
    "bracketed": lambda code, trunk, groups: f"+{code} {trunk and f'({trunk})'}{' '.join(groups)}",
    "national": lambda _, trunk, groups: f"({trunk}{groups[0]}) {' '.join(groups[1:])}",
    "run_together": lambda _, trunk, groups: trunk + "".join(groups),
    "dotted": lambda _, trunk, groups: trunk + ".".join(groups),
}
# At home people leave the country out; a number from abroad is spelled so that it is understood from everywhere.
ABROAD_SPELLINGS = ("compact", "spaced", "zeroes", "bracketed", "dashed", "hard_spaced")
HOME_SPELLINGS = ("national", "run_together", "dotted", "compact", "spaced", "bracketed")
FIVE_SPELLINGS = ("compact", "spaced", "national", "zeroes", "bracketed")


@dataclass(frozen=True, slots=True)
class Number:
    """A national number in its groups, without the trunk zero."""

    place: Place
    groups: tuple[str, ...]

    @property
    def e164(self) -> str:
        """What every spelling of it stands for."""
        return f"+{self.place.code}{''.join(self.groups)}"

    def spelled(self, spelling: str) -> str:
        """The number in one of SPELLINGS."""
        return SPELLINGS[spelling](self.place.code, self.place.trunk, self.groups)


def own_number(place: Place, template: str, *, seed: int, index: int) -> Number:
    """The number of one person: no other index of the account has it, and no shared number is it."""
    span = _span(template)
    return _filled(place, template, (index * STRIDE + seed * 104_729) % (9 * span))


def shared_number(place: Place, template: str, *, group: int) -> Number:
    """A number that several people hold: the same desk, or the same person entered twice."""
    span = _span(template)
    return _filled(place, template, 9 * span + group * STRIDE % span)


@lru_cache(maxsize=64)
def _span(template: str) -> int:
    """How many numbers begin with the same free digit: those with a 9 are shared, the others are somebody's own."""
    return int(10 ** (template.count(FREE) - 1))


@lru_cache(maxsize=64)
def _pattern(template: str) -> tuple[str, int]:
    """The template for `%`, and how many digits it takes."""
    return template.replace(FREE, "%s"), template.count(FREE)


def _filled(place: Place, template: str, value: int) -> Number:
    """The template with its free digits from the left."""
    pattern, digits = _pattern(template)
    return Number(place, tuple((pattern % tuple(str(value).zfill(digits))).split()))
