"""Rows for tests, made through the services wherever there is one."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from config.sandbox.nango import Nango
from crm import services as crm
from crm.models import Business, Connection, Lead, Membership, User
from crm.models import Client as BusinessClient
from loyalty import services as points
from loyalty.models import Customer, LoyaltyCard, Program
from nominations import services
from nominations.models import Category, CategoryGroup, Nomination, Season, Vote

_numbers = count(1)


def superuser() -> User:
    """May do everything."""
    return User.objects.filter(email="boss@example.org").first() or User.objects.create_superuser(
        "boss@example.org", "secret-1"
    )


def staff(*permissions: str) -> User:
    """Staff with just those permissions, given as `app.codename`."""
    user = User.objects.create_user(f"staff{next(_numbers)}@example.org", "secret-1", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def season(**fields: Any) -> Season:
    """The current season, open for all unless the fields say otherwise."""
    now = timezone.now()
    known = Season.objects.filter(is_current=True).first()
    if known is not None and not fields:
        return known
    opened = {"nominations_open_at": now - timedelta(days=1), "voting_open_at": now - timedelta(days=1)}
    if known is not None:
        Season.objects.filter(pk=known.pk).update(**fields)
        return Season.objects.get(pk=known.pk)
    return Season.objects.create(**{"name": "2026", "is_current": True, **opened, **fields})


def category(slug: str = "best-recruiter", kind: str = "person") -> Category:
    """A category of that slug."""
    group = CategoryGroup.objects.get_or_create(name="Staffing")[0]
    label = slug.replace("-", " ").title()
    return Category.objects.get_or_create(slug=slug, defaults={"label": label, "kind": kind, "group": group})[0]


def person(**fields: Any) -> dict[str, Any]:
    """Somebody new who nominates or votes."""
    number = next(_numbers)
    return {"email": f"person{number}@example.org", "first_name": "Ada", "last_name": f"Number{number}", **fields}


def nominee(**fields: Any) -> dict[str, Any]:
    """Somebody new to be nominated."""
    number = next(_numbers)
    named = {"kind": "person", "first_name": "Nia", "last_name": f"Nominee{number}"}
    return {**named, "email": f"nominee{number}@example.com", **fields}


def company(**fields: Any) -> dict[str, Any]:
    """A company to be nominated."""
    return {"kind": "company", "company_name": f"Company {next(_numbers)}", **fields}


def submitted(
    *,
    to: Category | None = None,
    by: dict[str, Any] | None = None,
    of: dict[str, Any] | None = None,
    why: str = "Good.",
) -> Nomination:
    """A nomination that waits."""
    season()
    return services.submit_nomination(
        to or category(), nominator=by or person(), nominee=of or nominee(), why=why, source=Nomination.Source.API
    )


def approved(*, slug: str = "", **kwargs: Any) -> Nomination:
    """A nomination that staff approved."""
    return services.approve_nomination(submitted(**kwargs), by=superuser(), slug=slug)


def vote(nomination: Nomination, **voter: Any) -> Vote:
    """A vote for an approved nomination."""
    return services.cast_vote(nomination.category, nomination.nominee, voter=person(**voter))


def submission(**fields: Any) -> dict[str, Any]:
    """The body of POST /api/nominations."""
    season()
    return {"category": category().slug, "nominator": person(), "nominee": nominee(), "why": "Good.", **fields}


def business(slug: str = "corner-cafe") -> Business:
    """A tenant of that slug."""
    return Business.objects.get_or_create(slug=slug, defaults={"name": slug.replace("-", " ").title()})[0]


def plain_user(**fields: Any) -> User:
    """A login without rights."""
    return User.objects.create_user(f"user{next(_numbers)}@example.org", "secret-1", **fields)


def member(role: str, *of: Business) -> User:
    """Somebody with that role in each of the businesses."""
    user = plain_user()
    for tenant in of:
        Membership.objects.create(user=user, business=tenant, role=role)
    return user


def reopened(nomination: Nomination) -> Nomination:
    """The same, after staff took the decision back."""
    return services.reopen_nomination(nomination, by=superuser())


def in_state(state: str, **kwargs: Any) -> Nomination:
    """A nomination that staff brought into that state."""
    nomination, by = submitted(**kwargs), superuser()
    if state == Nomination.State.APPROVED:
        return services.approve_nomination(nomination, by=by)
    if state == Nomination.State.REJECTED:
        return services.reject_nomination(nomination, by=by, reason="Not eligible.")
    if state == Nomination.State.WITHDRAWN:
        return services.withdraw_nomination(nomination, by=by)
    if state == Nomination.State.DUPLICATE:
        return services.mark_duplicate(nomination, of=submitted(to=nomination.category), by=by)
    return nomination


def program(of: Business | None = None, **settings: Any) -> Program:
    """A points program of the business; without settings, its default one."""
    tenant = of or business()
    known = Program.objects.filter(business=tenant, is_default=True).first()
    if known is not None and not settings:
        return known
    return points.add_program(tenant, **{"name": f"Program {next(_numbers)}", **settings})


def customer(phone: str = "", *, of: Business | None = None, **fields: Any) -> Customer:
    """Somebody with a phone."""
    number = phone or f"07306 {next(_numbers):06d}"
    found = points.find_or_add_customer(number, business=of or business(), name="Ada Lovelace")
    for name, value in fields.items():
        setattr(found, name, value)
    found.save()
    return found


def card(holding: int = 0, *, of: Program | None = None, by: Customer | None = None) -> LoyaltyCard:
    """An active customer's card that holds so many points, awarded in one lot."""
    at = of or program()
    enrolled = points.enroll_customer(by or customer(), at, by=None, source="till")
    if holding:
        points.earn_points(enrolled.card, points.Instruction(), points=holding)
    return LoyaltyCard.objects.complete().get(pk=enrolled.card.pk)


def connection(of: Business | None = None, /, **fields: Any) -> Connection:
    """An active line of the business to HubSpot, which has never been read."""
    known = {"provider": "hubspot", "provider_config_key": "hubspot", "crm_account_id": "42"}
    named = {"nango_connection_id": f"connection-{next(_numbers)}", **known, **fields}
    return Connection.objects.create(business=of or business(), **named)


def connected(nango: Nango, to: Business, key: str = "hubspot", **account: Any) -> Connection:
    """The business's line to an account of that CRM in the sandbox."""
    connection_id = nango.connect(key, tags={"organization_id": str(to.pk)}, **account)
    return crm.connect(to, crm.look_up(connection_id, key), by=None)


def lead(of: Business | None = None, /, **fields: Any) -> Lead:
    """A lead of the business: by hand, unless the fields give it a CRM id."""
    source = {"crm_source": "hubspot", "crm_account_id": "42"} if fields.get("crm_id") else {}
    named = {"name": f"Lead {next(_numbers)}", "email": f"lead{next(_numbers)}@example.org", **source, **fields}
    return Lead.objects.create(business=of or business(), **named)


def client(of: Business | None = None, /, **fields: Any) -> BusinessClient:
    """A client of the business."""
    number = next(_numbers)
    named = {"first_name": "Cleo", "last_name": f"Client{number}", "email": f"client{number}@example.org"}
    return crm.add_client(of or business(), **{**named, **fields})


def logged_in(user: User) -> Client:
    """The user's own browser, for counting what an answer alone asks of the database."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client
