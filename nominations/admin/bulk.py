"""Deciding several nominations at once: each through the same service, each in a transaction of its own."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from crm.models import User
from nominations import services
from nominations.admin.decisions import DECIDE, REASONS
from nominations.admin.forms import ManyForm
from nominations.models import Nomination
from notifications.admin import StaffModelAdmin, add_errors, is_late, require, staff_page

DONE_WORDS = {"approve": "approved", "reject": "rejected"}
SHOWN = 100
Decide = Callable[[Nomination], Nomination]


def preview(admin: StaffModelAdmin, request: HttpRequest, decision: str, chosen: Sequence[Nomination]) -> HttpResponse:
    """What would happen to those ticked in the list."""
    ids = ",".join(str(nomination.pk) for nomination in chosen)
    return _page(admin, request, ManyForm(initial={"decision": decision, "ids": ids}), decision, chosen)


def decide(admin: StaffModelAdmin, request: HttpRequest) -> HttpResponse:
    """What the preview's button does."""
    require(request, DECIDE)
    form = ManyForm(request.POST)
    chosen: Sequence[Nomination] = []
    if form.is_valid():
        chosen = list(Nomination.objects.complete().filter(pk__in=form.cleaned_data["ids"]))
        if form.cleaned_data["decision"] == "reject" and not form.cleaned_data["reason"].strip():
            add_errors(form, ValidationError({"reason": ["A rejection needs a reason."]}))
    return _page(admin, request, form, form.data.get("decision", ""), chosen)


def _page(
    admin: StaffModelAdmin, request: HttpRequest, form: ManyForm, decision: str, chosen: Sequence[Nomination]
) -> HttpResponse:
    word = "Reject" if decision == "reject" else "Approve"
    can = [row for row in chosen if (row.may_reject if decision == "reject" else row.may_approve)]
    context = {
        "can": can[:SHOWN],
        "can_count": len(can),
        "cannot": [row for row in chosen if row not in can],
        "decision": decision,
        "button": f"{word} {len(can)}",
        "is_danger": decision == "reject",
        "live_count": sum(row.state == Nomination.State.APPROVED for row in can),
        "suggestions": REASONS,
        "action_url": reverse("admin:nominations_nomination_decide"),
    }
    return staff_page(
        admin,
        request,
        permission=DECIDE,
        title=f"{word} {len(can)} nomination{'' if len(can) == 1 else 's'}",
        template="admin/nominations/nomination/bulk.html",
        form=form,
        act=lambda: _decide_each(admin, request, form.cleaned_data, chosen),
        then=reverse("admin:nominations_nomination_changelist"),
        context=lambda: context,
    )


def _decide_each(
    admin: StaffModelAdmin, request: HttpRequest, wanted: dict[str, Any], chosen: Sequence[Nomination]
) -> str:
    by = cast(User, request.user)

    def one(nomination: Nomination) -> Nomination:
        if wanted["decision"] == "reject":
            return services.reject_nomination(nomination, by=by, reason=wanted["reason"])
        return services.approve_nomination(nomination, by=by)

    word = DONE_WORDS[wanted["decision"]]
    done, late, refused = 0, 0, []
    for nomination in reversed(chosen):
        try:
            with transaction.atomic():
                one(nomination)
                admin.log_change(request, nomination, f"{word.capitalize()} with {len(chosen) - 1} others.")
        except ValidationError as error:
            if is_late(error):
                late += 1
            else:
                refused.append(f"{nomination}: {' '.join(error.messages)}")
        else:
            done += 1
    parts = [f"{done} {word}", *([f"{late} already decided"] if late else []), *refused]
    return ", ".join(parts) + "."
