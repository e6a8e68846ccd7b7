"""`manage.py demo`: data to try the product with."""

import time
from argparse import ArgumentParser
from datetime import timedelta
from decimal import Decimal
from typing import Any

import requests
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from config.demo_awards import make_last_season, make_votes
from crm import services as leads
from crm.models import Business, Connection, Lead, Membership, Message, User
from loops_sync import tasks
from loyalty import services as points
from loyalty.models import Enrollment, LoyaltyCard, RewardTier
from nominations.models import Category, CategoryGroup, Nomination, Season
from nominations.services import approve_nomination, submit_nomination

Role = Membership.Role
PASSWORD = "laurel-demo"  # noqa: S105 - printed for everybody to read
LOGINS = {
    "staff@laurel.test": "staff, everything",
    "editor@laurel.test": "staff, nominations only",
    "manager@laurel.test": "manager of the Harbour Café",
    "cashier@laurel.test": "cashier of the Harbour Café",
    "customer@laurel.test": "customer with points and an invitation",
}
CUSTOMER = ("07306 506797", "customer@laurel.test")
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
REWARDS = [(500, "Coffee"), (1500, "Lunch for two"), (4000, "Dinner on the terrace")]
# Phones of the range that is kept for fiction; the orders of each, and what was redeemed of the points.
CUSTOMERS: list[tuple[str, str, list[str], int]] = [
    ("07306 506797", "Amara Obi", ["128.40", "86.00", "64.25", "240.00"], 200),
    ("07700 900001", "Grace Hughes", ["12.40", "8.90", "31.00"], 0),
    ("07700 900002", "Callum Reid", ["640.00", "212.50"], 500),
    ("07700 900003", "Priya Nair", ["18.20", "24.00", "9.75", "42.10"], 100),
    ("07700 900004", "Owen Price", ["1210.00", "480.00", "95.00"], 1500),
    ("07700 900005", "Zofia Nowak", ["6.40"], 0),
    ("07700 900006", "Samuel Adeyemi", ["75.00", "75.00", "75.00"], 0),
    ("07700 900007", "Hannah Clarke", ["3180.00"], 1000),
    ("07700 900008", "Luca Rossi", ["54.00", "22.80"], 0),
    ("07700 900009", "Mei Chen", ["15.00", "15.00"], 0),
    ("07700 900010", "Fiona Walsh", ["410.00", "36.60"], 300),
    ("07700 900011", "", [], 0),
]
# An account of the sandbox, and what was said to its people.
CRM_SEED = 7
OUTBOUND, INBOUND = Message.Direction.OUTBOUND, Message.Direction.INBOUND
SAID = [
    (
        "Hello from the Harbour Café. Shall we keep your table on Friday?",
        "Yes please, for four. One eats no fish.",
    ),
    ("Thank you for asking about the terrace. It is free on the 14th.", ""),
    ("The menu for your party is ready. May we send it?", "Perfect, by email. How much is it for forty people?"),
]
WHY = "They turned a hard year around, hired forty people who stayed, and answered every one of us in person."


class Command(BaseCommand):
    """Makes logins, a season with nominations, and a points program; running it again adds only what is missing."""

    help = "Demo data: logins, a season with nominations, a business with a points program. Safe to run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--crm`."""
        parser.add_argument("--crm", action="store_true", help="only connect a CRM at the sandbox, which has to run")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the logins at the end."""
        if options["crm"]:
            connect_crm(User.objects.get(email="staff@laurel.test"))
            return
        with transaction.atomic():
            staff = make_logins()
            season = make_season()
            make_categories()
            if not Nomination.objects.exists():
                make_last_season(staff, season)
                make_nominations(staff)
                make_votes(season)
            make_points()
        # The first delivery, and the sign of life that /readyz asks for, without waiting for the queue's clock.
        tasks.queue_sweep()
        for email, what in LOGINS.items() if options["verbosity"] else ():
            self.stdout.write(f"{email}  {PASSWORD}  ({what})")


def make_logins() -> User:
    """A superuser, an editor with the awards' permissions, and a business with its people."""
    staff = make_login("staff@laurel.test", "Robin", "Staff", is_staff=True, is_superuser=True)
    editor = make_login("editor@laurel.test", "Noor", "Editor", is_staff=True)
    editor.user_permissions.set(Permission.objects.filter(content_type__app_label="nominations"))
    manager = make_login("manager@laurel.test", "Maggie", "Manager")
    cashier = make_login("cashier@laurel.test", "Cas", "Cashier")
    business = Business.objects.get_or_create(slug="harbour-cafe", defaults={"name": "Harbour Café"})[0]
    for user, role in ((staff, Role.OWNER), (manager, Role.MANAGER), (cashier, Role.CASHIER)):
        Membership.objects.get_or_create(user=user, business=business, defaults={"role": role})
    return staff


def make_login(email: str, first: str, last: str, **rights: bool) -> User:
    """The login of that address, as somebody may have changed it."""
    known = User.objects.filter(email=email).first()
    return known or User.objects.create_user(email, PASSWORD, first_name=first, last_name=last, **rights)


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


def make_points() -> None:
    """A program of the business, and customers with a history. Whoever has a card already keeps it as it is."""
    business = Business.objects.get(slug="harbour-cafe")
    program = business.programs.filter(is_default=True).first()
    if program is None:
        program = points.add_program(business, name="Harbour Points", welcome_points=50, expiry_days=365)
        RewardTier.objects.bulk_create(
            RewardTier(program=program, points_required=required, reward=reward) for required, reward in REWARDS
        )
    cashier, manager = (User.objects.get(email=f"{name}@laurel.test") for name in ("cashier", "manager"))
    for number, (phone, name, orders, redeemed) in enumerate(CUSTOMERS if program.is_active else ()):
        customer = points.find_or_add_customer(phone, business=business, name=name)
        if not program.enrollments.filter(customer=customer).exists():
            card = points.enroll_customer(customer, program, by=cashier, source=Enrollment.Source.TILL).card
            make_history(card, f"HC-{1000 + 10 * number}", orders, redeemed, cashier)
            make_corrections(card, name, manager)
    make_customer(business, cashier)


def make_customer(business: Business, cashier: User) -> None:
    """The login of a customer, whom another program has invited; they have not answered yet."""
    phone, email = CUSTOMER
    customer = points.find_or_add_customer(phone, business=business)
    if customer.user is not None or User.objects.filter(email=email).exists():
        return
    customer.user, customer.email = make_login(email, customer.first_name, customer.last_name), email
    customer.save()
    club = business.programs.filter(name="Breakfast Club").first()
    club = club or points.add_program(business, name="Breakfast Club", welcome_points=25, is_default=False)
    points.request_enrollment(customer, club, by=cashier, source=Enrollment.Source.TILL)


def make_history(card: LoyaltyCard, order: str, totals: list[str], redeemed: int, by: User) -> None:
    """Orders at the till, and points redeemed on the last of them."""
    for number, total in enumerate(totals):
        asked = points.Instruction(by=by, reference=f"{order}-{number + 1}")
        points.earn_points(card, asked, order_total=Decimal(total))
    if redeemed:
        asked = points.Instruction(by=by, reference=f"{order}-{len(totals)}")
        points.redeem_points(card, asked, points=redeemed, order_total=Decimal(totals[-1]))


def make_corrections(card: LoyaltyCard, name: str, by: User) -> None:
    """What happens besides: an order that was returned, a gift, and points set aside for tomorrow."""
    asked = points.Instruction(by=by)
    if name == "Samuel Adeyemi":
        order = card.transactions.filter(operation_type="earn_points").latest("seq")
        points.reverse_transaction(order, asked, reason="Charged twice.")
    elif name == "Mei Chen":
        points.adjust_points(card, asked, points=120, reason="We forgot her birthday voucher.")
    elif name == "Luca Rossi":
        points.hold_points(card, points=100, by=by, lasts=timedelta(days=1), reason="Ordered for tomorrow.")


def connect_crm(by: User) -> None:
    """The business's HubSpot, at the sandbox, unless somebody chose another CRM or none.

    The sandbox forgets its connections when it stops, but makes the same people again from the same seed.
    """
    business = Business.objects.get(slug="harbour-cafe")
    tags = {"organization_id": str(business.pk), "end_user_id": str(by.pk), "end_user_email": by.email}
    account = {"provider": "hubspot", "seed": CRM_SEED, "contacts": 40, "dirty": True, "tags": tags}
    url = settings.NANGO_HOST.removesuffix("/nango") + "/_control/nango/connections"
    info = leads.look_up(requests.post(url, json=account, timeout=10).json()["connection_id"], "hubspot")
    known = Connection.objects.filter(business=business, crm_account_id=str(info.connection_config["portalId"]))
    if known.exists():
        again = {"nango_connection_id": info.connection_id, "reconnect_required": False, "last_error": ""}
        known.filter(is_active=True).update(**again)
    elif not Connection.objects.active().filter(business=business).exists():
        talk(leads.connect(business, info, by=by), by)


def talk(connection: Connection, by: User) -> None:
    """Conversations with some of the leads, as soon as the worker has read them."""
    deadline = time.monotonic() + 20
    while connection.runs.under_way().exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    now = timezone.now()
    for number, lead in enumerate(Lead.objects.filter(business=connection.business).exclude(phone="")[:9]):
        ours, theirs = SAID[number % len(SAID)]
        at = now - timedelta(hours=5 * number + 1)
        leads.log_message(lead, direction=OUTBOUND, channel="sms", body=ours, by=by, sent_at=at)
        if theirs:
            at += timedelta(minutes=17)
            leads.log_message(lead, direction=INBOUND, channel="sms", body=theirs, by=None, sent_at=at)
