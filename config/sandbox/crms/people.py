"""Believable people, each made from a seed and an index alone, so that nobody has to be kept."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

from config.sandbox.crms import times
from config.sandbox.crms.dirt import spoil
from config.sandbox.crms.person import Owner, Person, Vocabulary
from config.sandbox.crms.phones import ABROAD_SPELLINGS, HOME_SPELLINGS, own_number
from config.sandbox.crms.places import ABROAD, PLACES, SINGLE_NAMES, Place

Option = TypeVar("Option")

# The generated past: seven contacts were changed in each minute, as an import of theirs would leave it.
BEGAN = times.parse_iso("2024-01-01T09:00:00Z") or 0
SAME_MOMENT = 7
COMPANIES = tuple(
    "Acme Ltd, Łódź Logistics, O'Hara & Sons, Nordwind GmbH, Café Déjà Vu, 山本商事, Bright Pixel, Fjord Foods, "
    "Tata & Co, Ardent Recruitment, Blue Heron Staffing, Marmalade Media, Grupo Peña, Quantum Plumbing, "
    "Iron Bridge Capital, Savanna Solar, Harbour Light Hotels, Zephyr Analytics, Old Mill Bakery".split(", ")
)
TITLES = tuple(
    "Head of Talent, Managing Director, Office Manager, Recruiter, Chief of Staff, Sales Manager, Founder, Nurse, "
    "Systems Administrator, Account Executive, HR Business Partner, Buyer".split(", ")
)
NOTES = tuple(
    "Met at the Leeds fair.|Asked for the price list.|Prefers e-mail, please do not ring before noon.|Renewal in May.|"
    "Line one\nLine two, with “quotes” & an <angle>.|Interesado en la formación; llamar en enero.".split("|")
)
OWNERS = (
    ("Grace", "Adeyemi", True),
    ("Tomás", "Ruiz", True),
    ("Hannah", "O'Connor", True),
    ("Wei", "Zhang", True),
    ("Leo", "Departed", False),
)


class Dice:
    """Numbers that look thrown and are the same for the same seed and index."""

    __slots__ = ("_rest",)

    def __init__(self, seed: int, index: int) -> None:
        """160 bits, enough for about forty throws."""
        self._rest = int.from_bytes(blake2b(b"%d:%d" % (seed, index), digest_size=20).digest())

    def pick(self, options: Sequence[Option]) -> Option:
        """One of them."""
        self._rest, at = divmod(self._rest, len(options))
        return options[at]

    def chance(self, percent: int) -> bool:
        """True so often."""
        self._rest, at = divmod(self._rest, 100)
        return at < percent


def make_owners(ids: Sequence[str]) -> list[Owner]:
    """The colleagues of an account, the last of whom has left."""
    return [
        Owner(id_, first, last, f"{last.lower().replace(chr(39), '')}@crm-owner.example", active)
        for id_, (first, last, active) in zip(ids, OWNERS, strict=True)
    ]


def generated_update(index: int) -> int:
    """When a generated contact was last changed: several at the same moment, later ones later."""
    return BEGAN + index // SAME_MOMENT * times.MINUTE


def make_person(*, seed: int, index: int, module: str, region: str, words: Vocabulary, dirt: Sequence[str]) -> Person:
    """The person at `index`: the same for the same arguments, another at every index."""
    dice = Dice(seed, index)
    place = PLACES[region] if dice.chance(45) else PLACES[dice.pick(ABROAD)]
    person = Person(index, module, country=place.region, updated=generated_update(index))
    person.created = person.updated - 30 * times.DAY
    latin = _give_name(person, dice, place)
    _give_job(person, dice)
    person.email = f"{latin}{index}@{dice.pick(('mail', 'post', 'work'))}.example"
    if dice.chance(10):
        person.other_email = f"{latin}{index}@home.example"
    _give_phones(person, dice, place, home=place.region == region, seed=seed)
    _give_sales_words(person, dice, words)
    if dirt:
        spoil(person, dirt, PLACES[region])
    return person


def _give_name(person: Person, dice: Dice, place: Place) -> str:
    """Two names, or one that is enough; returns their letters for an address."""
    if dice.chance(3):
        person.last_name, _, latin = dice.pick(SINGLE_NAMES).partition("|")
        return (latin or person.last_name).lower()
    given, _, given_latin = dice.pick(place.given).partition("|")
    family, _, family_latin = dice.pick(place.family).partition("|")
    person.first_name, person.last_name = given, family
    return f"{given_latin or given}.{family_latin or family}".lower().replace("'", "").replace(" ", "")


def _give_job(person: Person, dice: Dice) -> None:
    """Most work somewhere."""
    if not dice.chance(12):
        person.company = dice.pick(COMPANIES)
        person.title = dice.pick(TITLES) if dice.chance(80) else None
    person.owner = dice.pick((0, 1, 2, 3, 0, 1, 4, None))


def _give_phones(person: Person, dice: Dice, place: Place, *, home: bool, seed: int) -> None:
    """A phone, a mobile, or both, never none."""
    spellings = HOME_SPELLINGS if home else ABROAD_SPELLINGS
    kind = dice.pick(("phone", "phone", "phone", "mobile", "both"))
    if kind != "mobile":
        number = own_number(place, place.landline, seed=seed, index=person.position)
        person.phone, person.phone_e164 = number.spelled(dice.pick(spellings)), number.e164
    if kind != "phone":
        number = own_number(place, place.mobile, seed=seed, index=person.position)
        person.mobile, person.mobile_e164 = number.spelled(dice.pick(spellings)), number.e164


def _give_sales_words(person: Person, dice: Dice, words: Vocabulary) -> None:
    """Status, stage and the rest, where the CRM has such a field."""
    person.status = dice.pick(words.statuses) if words.statuses and dice.chance(70) else None
    person.stage = dice.pick(words.stages) if words.stages else None
    person.lead_source = dice.pick(words.sources) if words.sources and dice.chance(60) else None
    person.description = dice.pick(NOTES) if dice.chance(25) else None
    person.email_opt_out, person.do_not_call = dice.chance(6), dice.chance(4)
    if dice.chance(65):
        person.last_activity = person.updated - dice.pick(range(1, 90)) * times.HOUR
