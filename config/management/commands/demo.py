"""`manage.py demo`: data to try the product with."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from crm.models import Business, Membership, User
from loops_sync import tasks
from nominations.models import Category, CategoryGroup, Nomination, Season
from nominations.services import approve_nomination, submit_nomination

PASSWORD = "laurel-demo"  # noqa: S105 - printed for everybody to read
LOGINS = {"staff@laurel.test": "staff, everything", "editor@laurel.test": "staff, nominations only"}
CATEGORIES = [
    ("Staffing", "best-staffing-leader", "Best Staffing Leader", "person"),
    ("Staffing", "best-recruiter", "Best Recruiter", "person"),
    ("Staffing", "best-staffing-firm", "Best Staffing Firm", "company"),
    ("Rising", "rising-star-under-30", "Rising Star Under 30", "person"),
    ("Rising", "best-staffing-podcast", "Best Staffing Podcast or Show", "company"),
]
NOMINATORS = [
    ("Ada", "Nwosu", "ada.nwosu@example.org"),
    ("Tom", "O'Brien", "tom.obrien@example.org"),
    ("Li", "Wei", "li.wei@example.org"),
]
PEOPLE = [
    ("best-staffing-leader", "Maya", "Okafor", "Managing Director", "Northbound Talent", True),
    ("best-staffing-leader", "John", "Smith", "Chief Executive", "Harbour People", True),
    ("best-staffing-leader", "Jon", "Smith", "Regional Director", "Kestrel Search", False),
    ("best-recruiter", "Zoë", "Müller", "Senior Recruiter", "Alpenruf", True),
    ("best-recruiter", "Мария", "Иванова", "Recruiter", "Neva Talent", False),
    ("rising-star-under-30", "Sam", "Abara", "Consultant", "Lantern Recruiting", False),
]
COMPANIES = [
    ("best-staffing-firm", "ABC Company Ltd.", "Staffing", "51-200", True),
    ("best-staffing-firm", "Sea & Sky Staffing", "Maritime", "11-50", False),
    ("best-staffing-podcast", "The Shortlist", "Media", "1-10", False),
]
WHY = "They turned a hard year around, hired forty people who stayed, and answered every one of us in person."


class Command(BaseCommand):
    """Makes logins, a season, categories and nominations; running it again adds only what is missing."""

    help = "Demo data: two staff logins, a business, a season with nominations. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the logins at the end."""
        with transaction.atomic():
            staff = make_logins()
            make_season()
            make_categories()
            if not Nomination.objects.exists():
                make_nominations(staff)
        # The first delivery, and the sign of life that /readyz asks for, without waiting for the queue's clock.
        tasks.queue_sweep()
        for email, what in LOGINS.items() if options["verbosity"] else ():
            self.stdout.write(f"{email}  {PASSWORD}  ({what})")


def make_logins() -> User:
    """A superuser, an editor with the awards' permissions, and a business with its owner."""
    staff, editor = (User.objects.filter(email=email).first() for email in LOGINS)
    if staff is None:
        staff = User.objects.create_superuser("staff@laurel.test", PASSWORD, first_name="Robin", last_name="Staff")
    if editor is None:
        editor = User.objects.create_user(
            "editor@laurel.test", PASSWORD, first_name="Noor", last_name="Editor", is_staff=True
        )
    editor.user_permissions.set(Permission.objects.filter(content_type__app_label="nominations"))
    business = Business.objects.get_or_create(slug="harbour-cafe", defaults={"name": "Harbour Café"})[0]
    Membership.objects.get_or_create(user=staff, business=business, defaults={"role": Membership.Role.OWNER})
    return staff


def make_season() -> Season:
    """Open for nominations and votes, unless a season is current already."""
    now = timezone.now()
    current = Season.objects.filter(is_current=True).first()
    return current or Season.objects.create(
        name=f"Laurel Awards {now.year}",
        is_current=True,
        nominations_open_at=now - timedelta(days=7),
        nominations_close_at=now + timedelta(days=30),
        voting_open_at=now - timedelta(days=1),
        voting_close_at=now + timedelta(days=45),
    )


def make_categories() -> None:
    """Five categories in two groups."""
    for position, (group, slug, label, kind) in enumerate(CATEGORIES):
        heading = CategoryGroup.objects.get_or_create(name=group)[0]
        defaults = {"label": label, "kind": kind, "group": heading, "position": position}
        Category.objects.get_or_create(slug=slug, defaults=defaults)


def make_nominations(staff: User) -> None:
    """Some approved, some waiting; two names that are alike."""
    for number, (category, first, last, title, company, approved) in enumerate(PEOPLE):
        email = f"nominee{number}@example.com"
        fields = {"first_name": first, "last_name": last, "job_title": title, "company": company, "email": email}
        _nominate(staff, number, category, {"kind": "person", **fields}, approved)
    for number, (category, name, industry, size, approved) in enumerate(COMPANIES):
        fields = {"company_name": name, "industry": industry, "company_size": size, "country": "United Kingdom"}
        _nominate(staff, number, category, {"kind": "company", **fields}, approved)


def _nominate(staff: User, number: int, category: str, nominee: dict[str, str], approved: bool) -> None:
    first, last, email = NOMINATORS[number % len(NOMINATORS)]
    nomination = submit_nomination(
        Category.objects.get(slug=category),
        nominator={"first_name": first, "last_name": last, "email": email, "company": "Example Partners"},
        nominee=nominee,
        why=WHY,
        source=Nomination.Source.PAGE,
    )
    if approved:
        approve_nomination(nomination, by=staff)
