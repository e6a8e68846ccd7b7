"""Who and what the lines of a file may speak of, read at once instead of line by line."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from nominations import selectors
from nominations.models import Nomination, Nominator, Nominee, Season
from nominations.services.lines import key_of
from nominations.services.nominations import Fields, fill_blanks

ADDRESSES = ("linkedin_url", "email")
PERSON_FIELDS = ("first_name", "last_name", "company", "job_title", "phone", "phone_raw", "country")
NOMINEE_FIELDS = (
    *("email", "linkedin_url", "phone", "phone_raw", "country", "job_title", "company"),
    *("website", "industry", "company_size", "bio", "achievements", "picture_url"),
)


@dataclass
class Known:
    """What is here already, and who is new. With `is_dry` nothing is written; else it is read under the season's lock,
    so that nobody comes in between.
    """

    season: Season
    organisers: Nominator
    is_dry: bool
    people: dict[str, Nominator] = field(default_factory=dict)
    nominees: dict[tuple[str, str, str], Nominee] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    named: set[tuple[int, UUID, UUID]] = field(default_factory=set)
    new_people: list[Nominator] = field(default_factory=list)
    new_nominees: list[Nominee] = field(default_factory=list)

    def learn(self, wanted: Iterable[Nomination]) -> None:
        """Read what these unsaved nominations may refer to. What is remembered already stays."""
        rows = list(wanted)
        emails = {row.nominator.email for row in rows if row.nominator.email} - self.people.keys()
        for person in Nominator.objects.filter(email__in=emails).order_by("pk"):
            self.people[person.email or ""] = person
        found = self._learn_nominees([row.nominee for row in rows])
        keys = [row.import_key for row in rows]
        self.keys.update(row.import_key or "" for row in Nomination.objects.filter(import_key__in=keys))
        self._learn_named(rows, found)

    def _learn_nominees(self, drafts: list[Nominee]) -> set[UUID]:
        """Whoever was merged is known as whom they were merged into, unless somebody else has the address now."""
        emails, profiles = ({getattr(draft, name) for draft in drafts} - {""} for name in ("email", "linkedin_url"))
        found = Nominee.objects.filter(Q(email__in=emails) | Q(linkedin_url__in=profiles))
        ends = set()
        for nominee in sorted(found, key=lambda row: row.state == Nominee.State.MERGED):
            end = selectors.end_of(nominee)
            self._remember(nominee, end)
            ends.add(end.pk)
        return ends

    def _learn_named(self, rows: list[Nomination], found: set[UUID]) -> None:
        """Who has named whom; where no address tells who that is, what reads exactly the same line."""
        there = Nomination.objects.filter(season=self.season)
        self.named.update(there.filter(nominee__in=found).values_list("category", "nominator", "nominee"))
        bare = [row for row in rows if not (row.nominee.email or row.nominee.linkedin_url)]
        if not bare:
            return
        names = Q(nominee__last_name__in={row.nominee.last_name for row in bare} - {""})
        names |= Q(nominee__company_name__in={row.nominee.company_name for row in bare} - {""})
        alike = there.complete().filter(names, nominee__email="", nominee__linkedin_url="")
        self.keys.update(key_of(row) for row in alike.filter(why__in={row.why for row in bare}))

    def _remember(self, named: Nominee, meant: Nominee) -> None:
        for name in ADDRESSES:
            if getattr(named, name):
                self.nominees.setdefault((named.kind, name, getattr(named, name)), meant)

    def author_of(self, wanted: Nomination) -> Nominator:
        """The nominator of that address; known blanks are filled, what is known stays."""
        draft = wanted.nominator
        if not draft.email:
            return self.organisers
        person = self.people.setdefault(draft.email, draft)
        if person is draft:
            self.new_people.append(draft)
        elif not self.is_dry:
            fill_blanks(person, {name: getattr(draft, name) for name in PERSON_FIELDS})
        return person

    def nominee_of(self, wanted: Nomination) -> Nominee | None:
        """Who is known by one of the addresses, within the kind."""
        draft = wanted.nominee
        for name in ADDRESSES:
            found = self.nominees.get((draft.kind, name, getattr(draft, name)))
            if found is not None:
                return found
        return None

    def subject_of(self, wanted: Nomination, *, joined: Nominee | None = None) -> Nominee:
        """The nominee, or whom staff joined it to; the blanks of one who is not public yet are filled."""
        draft = wanted.nominee
        found = joined or self.nominee_of(wanted) or draft
        if found is draft:
            self.new_nominees.append(draft)
        elif found.state == Nominee.State.DRAFT and not self.is_dry:
            fill_blanks(found, self._unclaimed(draft))
        self._remember(found, found)
        return found

    def save(self) -> None:
        """Those who are new. Nobody outside hears of them before the log says that somebody was nominated."""
        Nominator.objects.bulk_create(self.new_people)
        Nominee.objects.bulk_create(self.new_nominees)

    def _unclaimed(self, draft: Nominee) -> Fields:
        """Its fields without an address that already identifies somebody."""
        taken = [name for name in ADDRESSES if (draft.kind, name, getattr(draft, name)) in self.nominees]
        return {name: getattr(draft, name) for name in NOMINEE_FIELDS if name not in taken}
