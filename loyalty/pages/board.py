"""A business's customers as a table that follows what changes: what the staff site and the business's page share."""

from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID, uuid4

import phonenumbers
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone

from crm.models import Business, User
from crm.selectors import business_for
from crm.services import count_here
from loyalty import selectors
from loyalty.selectors import Totals
from notifications.admin import when

VIEW, VIEW_CUSTOMER = "loyalty.view_loyaltycard", "loyalty.view_customer"
PAGE_SIZE, MOST_TEXT = 50, 100
# A screen says each minute that it is open; one that has not for so long is closed.
HERE_SECONDS = 90
MOST_SCREENS, INTERVAL, SLOW_INTERVAL = 20, 5, 10
# Places in addresses that the browser fills for a customer who comes in later.
ID, PHONE = "__id__", "__phone__"
COLUMNS = {
    "name": "Name",
    "phone": "Phone",
    "points_balance": "Points",
    "tier_level": "Tier",
    "total_points_earned": "Earned",
    "total_points_redeemed": "Redeemed",
    "programs": "Programs",
    "updated_at": "Last activity",
}


@dataclass(frozen=True)
class Row:
    """A customer as the table shows them; `page` and `till` are addresses."""

    id: str
    points: int
    cells: dict[str, Any]
    page: str
    till: str


@dataclass(frozen=True)
class Column:
    """A heading: its address sorts by it, or the other way round where it does already."""

    name: str
    label: str
    url: str
    sorted: str


def user_of(request: HttpRequest) -> User:
    """Who looks."""
    return cast(User, request.user)


def chosen_business(request: HttpRequest, permission: str = VIEW) -> Business | None:
    """The one that the address names, else the first of the user's; None where there is none at all.

    Raises Http404, and PermissionDenied for whoever belongs to no business and is no staff with the permission.
    """
    user, wanted = user_of(request), request.GET.get("business")
    if wanted:
        return business_for(user, wanted, permission=permission)
    first = Business.objects.visible_to(user, permission).first()
    if first is None and not user.acts_for_all(permission):
        raise PermissionDenied
    return first


def choices_of(user: User, permission: str = VIEW) -> list[Business]:
    """The businesses to choose from, if there are several."""
    found = list(Business.objects.visible_to(user, permission))
    return found if len(found) > 1 else []


def board_of(request: HttpRequest, business: Business) -> dict[str, Any]:
    """The table and what stands around it. A page past the end is the last one."""
    q, ordering = request.GET.get("q", "").strip()[:MOST_TEXT], request.GET.get("ordering", "")
    # Before the rows: what changes meanwhile is told twice rather than never.
    cursor = selectors.place_of(business)
    rows = selectors.in_order(selectors.customers_of(business, q), ordering)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    asked = {"business": business.slug, **({"q": q} if q else {}), **({"ordering": ordering} if ordering else {})}
    links = Links(user_of(request), business)
    return {
        "business": business,
        "businesses": choices_of(user_of(request)),
        "q": q,
        "ordering": ordering,
        "page": page,
        "columns": _columns(asked, ordering),
        "rows": [links.row(customer) for customer in page],
        "blank": links.blank(),
        "totals": figures_of(selectors.totals_of(business), business),
        "cursor": cursor,
        "changes_url": f"{reverse('api-customers')}?{urlencode(asked)}",
        "totals_url": f"{reverse('admin:loyalty_live_totals')}?{urlencode({'business': business.slug})}",
        "here_url": reverse("admin:loyalty_live_here"),
        "screen": uuid4(),
        "interval": INTERVAL,
        # A newcomer belongs on top where whoever was active last comes first.
        "takes_new": page.number == 1 and ordering.removeprefix("-") not in selectors.ORDERINGS,
        "read_at": timezone.now(),
        "pages": _pages(asked, page),
        "self_url": f"?{urlencode({**asked, **({'page': page.number} if page.number > 1 else {})})}",
    }


def _columns(asked: dict[str, str], ordering: str) -> list[Column]:
    # Figures are first asked for from the top, names from the beginning.
    columns = []
    for name, label in COLUMNS.items():
        first, other = (name, f"-{name}") if name == "name" else (f"-{name}", name)
        sorted = "" if ordering not in (first, other) else "descending" if ordering[0] == "-" else "ascending"
        query = urlencode({**asked, "ordering": other if ordering == first else first})
        columns.append(Column(name, label, f"?{query}" if name in selectors.ORDERINGS else "", sorted))
    return columns


def _pages(asked: dict[str, str], page: Page[Any]) -> dict[str, str]:
    """Addresses of the pages before and after, as far as there are any."""
    found = {}
    if page.has_previous():
        found["previous"] = f"?{urlencode({**asked, 'page': page.previous_page_number()})}"
    if page.has_next():
        found["next"] = f"?{urlencode({**asked, 'page': page.next_page_number()})}"
    return found


@dataclass(frozen=True)
class Links:
    """Where a row leads its reader."""

    user: User
    business: Business

    def row(self, customer: Any) -> Row:
        """A customer of `customers_of`."""
        number = phonenumbers.parse(customer.phone)
        phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        cells = {
            "name": customer.name or "No name",
            "phone": phone,
            "points_balance": f"{customer.points_balance:,}",
            "tier_level": customer.tier_level,
            "total_points_earned": f"{customer.total_points_earned:,}",
            "total_points_redeemed": f"{customer.total_points_redeemed:,}",
            "programs": customer.programs,
            "updated_at": when(customer.seen_at),
        }
        return self._row(str(customer.pk), customer.phone, customer.points_balance, cells)

    def blank(self) -> Row:
        """For the browser to fill."""
        return self._row(ID, PHONE, 0, dict.fromkeys(COLUMNS, ""))

    def _row(self, id: str, phone: str, points: int, cells: dict[str, Any]) -> Row:
        page = reverse("admin:loyalty_customer_change", args=[id]) if self.sees_pages else ""
        query = urlencode({"business": self.business.slug, "q": phone})
        return Row(id, points, cells, page, f"{reverse('admin:loyalty_redeem')}?{query}")

    @property
    def sees_pages(self) -> bool:
        """Whether the staff site shows this user the customers one by one."""
        return not self.user.acts_for_all() or self.user.acts_for_all(VIEW_CUSTOMER)


def figures_of(totals: Totals, business: Business) -> dict[str, tuple[str, str]]:
    """The totals by name, each with its label, as they are read."""
    return {
        "customers": ("Customers", f"{totals.customers:,}"),
        "joined": ("New in 7 days", f"{totals.joined:,}"),
        "points": ("Points outstanding", f"{totals.points:,}"),
        "worth": ("Worth", selectors.money(totals.worth, business.currency)),
    }


def totals_answer(business: Business) -> JsonResponse:
    """The totals, for a table that has seen something change."""
    figures = figures_of(selectors.totals_of(business), business)
    return JsonResponse({name: text for name, (_label, text) in figures.items()})


def here_answer(user: User, screen: str) -> JsonResponse:
    """Count an open screen: how often each may ask. Raises ValidationError for what is no screen's id."""
    try:
        name = f"{user.pk}:{UUID(screen)}"
    except ValueError as error:
        raise ValidationError("This is no screen that was given out.") from error
    open_screens = count_here("live", name, seconds=HERE_SECONDS)
    return JsonResponse({"interval": SLOW_INTERVAL if open_screens > MOST_SCREENS else INTERVAL})
