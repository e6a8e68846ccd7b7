"""What customers and members have been told, and the customers' answers."""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Case, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm.models import User
from loyalty.forms.preferences import PreferencesForm
from loyalty.models import Customer
from loyalty.pages.frame import (
    Frame,
    for_customers,
    frame_of,
    is_unchanged,
    own_path,
    shown,
    signed_in,
    unchanged,
)
from loyalty.selectors.scope import scope_of
from loyalty.services.telling import CUSTOMER_TYPES
from notifications.models import ApprovalRequest, Notification
from notifications.selectors import notifications_of, preferences_of
from notifications.services import answer_request, change_preferences, read_all, read_notification

PAGE_SIZE = 25
JUST_NOW, MOST_NEWS = timedelta(minutes=5), 3
ANSWERS = {"accept": True, "decline": False}
SAID = {
    "already_answered": "You have answered this already: your first answer counts.",
    "expired": "The time to answer is over. Nothing was booked.",
}


@require_safe
@signed_in
def notifications(request: HttpRequest) -> HttpResponse:
    """The unread first, then the others, newest first. It renews itself."""
    frame = cast(Frame, frame_of(request))
    if is_unchanged(request, frame):
        return unchanged()
    only_unread = bool(request.GET.get("unread"))
    is_new = Case(When(read_at=None, then=0), default=1)
    rows = notifications_of(frame.scope, unread=only_unread).order_by(is_new, "-created_at", "id")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "frame": frame,
        "page": page,
        "entries": [_entry(row, frame.scope.customer) for row in page],
        "only_unread": only_unread,
        "here": _address(page.number, only_unread),
        "is_live": True,
    }
    return shown(request, "loyalty/notifications.html", context)


def latest_entries(frame: Frame) -> list[dict[str, Any]]:
    """What the customer was told within the last minutes, newest first."""
    told = Notification.objects.filter(customer_id=frame.scope.customer, created_at__gte=timezone.now() - JUST_NOW)
    rows = told.select_related("request").order_by("-created_at", "id")[:MOST_NEWS]
    return [_entry(row, frame.scope.customer) for row in rows]


def _address(number: int, only_unread: bool) -> str:
    """Of this page, without what a page that asks by itself adds."""
    query = {"page": number} | ({"unread": 1} if only_unread else {})
    return f"{reverse('notifications')}?{urlencode(query)}"


def _entry(row: Notification, customer: UUID | None) -> dict[str, Any]:
    """A notification with its question, and whether this reader may still answer it."""
    question: ApprovalRequest | None = getattr(row, "request", None)
    is_open = question is not None and question.status == "pending" and question.expires_at > timezone.now()
    return {
        "row": row,
        "question": question,
        "is_open": is_open,
        "may_answer": is_open and customer is not None and row.customer_id == customer,
    }


@require_safe
@signed_in
def bell(request: HttpRequest) -> HttpResponse:
    """The entry of the navigation alone, with how much is unread."""
    frame = cast(Frame, frame_of(request))
    if is_unchanged(request, frame):
        return unchanged()
    return shown(request, "loyalty/_bell.html", {"frame": frame})


@require_POST
@for_customers
def answer(request: HttpRequest, customer: Customer, id: UUID) -> HttpResponse:
    """The customer's yes or no. What can no longer be answered is said in words."""
    row = Notification.objects.select_related("request").filter(pk=id, customer_id=customer.pk).first()
    question: ApprovalRequest | None = getattr(row, "request", None)
    if row is None or question is None:
        raise Http404("Not found.")
    decision = request.POST.get("decision", "")
    if decision not in ANSWERS:
        return HttpResponseBadRequest("Accept or decline.")
    try:
        answer_request(question, accept=ANSWERS[decision], by=request.user)
    except ValidationError as error:
        messages.error(request, SAID.get(error.code or "", error.messages[0]))
    else:
        did = "Accepted" if ANSWERS[decision] else "Declined"
        messages.success(request, f"{did}: {row.title}.")
    return redirect(own_path(request.POST.get("next")) or "notifications")


@require_POST
@signed_in
def read(request: HttpRequest) -> HttpResponse:
    """Everything has been opened, or the one that is named."""
    scope = scope_of(cast(User, request.user))
    wanted = request.POST.get("id")
    if not wanted:
        read_all(scope)
        return redirect(own_path(request.POST.get("next")) or "notifications")
    try:
        row = Notification.objects.filter(scope.wanted, pk=wanted).first()
    except ValidationError:
        row = None
    if row is None:
        raise Http404("Not found.")
    read_notification(row)
    return redirect(own_path(request.POST.get("next")) or "notifications")


@require_http_methods(["GET", "HEAD", "POST"])
@for_customers
def preferences(request: HttpRequest, customer: Customer) -> HttpResponse:
    """What the customer wants to be told."""
    wants = preferences_of(customer.pk)
    form = PreferencesForm(request.POST if request.method == "POST" else None, types=CUSTOMER_TYPES, wants=wants)
    if form.is_valid():
        sent = form.cleaned_data
        change_preferences(customer.pk, in_app=sent["in_app"], email=sent["email"], kinds=form.wanted())
        messages.success(request, "Saved.")
        return redirect("notification-preferences")
    return shown(request, "loyalty/preferences.html", {"form": form, "customer": customer})
