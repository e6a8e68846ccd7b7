"""What the pages of customers and businesses share: who is signed in, and what stands around each page."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django_htmx.http import HttpResponseClientRedirect

from crm.api.views import address_of
from crm.models import User
from crm.services import take_turn
from loyalty.models import Customer
from loyalty.selectors.scope import scope_of
from notifications.models import Notification
from notifications.selectors import Scope

View = Callable[..., HttpResponse]
MOST_COUNTED = 99
FOR_CUSTOMERS = (("Cards", "cards"), ("QR code", "qr"))
FOR_MEMBERS = (("Customers", "business-customers"), ("Scan", "business-scan"))


@dataclass(frozen=True)
class Link:
    """An entry of the navigation; the bell also says how much is unread."""

    label: str
    url: str
    is_here: bool
    is_bell: bool = False


@dataclass(frozen=True)
class Frame:
    """What stands around a page. `version` is the place in the feed of changes that it shows."""

    scope: Scope
    links: list[Link]
    home: str

    @cached_property
    def unread(self) -> int:
        """How much nobody has opened, counted no further than is shown."""
        return Notification.objects.unread().filter(self.scope.wanted)[: MOST_COUNTED + 1].count()

    @property
    def version(self) -> str:
        """Of the newest change that its reader sees."""
        return self.scope.version

    @property
    def unread_shown(self) -> str:
        """`3`, `99+`."""
        return f"{MOST_COUNTED}+" if self.unread > MOST_COUNTED else str(self.unread)


def frame_of(request: HttpRequest) -> Frame | None:
    """The navigation of whoever is signed in: a person may be a customer and a member."""
    if not request.user.is_authenticated:
        return None
    user = request.user
    scope = scope_of(user)
    names = list(FOR_CUSTOMERS) if scope.customer else []
    if scope.businesses or user.is_staff:
        names += FOR_MEMBERS
    links = [_link(request, label, name) for label, name in names]
    links.append(_link(request, "Notifications", "notifications", is_bell=True))
    if scope.businesses or user.is_staff:
        links.append(Link("Admin", reverse("admin:index"), False))
    return Frame(scope, links, links[0].url)


def _link(request: HttpRequest, label: str, name: str, *, is_bell: bool = False) -> Link:
    url = reverse(name)
    return Link(label, url, request.path == url, is_bell)


def shown(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """The page in its frame. A page that has a `frame` already in its context keeps it."""
    context = context or {}
    frame = context.get("frame") or frame_of(request)
    return render(request, template, {**context, "frame": frame}, status=status)


def is_unchanged(request: HttpRequest, frame: Frame) -> bool:
    """Whether a page that asks by itself, naming the version that it shows, would be told nothing new."""
    return bool(getattr(request, "htmx", False)) and request.GET.get("version") == frame.version


def unchanged() -> HttpResponse:
    """The page stays as it is."""
    return HttpResponse(status=204)


def signed_in(view: View) -> View:
    """Nobody but logins; others sign in and come back."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, *args, **kwargs) if request.user.is_authenticated else _to_login(request)

    return guarded


def for_customers(view: View) -> View:
    """The view gets the customer after the request. Whoever signed in and is none is told so."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        customer = Customer.objects.filter(user=cast(User, request.user)).first()
        if customer is None:
            return shown(request, "loyalty/no_customer.html", status=403)
        return view(request, customer, *args, **kwargs)

    return signed_in(guarded)


def _to_login(request: HttpRequest) -> HttpResponse:
    """A page that asks by itself goes there as a whole, not into its own middle."""
    htmx = getattr(request, "htmx", None)
    here = (htmx.current_url_abs_path or reverse("cards")) if htmx else request.get_full_path()
    login = f"{reverse('login')}?{urlencode({'next': here})}"
    return HttpResponseClientRedirect(login) if htmx else redirect(login)


def own_path(text: str | None) -> str:
    """An address to go on to, if it is one of ours, else nothing."""
    path = (text or "")[:500]
    is_ours = path.startswith("/") and path.isprintable()
    return path if is_ours and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else ""


def turned_away(request: HttpRequest) -> HttpResponse | None:
    """A 429 page for an address that sends too much; it shares its turns with the public API."""
    wait = math.ceil(take_turn(f"public:{address_of(request)}", settings.THROTTLE_RATES["public"]))
    if not wait:
        return None
    detail = f"Please wait {wait} second{'s' if wait > 1 else ''}, then go back and send the form again."
    response = shown(request, "loyalty/notice.html", {"title": "A little too fast", "detail": detail}, status=429)
    response["Retry-After"] = str(wait)
    return response
