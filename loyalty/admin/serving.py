"""One card and one move: a GET shows them, a POST what would happen, and a confirmed one does it once."""

from copy import copy
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from crm.models import Business
from crm.selectors import require_role
from loyalty import services
from loyalty.admin.desk import Desk, signed, standing_of
from loyalty.admin.moves import ADJUST, REDEEM, REVERSE, TABS, Done, Glance, Move, glance_of, glance_of_hold
from loyalty.admin.till_page import address_of, log, page, row_named, user_of
from loyalty.forms.till import MoneyField, MoveForm
from loyalty.models import PointsHold, PointsTransaction
from loyalty.selectors.words import SYMBOLS
from loyalty.services import Instruction
from notifications.admin import add_errors, posted

REASONS = {
    "adjust": ("Goodwill.", "Points missing from an order.", "Awarded by mistake."),
    "reverse": ("Order returned.", "Part of the order returned.", "Wrong customer.", "Typed by mistake."),
}
OLD_FORM = "This form is out of date. Preview it and confirm again."
USED_FORM = "This form has moved other points already. Nothing was moved now: preview it and confirm again."


def reverse_row(site: AdminSite, request: HttpRequest, pk: UUID) -> HttpResponse:
    """The page on which a row of the ledger is reversed. Raises Http404."""
    user = user_of(request)
    visible = Business.objects.visible_to(user, REVERSE.permission)
    original = get_object_or_404(PointsTransaction.objects.complete(), pk=pk, business__in=visible)
    return serve(site, request, REVERSE, Desk(user, copy(original.card), original))


def serve(site: AdminSite, request: HttpRequest, move: Move, desk: Desk) -> HttpResponse:
    """The card and the move's form, with what it would do. Raises PermissionDenied."""
    require_role(desk.user, desk.business, move.role, permission=move.permission)
    form = _form(request, move, desk)
    # What is half typed is not scolded.
    preview, is_asked = None, not {"_preview", "_confirm"}.isdisjoint(request.POST)
    if request.method == "POST" and form.is_valid():
        is_asked = True
        try:
            if "_confirm" in request.POST:
                return _act(request, move, desk, form)
            preview = move.preview(desk, form.entered)
        except ValidationError as error:
            _refuse(form, error)
    result = _result(request, desk) if request.method == "GET" else None
    focus = "confirm" if preview else "find" if result else "field"
    if focus == "field":
        next(iter(form.fields.values())).widget.attrs["autofocus"] = True
    context = {
        "form": form,
        "preview": preview,
        "wish": form.entered if preview else {},
        "problems": form.problems if is_asked else [],
        "result": result,
        "focus": focus,
        "is_asked": "_preview" in request.POST,
        "suggestions": REASONS.get(move.name),
    }
    total = form.cleaned_data.get("order_total") if form.is_bound else None
    context |= {**standing_of(desk, total), **_ways(move, desk), **_original(desk)}
    return page(site, request, move, desk.business, context)


def _form(request: HttpRequest, move: Move, desk: Desk) -> MoveForm:
    form = move.form(posted(request), initial={"points": request.GET.get("points")})
    currency = SYMBOLS.get(desk.business.currency, desk.business.currency)
    for entry in form.fields.values():
        if isinstance(entry, MoneyField):
            entry.label = f"{entry.label}, {currency}"
    if desk.original is not None and not desk.original.operation_details.get("order_total"):
        del form.fields["amount"]
    return form


def _act(request: HttpRequest, move: Move, desk: Desk, form: MoveForm) -> HttpResponse:
    """Do it once, with its log entry, and go on to the card. Raises ValidationError."""
    if not form.sent_token:
        raise ValidationError(OLD_FORM)
    about = (move.name, desk.card.pk, desk.original.pk if desk.original else None)
    instruction = Instruction(
        by=desk.user,
        key=form.sent_token,
        fingerprint=form.fingerprint(*about),
        reference=form.entered.get("reference"),
    )
    with transaction.atomic():
        done = move.act(desk, form.entered, instruction)
        if done.is_news:
            log(desk.user, desk.card, done.said)
    if done.row is None and done.hold is None:
        messages.warning(request, done.said)
    then = move if move is not REVERSE else REDEEM if REDEEM.is_open_to(desk.user, desk.business) else ADJUST
    return HttpResponseRedirect(address_of(then, desk.card, **_trace(done)))


def _trace(done: Done) -> dict[str, object]:
    """What the next page needs to tell what was done."""
    what = {"done": done.row and done.row.pk, "held": done.hold, "again": 1 if done.is_replay else None}
    return {name: value for name, value in what.items() if value}


def _refuse(form: MoveForm, error: ValidationError) -> None:
    if getattr(error, "code", None) == "idempotency_key_reused":
        form.renew()
        error = ValidationError(USED_FORM)
    add_errors(form, error)


def _result(request: HttpRequest, desk: Desk) -> Glance | None:
    """What was just done, read from the ledger, so that a reload tells the same."""
    is_again = "again" in request.GET
    row = row_named(request, "done", PointsTransaction.objects.select_related("staff_member").filter(card=desk.card))
    if row is not None:
        return glance_of(desk, row, is_again=is_again)
    hold = row_named(request, "held", PointsHold.objects.filter(card=desk.card))
    return None if hold is None else glance_of_hold(desk, hold, is_again=is_again)


def _ways(move: Move, desk: Desk) -> dict[str, Any]:
    """The tabs that are open to this user, and whether lines may be reversed."""
    may = {tab.permission: tab.is_open_to(desk.user, desk.business) for tab in (REDEEM, ADJUST)}
    tabs = [(tab.tab, address_of(tab, desk.card), tab is move) for tab in TABS if may[tab.permission]]
    enroll = {"phone": desk.card.enrollment.customer.phone, "business": desk.business.slug, "program": desk.program.pk}
    again = f"{reverse('admin:loyalty_enrol')}?{urlencode(enroll)}" if may[REDEEM.permission] else ""
    return {"tabs": tabs, "may_reverse": may[REVERSE.permission], "again": again}


def _original(desk: Desk) -> dict[str, Any]:
    """The row that is to be reversed, and what is left of it."""
    original = desk.original
    if original is None:
        return {}
    try:
        left = services.preview_reversal(original).points
    except ValidationError:
        left = 0
    points, note = signed(original.points_delta), desk.note_on(original)
    return {"original": original, "original_points": points, "original_note": note, "left": left}
