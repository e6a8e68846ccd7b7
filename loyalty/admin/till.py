"""The till: a customer is found, served, and the next one can be. Every address is a move and a card."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from crm.admin.tenancy import roles_of
from crm.models import Business, User
from loyalty import selectors
from loyalty.admin.desk import Desk, phone_for_display
from loyalty.admin.enrolling import enroll, offer_to_enroll
from loyalty.admin.moves import REDEEM, REVERSE, TABS, TILL, Move
from loyalty.admin.serving import reverse_row, serve
from loyalty.admin.till_page import address_of, businesses_of, chosen_business, page, phone_in, user_of
from loyalty.models import LoyaltyCard

MOST_HITS, MOST_TEXT = 10, 100


def urls(site: AdminSite) -> list[URLPattern]:
    """The till's addresses, below the admin's."""

    def door(address: str, name: str, move: Move, view: Callable[..., HttpResponse]) -> URLPattern:
        def opened(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            request.current_app = site.name
            return _turned_away(request, move) or view(site, request, **kwargs)

        return path(f"loyalty/{address}/", site.admin_view(opened), name=f"loyalty_{name}")

    return [
        *[door(move.name, move.name, move, partial(_till, move=move)) for move in TABS],
        door("transaction/<uuid:pk>/reverse", REVERSE.name, REVERSE, reverse_row),
        door("enrol", "enrol", REDEEM, enroll),
    ]


def _turned_away(request: HttpRequest, move: Move) -> HttpResponse | None:
    """Whoever may make the move nowhere. Raises PermissionDenied."""
    user = user_of(request)
    if businesses_of(user, move).exists():
        return None
    if not user.acts_for_all(move.permission):
        raise PermissionDenied
    messages.warning(request, "There is no business yet: add the first one.")
    return HttpResponseRedirect(reverse("admin:index"))


def menu_entry(request: HttpRequest) -> dict[str, Any] | None:
    """The till in the admin's list of lists, for those who may use it."""
    user = request.user
    if not (user.is_authenticated and (user.acts_for_all(TILL) or roles_of(request))):
        return None
    return {"name": "Till", "object_name": "Till", "admin_url": reverse("admin:loyalty_redeem"), "view_only": True}


def _till(site: AdminSite, request: HttpRequest, *, move: Move) -> HttpResponse:
    """The card that the address names, or the field in which one is looked for."""
    if "card" not in request.GET:
        return _find(site, request, move)
    cards = selectors.cards_of(user_of(request), move.permission)
    card = get_object_or_404(cards, selectors.id_or_number(request.GET["card"]))
    return serve(site, request, move, Desk(user_of(request), card))


def _find(site: AdminSite, request: HttpRequest, move: Move) -> HttpResponse:
    business = chosen_business(request, move)
    text = request.GET.get("q", "").strip()[:MOST_TEXT]
    hits = _hits(user_of(request), business, move, text) if text else []
    # Several cards of one customer: that of the default program comes first, and the others stand beside it.
    if len({hit.enrollment.customer_id for hit in hits}) == 1:
        return HttpResponseRedirect(address_of(move, hits[0]))
    faces = [
        (hit, phone_for_display(hit.enrollment.customer.phone), address_of(move, hit)) for hit in hits[:MOST_HITS]
    ]
    context = {"q": text, "faces": faces, "has_more": len(hits) > MOST_HITS, "focus": "faces" if faces else "find"}
    if text and not hits and REDEEM.is_open_to(user_of(request), business):
        context |= offer_to_enroll(business, text)
    return page(site, request, move, business, context)


def _hits(user: User, business: Business, move: Move, text: str) -> list[LoyaltyCard]:
    """A card number in any of the user's businesses; else a phone, else what looks like it, in this one."""
    cards = selectors.cards_of(user, move.permission).order_by(
        "enrollment__customer__last_name",
        "enrollment__customer__first_name",
        "enrollment__customer",
        "-enrollment__program__is_default",
        "card_number",
    )
    own = cards.filter(enrollment__program__business=business)
    exactly = own.filter(enrollment__customer__phone=phone_in(text, business) or None)
    for rows in (cards.filter(selectors.id_or_number(text)), exactly):
        hits = list(rows)
        if hits:
            return hits
    return list(selectors.search_cards(own, text, business.default_region)[: MOST_HITS + 1])
