"""The customers of a business, live: a table that follows every till by itself."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from crm.admin.tenancy import roles_of
from loyalty.pages import board


def urls(site: AdminSite) -> list[URLPattern]:
    """The live table's addresses, below the admin's."""

    def door(tail: str, name: str, view: Callable[..., HttpResponse]) -> URLPattern:
        def opened(request: HttpRequest) -> HttpResponse:
            request.current_app = site.name
            return view(site, request)

        return path(f"loyalty/customers/live/{tail}", site.admin_view(opened), name=name)

    return [
        door("", "loyalty_live", _page),
        door("totals", "loyalty_live_totals", _totals),
        door("here", "loyalty_live_here", _here),
    ]


def menu_entry(request: HttpRequest) -> dict[str, Any] | None:
    """The live table in the admin's list of lists, for those who may see customers."""
    user = request.user
    if not (user.is_authenticated and (user.acts_for_all(board.VIEW) or roles_of(request))):
        return None
    url = reverse("admin:loyalty_live")
    return {"name": "Customers, live", "object_name": "Live", "admin_url": url, "view_only": True}


def _page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    business = board.chosen_business(request)
    if business is None:
        messages.warning(request, "There is no business yet: add the first one.")
        return HttpResponseRedirect(reverse("admin:index"))
    context = {**site.each_context(request), "title": "Customers, live", **board.board_of(request, business)}
    return TemplateResponse(request, "admin/loyalty/live.html", context)


def _totals(site: AdminSite, request: HttpRequest) -> HttpResponse:
    business = board.chosen_business(request)
    if business is None:
        raise Http404("Not found.")
    return board.totals_answer(business)


def _here(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """An open screen says so. Raises PermissionDenied."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    user = board.user_of(request)
    if not (user.acts_for_all(board.VIEW) or user.memberships.exists()):
        raise PermissionDenied
    try:
        return board.here_answer(user, request.POST.get("screen", ""))
    except ValidationError as error:
        return HttpResponse(error.message, status=400, content_type="text/plain")
