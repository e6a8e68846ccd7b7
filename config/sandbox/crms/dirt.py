"""What is wrong with the data of every CRM that people have used, each kind by itself."""

from collections.abc import Callable, Sequence

from config.sandbox.crms.person import Person
from config.sandbox.crms.phones import FIVE_SPELLINGS, shared_number
from config.sandbox.crms.places import Place

# Every fourth person is spoilt, each in the next way.
EVERY = 4
PLACEHOLDER = "555-555-5555"
# A trap: there it is a number that could be somebody's, by the tables of phonenumbers.
PLACEHOLDER_IS_VALID_IN = ("GB", "DE", "IT", "TR", "CN", "KR", "BR")
IMPOSSIBLE_PHONES = ("12345", "n/a", "+178655689546123", "call the office", "+44 20", "07", "0000000000", "x")
DESKS = 3


def spoil(person: Person, kinds: Sequence[str], home: Place) -> None:
    """Spoil every fourth person in one of `kinds`, taking turns. Names of kinds: DIRT."""
    turn, rest = divmod(person.position, EVERY)
    if rest == EVERY - 1:
        person.dirt = kinds[turn % len(kinds)]
        DIRT[person.dirt](person, turn // len(kinds), home)


def chosen_dirt(wanted: object) -> tuple[str, ...]:
    """True is all kinds, a list some of them. Raises ValueError on one that does not exist."""
    if isinstance(wanted, bool) or wanted is None:
        return tuple(DIRT) if wanted else ()
    if not isinstance(wanted, (list, tuple, set, frozenset)) or any(kind not in DIRT for kind in wanted):
        raise ValueError(f"dirty must be true, false or a list of {', '.join(DIRT)}")
    return tuple(kind for kind in DIRT if kind in wanted)


def _no_name(person: Person, _: int, __: Place) -> None:
    """Nobody."""
    person.first_name = person.last_name = None


def _no_phone(person: Person, _: int, __: Place) -> None:
    """Only to be written to."""
    person.phone = person.mobile = person.phone_e164 = person.mobile_e164 = None


def _no_email(person: Person, _: int, __: Place) -> None:
    """Only to be rung."""
    person.email = person.other_email = None


def _no_contact(person: Person, turn: int, home: Place) -> None:
    """A name and nothing to reach it by."""
    _no_phone(person, turn, home)
    _no_email(person, turn, home)


def _bad_phone(person: Person, turn: int, home: Place) -> None:
    """No number at all, in the field of one."""
    _no_phone(person, turn, home)
    person.phone = IMPOSSIBLE_PHONES[turn % len(IMPOSSIBLE_PHONES)]


def _placeholder(person: Person, turn: int, home: Place) -> None:
    """What somebody typed to get past a mandatory field, the same for all."""
    _no_phone(person, turn, home)
    person.phone = person.mobile = PLACEHOLDER
    if home.region in PLACEHOLDER_IS_VALID_IN:
        person.phone_e164 = person.mobile_e164 = f"+{home.code}{PLACEHOLDER.replace('-', '')}"


def _duplicate(person: Person, turn: int, home: Place) -> None:
    """One person entered five times: twice with one address, once without, once with another, once in capitals."""
    group, entry = divmod(turn, len(FIVE_SPELLINGS))
    number = shared_number(home, home.mobile, group=group)
    _no_phone(person, turn, home)
    person.phone, person.phone_e164 = number.spelled(FIVE_SPELLINGS[entry]), number.e164
    person.first_name, person.last_name, person.other_email = "Sam", f"Double{group}", None
    same = f"sam.double{group}@mail.example"
    person.email = (same, same, None, person.email, same.upper())[entry]


def _switchboard(person: Person, turn: int, home: Place) -> None:
    """The number of a company, given by each of its people, by some with an extension."""
    desk = turn % DESKS
    number = shared_number(home, home.landline, group=desk)
    _no_phone(person, turn, home)
    extension = f" ext. {turn + 10}" if turn % 2 else ""
    person.phone, person.phone_e164 = number.spelled("spaced") + extension, number.e164
    person.company = f"Switchboard {desk} Ltd"


def _blank(person: Person, _: int, __: Place) -> None:
    """Empty strings and spaces instead of nothing; the mobile is what is left to ring."""
    person.mobile = person.mobile or person.phone
    person.mobile_e164 = person.mobile_e164 or person.phone_e164
    person.phone, person.phone_e164 = "", None
    person.company, person.title, person.description = " ", "", ""
    person.email = ""


def _odd_email(person: Person, _: int, __: Place) -> None:
    """Capitals, and spaces around."""
    person.email = f"  {(person.email or '').title()} "


DIRT: dict[str, Callable[[Person, int, Place], None]] = {
    "no_name": _no_name,
    "no_contact": _no_contact,
    "no_phone": _no_phone,
    "bad_phone": _bad_phone,
    "placeholder": _placeholder,
    "duplicate": _duplicate,
    "switchboard": _switchboard,
    "blank": _blank,
    "odd_email": _odd_email,
    "no_email": _no_email,
}
