"""Preparing decisions: of one nomination on its page, of many from their list."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import services
from nominations.admin.decisions import DECIDE, REASONS, page_url, subject_context
from nominations.admin.forms import LONG_TEXT, ManyForm
from nominations.admin.staged import FOLDER, LIST, SHOWN, Decision, decisions_of, outcome_of
from nominations.models import Nomination, StagedDecision
from notifications.admin import StaffModelAdmin, posted, refuse, require, staff_page

NOTHING_YET = "Nothing is published and nobody is told until the stage is applied."


class StageForm(forms.Form):
    """One decision, prepared."""

    decision = forms.ChoiceField(choices=Decision.choices, widget=forms.RadioSelect)
    reason = forms.CharField(
        max_length=1000, widget=LONG_TEXT, required=False, help_text="For a rejection. It goes into the decision log."
    )

    def __init__(self, data: Any, *, nomination: Nomination, staged: StagedDecision | None) -> None:
        allowed = [
            pair for pair in Decision.choices if StagedDecision(nomination=nomination, decision=pair[0]).has_effect
        ]
        initial = {"decision": allowed[0][0] if allowed else ""}
        if staged is not None:
            initial = {"decision": staged.decision, "reason": staged.reason}
        super().__init__(data, initial=initial)
        self.fields["decision"] = forms.ChoiceField(choices=allowed, widget=forms.RadioSelect)


def stage(admin: StaffModelAdmin, request: HttpRequest, nomination: Nomination) -> HttpResponse:
    """Prepare the decision of one nomination, change it, or take it off the stage."""
    require(request, DECIDE)
    staged = StagedDecision.objects.filter(nomination=nomination).first()
    if request.method == "POST" and "_remove" in request.POST:
        services.unstage_decisions(StagedDecision.objects.filter(nomination=nomination))
        messages.success(request, f"Removed from the stage: {nomination}")
        return HttpResponseRedirect(reverse(LIST))
    form = StageForm(posted(request), nomination=nomination, staged=staged)

    def act() -> str:
        sent = form.cleaned_data
        services.stage_decisions(
            [nomination], decision=sent["decision"], reason=sent["reason"], by=cast(User, request.user)
        )
        return f"Staged to {sent['decision']}: {nomination}"

    lines = [NOTHING_YET]
    if nomination.may_approve:
        lines.append(f"Approved, the address would be /nominee/{services.proposed_slug(nomination.nominee)} now.")
    return staff_page(
        admin,
        request,
        permission=DECIDE,
        title=f"Stage {nomination.nominee}",
        template=f"{FOLDER}/stage.html",
        form=form,
        about=nomination,
        act=act,
        then=reverse(LIST),
        context=lambda: {
            **subject_context(nomination),
            "staged": staged,
            "staged_now": outcome_of(staged) if staged else "",
            "consequences": lines,
            "suggestions": REASONS,
            "button": "Stage it",
            "cancel_url": page_url(nomination),
        },
    )


def with_staged(nomination: Nomination, state: SafeString) -> SafeString:
    """The state, and under it what it is staged for."""
    staged = getattr(nomination, "staged", None)
    return format_html('{}<span class="sub">Staged to {}</span>', state, staged.decision) if staged else state


def stage_approvals(admin: StaffModelAdmin, request: HttpRequest, chosen: Sequence[Nomination]) -> HttpResponse:
    """Those ticked in the list, at once: nothing happens outside."""
    try:
        message = _stage(request, chosen, Decision.APPROVE)
    except ValidationError as error:
        return refuse(request, error, reverse("admin:nominations_nomination_changelist"))
    messages.success(request, message)
    return HttpResponseRedirect(reverse(LIST))


def stage_rejections(admin: StaffModelAdmin, request: HttpRequest, chosen: Sequence[Nomination] = ()) -> HttpResponse:
    """One reason for all that are ticked, or one for each."""
    form = ManyForm(initial={"decision": Decision.REJECT, "ids": ",".join(str(row.pk) for row in chosen)})
    if not chosen:
        form = ManyForm(request.POST)
        if form.is_valid():
            chosen = list(Nomination.objects.complete().filter(pk__in=form.cleaned_data["ids"]))
    can = [row for row in chosen if row.may_reject]
    said = {row.pk: request.POST.get(f"reason-{row.pk}", "")[:1000] for row in can}

    def act() -> str:
        return _stage(request, chosen, Decision.REJECT, reason=form.cleaned_data["reason"], reasons=said)

    return staff_page(
        admin,
        request,
        permission=DECIDE,
        title=f"Stage {len(can)} rejection{'' if len(can) == 1 else 's'}",
        template=f"{FOLDER}/reject.html",
        form=form,
        act=act,
        then=reverse(LIST),
        context=lambda: {
            "can": [(row, said[row.pk]) for row in can[:SHOWN]],
            "can_count": len(can),
            "cannot_count": len(chosen) - len(can),
            "suggestions": REASONS,
            "consequences": [NOTHING_YET],
            "button": f"Stage {len(can)}",
            "action_url": reverse("admin:nominations_nomination_stage_rejections"),
            "cancel_url": reverse("admin:nominations_nomination_changelist"),
        },
    )


def _stage(
    request: HttpRequest,
    chosen: Sequence[Nomination],
    decision: str,
    *,
    reason: str = "",
    reasons: dict[UUID, str] | None = None,
) -> str:
    """Stage them and log it: what to tell."""
    by = cast(User, request.user)
    with transaction.atomic():
        count = services.stage_decisions(chosen, decision=decision, by=by, reason=reason, reasons=reasons)
        staged = Nomination.objects.filter(
            staged__in=StagedDecision.objects.staged(), pk__in=[row.pk for row in chosen]
        )
        LogEntry.objects.log_actions(by.pk, staged.complete(), CHANGE, f"Staged to {decision}.")
    rest = len(chosen) - count
    return f"Staged {decisions_of(count)}" + (f", {rest} cannot be decided so." if rest else ".")
