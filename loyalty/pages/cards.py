"""A customer's cards and statements."""

from datetime import date, timedelta
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from crm.models import Business
from loyalty import services
from loyalty.forms.statements import RangeForm
from loyalty.models import Customer, LoyaltyCard, PointsTransaction, Program
from loyalty.pages.frame import Frame, for_customers, frame_of, is_unchanged, own_path, shown, unchanged
from loyalty.selectors import STATEMENT_DAYS, Statement, id_or_number, statement_of
from loyalty.selectors.wallet import (
    Holding,
    accounts_of,
    holdings_of,
    joinable_programs,
    last_lines,
    line_in_words,
    open_questions,
)


@require_safe
@for_customers
def cards(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Everything the customer collects; with `?business=` also what can be joined there. It renews itself."""
    frame = cast(Frame, frame_of(request))
    if is_unchanged(request, frame):
        return unchanged()
    slug = request.GET.get("business", "")
    business = Business.objects.filter(slug=slug).first() if slug else None
    context = {
        "frame": frame,
        "is_live": True,
        "here": f"{reverse('cards')}?{urlencode({'business': slug})}" if business else reverse("cards"),
        "questions": open_questions(customer),
        "business": business,
        "joinable": joinable_programs(customer, business) if business else [],
        "holdings": holdings_of(customer),
        "lines": _lines(last_lines(customer)),
    }
    return shown(request, "loyalty/cards.html", context)


@require_POST
@for_customers
def join_program(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The customer joins a program of their own accord."""
    try:
        program = Program.objects.select_related("business").filter(pk=request.POST.get("program", "")).first()
    except ValidationError:
        program = None
    if program is None:
        raise Http404("Not found.")
    try:
        services.join_program(customer, program)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, f"You have joined {program.name} at {program.business.name}.")
    return redirect(own_path(request.POST.get("next")) or "cards")


@require_safe
@for_customers
def card(request: HttpRequest, customer: Customer, card_number: str) -> HttpResponse:
    """One card's statement, the last 90 days unless a month or two days are chosen."""
    rows = LoyaltyCard.objects.complete().filter(enrollment__customer=customer)
    found = rows.filter(id_or_number(card_number)).first()
    if found is None:
        raise Http404("Not found.")
    form = RangeForm(request.GET or None)
    from_on, to_on = form.days() if form.is_valid() else _last_days()
    statement = statement_of(found, from_on, to_on)
    context = {
        "holding": Holding(accounts_of([found])[0]),
        "statement": statement,
        "lines": _lines(statement.lines[::-1]),
        "form": form if form.is_bound else RangeForm({"from": from_on, "to": to_on}),
        "months": _months(timezone.now().date(), found.created_at.date()),
        "csv_url": _csv_url(statement),
    }
    return shown(request, "loyalty/card.html", context, status=400 if form.is_bound and not form.is_valid() else 200)


def _last_days() -> tuple[date, date]:
    today = timezone.now().date()
    return today - timedelta(days=STATEMENT_DAYS), today


def _csv_url(statement: Statement) -> str:
    url = reverse("api-statement-csv", args=[statement.card.card_number])
    return f"{url}?{urlencode({'from': str(statement.from_on), 'to': str(statement.to_on)})}"


def _months(today: date, since: date) -> list[tuple[date, date]]:
    """This month and those before, a year at most, back to when there was a card: first and last day."""
    months: list[tuple[date, date]] = []
    first = today.replace(day=1)
    while len(months) < 12 and first >= since.replace(day=1):
        months.append((first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)))
        first = (first - timedelta(days=1)).replace(day=1)
    return months


def _lines(rows: list[PointsTransaction]) -> list[dict[str, Any]]:
    """As they are shown."""
    return [{"row": row, "words": line_in_words(row)} for row in rows]
