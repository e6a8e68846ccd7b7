"""The awards of the demo: last year's season with its published results, and votes for this one."""

from datetime import datetime, timedelta

from django.utils import timezone

from crm.models import User
from nominations.models import Category, Nomination, Season, Vote
from nominations.services import (
    add_manual_votes,
    approve_nomination,
    cast_vote,
    make_season_current,
    publish_results,
    submit_nomination,
)

YEAR = timedelta(days=365)
NOMINATING, VOTING = timedelta(days=28), timedelta(days=21)
ORGANISER = {"first_name": "Ines", "last_name": "Ferreira", "email": "ines.ferreira@example.org"}
# Whom last year's season knew, their votes, and those that came by post; two share a second place.
LAST_YEAR: dict[str, list[tuple[str, str, str, str, int, int]]] = {
    "best-staffing-leader": [
        ("Maya", "Okafor", "Northbound Talent", "nominee0@example.com", 6, 31),
        ("Henrik", "Lund", "Fjord People", "henrik.lund@example.com", 4, 20),
        ("Aisha", "Rahman", "Crescent Staffing", "aisha.rahman@example.com", 4, 20),
        ("Peter", "Novák", "Vltava Search", "peter.novak@example.com", 1, 0),
    ],
    "best-recruiter": [
        ("Chiara", "Conti", "Lantern Recruiting", "chiara.conti@example.com", 5, 24),
        ("Zoë", "Müller", "Alpenruf", "nominee3@example.com", 6, 18),
        ("Dev", "Patel", "Kestrel Search", "dev.patel@example.com", 2, 0),
    ],
    "rising-star-under-30": [
        ("Noah", "Mensah", "Gold Coast Careers", "noah.mensah@example.com", 7, 12),
        ("Elif", "Demir", "Bosphorus Hiring", "elif.demir@example.com", 3, 15),
    ],
    "best-staffing-firm": [
        ("Fjord People", "", "", "", 5, 40),
        ("Northbound Talent", "", "", "", 4, 33),
        ("Crescent Staffing", "", "", "", 2, 11),
    ],
}
WHY = "Who worked with them last year says it of their own accord: the calls are answered, the promises are kept."
FIRST = ("Olu", "Anna", "Marek", "Sofia", "James", "Yuki", "Carmen", "Ivo", "Leila")
LAST = ("Berg", "Santos", "Evans")
FIRMS = ("riverside-jobs.example", "tideline.example", "oak-and-ash.example")
COUNTRIES = ("United Kingdom", "United Kingdom", "Ireland", "Germany", "Portugal", "Nigeria", "")
VOTERS = [
    {
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}@{FIRMS[number % len(FIRMS)]}".lower(),
        "country": COUNTRIES[number % len(COUNTRIES)],
    }
    for number, (first, last) in enumerate((first, last) for last in LAST for first in FIRST)
]
# This year's nominees by name, in the order in which they are ahead.
THIS_YEAR = {
    "best-staffing-leader": [("Maya Okafor", 6), ("John Smith", 5)],
    "best-recruiter": [("Zoë Müller", 4)],
    "best-staffing-firm": [("ABC Company Ltd.", 3)],
}


def make_last_season(staff: User, current: Season) -> None:
    """Nominated, voted and published a year before the current one."""
    now = timezone.now()
    opened = now - YEAR
    last = Season.objects.create(
        name=f"Laurel Awards {now.year - 1}",
        nominations_open_at=opened,
        voting_open_at=opened,
        nominations_closed_message=f"Nominations for {now.year - 1} are closed.",
    )
    make_season_current(last)
    for category, nominees in LAST_YEAR.items():
        votes = iter(range(len(VOTERS)))
        for number, (first, rest, company, email, count, by_post) in enumerate(nominees):
            nomination = _nominate(staff, Category.objects.get(slug=category), first, rest, company, email)
            created_at = opened + timedelta(days=2 + 5 * number, hours=3)
            times = {"created_at": created_at, "approved_at": created_at + timedelta(days=1)}
            Nomination.objects.filter(pk=nomination.pk).update(**times)
            _vote(nomination, [next(votes) for _ in range(count)], opened + NOMINATING, opened + NOMINATING + VOTING)
            if by_post:
                who, where = nomination.nominee, nomination.category
                add_manual_votes(who, where, count=by_post, reason="Ballots sent by post.", by=staff, season=last)
    last.nominations_close_at, last.voting_open_at = opened + NOMINATING, opened + NOMINATING
    last.voting_close_at = last.voting_open_at + VOTING
    last.results_published_at = last.voting_close_at + timedelta(days=7)
    last.save()
    publish_results(last, by=staff)
    last.results.update(frozen_at=last.results_published_at)
    make_season_current(current)


def make_votes(season: Season) -> None:
    """Some since voting opened."""
    now = timezone.now()
    opened = season.voting_open_at or now
    for category, nominees in THIS_YEAR.items():
        votes = iter(range(len(VOTERS)))
        approved = Nomination.objects.approved().filter(season=season, category__slug=category)
        found = {nomination.nominee.name: nomination for nomination in approved.select_related("category", "nominee")}
        for name, count in nominees:
            chosen = [next(votes) for _ in range(count)]
            if name in found:
                _vote(found[name], chosen, opened, now)


def _nominate(staff: User, category: Category, first: str, last: str, company: str, email: str) -> Nomination:
    person = {"kind": "person", "first_name": first, "last_name": last, "company": company, "email": email}
    fields = person if last else {"kind": "company", "company_name": first, "industry": "Staffing"}
    nomination = submit_nomination(
        category, nominator=ORGANISER, nominee=fields, why=WHY, source=Nomination.Source.PAGE
    )
    return approve_nomination(nomination, by=staff)


def _vote(nomination: Nomination, voters: list[int], opened_at: datetime, closed_at: datetime) -> None:
    """Cast now, through the front door; then dated back over the time that voting was open, rarely at night."""
    votes = [cast_vote(nomination.category, nomination.nominee, voter=VOTERS[number]) for number in voters]
    for number, vote in zip(voters, votes, strict=True):
        at = opened_at + (closed_at - opened_at) * ((number * 37 + nomination.category.position * 23) % 89 / 97)
        awake = at.replace(hour=7 + at.hour * 2 // 3)
        vote.created_at = awake if opened_at < awake < closed_at else at
    Vote.objects.bulk_update(votes, ["created_at"])
