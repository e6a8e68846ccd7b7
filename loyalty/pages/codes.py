"""A customer's QR code: the one on the screen, which lives for seconds, and the one on paper."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods, require_safe

from loyalty.models import Customer, QrKey
from loyalty.pages.frame import Frame, for_customers, frame_of, is_unchanged, shown, unchanged
from loyalty.pages.notices import latest_entries
from loyalty.services.codes import ShownCode, revoke_codes, show_code

Kind = QrKey.Kind


@require_safe
@for_customers
def qr(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The code on the screen, which renews itself; what comes of showing it is seen below it within seconds."""
    frame = cast(Frame, frame_of(request))
    if is_unchanged(request, frame):
        return unchanged()
    context = _context(show_code(customer, Kind.ROTATING), Kind.ROTATING)
    news = {"frame": frame, "entries": latest_entries(frame), "here": request.path}
    return shown(request, "loyalty/qr.html", {**context, **news})


@require_safe
@for_customers
def printed(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The code on paper: the same until it is replaced."""
    context = _context(show_code(customer, Kind.PRINTED), Kind.PRINTED)
    return shown(request, "loyalty/printed.html", {**context, "customer": customer})


@require_http_methods(["GET", "HEAD", "POST"])
@for_customers
def replace(request: HttpRequest, customer: Customer, kind: str) -> HttpResponse:
    """What replacing a code means, and the button that does it."""
    if request.method != "POST":
        return shown(request, "loyalty/replace.html", {"kind": kind, "is_printed": kind == Kind.PRINTED})
    revoke_codes(customer, kind)
    messages.success(request, "You have a new code. The old one no longer works anywhere.")
    return redirect("qr-printed" if kind == Kind.PRINTED else "qr")


def _context(code: ShownCode, kind: str) -> dict[str, object]:
    groups = [code.code[start : start + 4] for start in range(0, len(code.code), 4)]
    # Drawn by our own code from letters and digits.
    svg = mark_safe(code.svg)  # noqa: S308
    return {"kind": kind, "code": code, "groups": groups, "svg": svg}
