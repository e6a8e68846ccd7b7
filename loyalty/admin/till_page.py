"""What every page of the till needs: its business, its address, its frame."""

from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from crm.models import Business, Membership, User
from crm.selectors import business_for, require_role
from loyalty import selectors
from loyalty.admin.moves import REDEEM, REVERSE, Move
from loyalty.models import LoyaltyCard

# Which business a till belongs to is the browser's to remember: reading a page writes nothing.
COOKIE, COOKIE_DAYS = "till_business", 365


def address_of(move: Move, card: LoyaltyCard, **query: object) -> str:
    """Where the move is made on the card."""
    return f"{reverse(f'admin:loyalty_{move.name}')}?{urlencode({'card': card.pk, **query})}"


def user_of(request: HttpRequest) -> User:
    """Who works at the till."""
    return cast(User, request.user)


def businesses_of(user: User, move: Move) -> QuerySet[Business]:
    """Where the user may make the move."""
    rows = Business.objects.visible_to(user, move.permission)
    if user.acts_for_all(move.permission):
        return rows
    return rows.filter(memberships__user=user, memberships__role__in=Membership.reaching(move.role))


def chosen_business(request: HttpRequest, move: Move) -> Business:
    """The one the address names, else the till's last one, else the first. Raises Http404, PermissionDenied."""
    user, wanted = user_of(request), request.GET.get("business")
    if wanted:
        business = business_for(user, wanted, permission=move.permission)
        require_role(user, business, move.role, permission=move.permission)
        return business
    own = businesses_of(user, move)
    return own.filter(slug=request.COOKIES.get(COOKIE, "")).first() or own[0]


def phone_in(text: str, business: Business) -> str:
    """The phone that was typed, in normal form, or nothing."""
    try:
        return selectors.phone_of(text, business)
    except ValidationError:
        return ""


def row_named(request: HttpRequest, name: str, rows: Any) -> Any:
    """The row whose id the address names, or None."""
    try:
        return rows.filter(pk=UUID(request.GET[name])).first()
    except (KeyError, ValueError):
        return None


def log(user: User, card: LoyaltyCard, said: str) -> None:
    """An entry in the card's history."""
    LogEntry.objects.log_actions(user.pk, [card], CHANGE, said, single_object=True)


def page(
    site: AdminSite, request: HttpRequest, move: Move, business: Business, context: dict[str, Any]
) -> HttpResponse:
    """The till's page, which remembers its business."""
    businesses = list(businesses_of(user_of(request), move))
    finds = REDEEM if move is REVERSE else move
    values = {
        **site.each_context(request),
        "title": move.title,
        "move": move,
        "find_url": reverse(f"admin:loyalty_{finds.name}"),
        "business": business,
        "businesses": businesses if len(businesses) > 1 else [],
        "focus": "find",
        **context,
    }
    response = TemplateResponse(request, "admin/loyalty/till/till.html", values)
    response.set_cookie(
        COOKIE,
        business.slug,
        max_age=COOKIE_DAYS * 86_400,
        path=reverse("admin:index"),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response
