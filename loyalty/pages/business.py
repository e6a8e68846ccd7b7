"""A business's own pages: its customers, live, and the scanner for its tills."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from crm.models import Business, User
from loyalty import selectors, services
from loyalty.models import Program, QrScan
from loyalty.pages.board import VIEW, board_of, choices_of, chosen_business, user_of
from loyalty.pages.frame import View, shown, signed_in
from loyalty.pages.outcomes import last_scans, shown_scan
from loyalty.services.codes import CodeRefused
from notifications.admin import when

REDEEM = "loyalty.redeem_points"
FIGURES_DAYS, INTERACTIONS = 7, 8
LONGEST_CODE = 200
# A code that comes twice within this is a second click, or a scanner that reads twice.
SAME_SCAN = timedelta(seconds=60)


def for_business(permission: str) -> Callable[[View], View]:
    """The view gets the business after the request: members', or any for staff with the permission."""

    def guarded_by(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest) -> HttpResponse:
            try:
                business = chosen_business(request, permission)
            except PermissionDenied:
                return _notice(request, 403, "For businesses only", "This login belongs to no business.")
            if business is None:
                return _notice(request, 404, "No business yet", "Add the first one in the admin.")
            return view(request, business)

        return signed_in(guarded)

    return guarded_by


def _notice(request: HttpRequest, status: int, title: str, detail: str) -> HttpResponse:
    return shown(request, "loyalty/notice.html", {"title": title, "detail": detail}, status=status)


@require_safe
@for_business(VIEW)
def customers(request: HttpRequest, business: Business) -> HttpResponse:
    """Everybody who takes part, each once, with what the tills have seen lately."""
    figures = selectors.scan_figures(business, FIGURES_DAYS)
    # Some of these people have not joined: a business learns no more of them than its tills need.
    last = selectors.interactions_of(business, INTERACTIONS)
    interactions = [(row, selectors.masked_name(row.customer), when(row.created_at)) for row in last]
    context = {**board_of(request, business), "figures": figures, "interactions": interactions}
    return shown(request, "loyalty/business/customers.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_business(REDEEM)
def scan(request: HttpRequest, business: Business) -> HttpResponse:
    """A field for a scanner. A POST takes one code, and goes on to what came of it."""
    programs = list(business.programs.active())
    program = _named(request.POST.get("program") or request.GET.get("program"), programs)
    asked = {"business": business.slug, **({"program": program.pk} if program else {})}
    if request.method == "POST":
        found = _scanned(request.POST.get("code", "").strip()[:LONGEST_CODE], business, program, user_of(request))
        return redirect(f"{reverse('business-scan')}?{urlencode({**asked, **({'scan': found} if found else {})})}")
    user = user_of(request)
    last = _last(request, business)
    context: dict[str, Any] = {
        "business": business,
        "businesses": choices_of(user, REDEEM),
        "programs": programs if len(programs) > 1 else [],
        "program": program,
        "here": f"{reverse('business-scan')}?{urlencode({'business': business.slug})}",
        "result": shown_scan(last) if last else None,
        "last_scans": last_scans(business, user),
    }
    return shown(request, "loyalty/business/scan.html", context)


def _scanned(code: str, business: Business, program: Program | None, user: User) -> UUID | None:
    """The scan that the code made, also one that was refused; for a code that came twice, the first."""
    if not code:
        return None
    try:
        return services.scan_code(code, business, program=program, by=user).pk
    except CodeRefused as refusal:
        refused = refusal.scan
    earlier = QrScan.objects.filter(business=business, by=user, outcome__in=selectors.TOLD, customer=refused.customer)
    is_twin = refused.outcome == QrScan.Outcome.REPLAYED
    first = earlier.filter(created_at__gt=timezone.now() - SAME_SCAN).first() if is_twin else None
    return first.pk if first else refused.pk


def _named(text: str | None, programs: list[Program]) -> Program | None:
    return next((program for program in programs if str(program.pk) == text), None)


def _last(request: HttpRequest, business: Business) -> QrScan | None:
    """The user's own scan that the address names."""
    try:
        pk = UUID(request.GET.get("scan", ""))
    except ValueError:
        return None
    rows = QrScan.objects.filter(business=business, by=user_of(request)).select_related(
        "customer", "program", "business"
    )
    return rows.filter(pk=pk).first()
