"""The pages on which one nomination is decided: a GET shows what will happen, a POST does it."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from crm.models import User
from nominations import selectors, services
from nominations.admin.facts import facts_of, steps_of
from nominations.admin.forms import ApproveForm, DuplicateForm, RejectForm
from nominations.models import Nomination
from nominations.models.people import live_url_of
from nominations.services.decisions import already_decided
from notifications.admin import StaffModelAdmin, posted, refuse, require, staff_page

VIEW, DECIDE = "nominations.view_nomination", "nominations.decide_nomination"
FOLDER = "admin/nominations/nomination"
QUICK_POLLS, SOON_MS, LATER_MS = 40, 1500, 10_000
REASONS = (
    "Not enough detail to judge.",
    "Does not fit this category.",
    "The nominee asked not to take part.",
    "Not a real person or company.",
)


def page_url(nomination: Nomination, page: str = "change") -> str:
    """The address of a nomination's page in the admin."""
    return reverse(f"admin:nominations_nomination_{page}", args=[nomination.pk])


def approve(admin: StaffModelAdmin, request: HttpRequest, nomination: Nomination) -> HttpResponse:
    """Who, why, under which address, and what changes outside; then live."""
    require(request, DECIDE)
    if not nomination.may_approve:
        return refuse(request, already_decided(nomination), page_url(nomination))
    similar = services.similar_nominees(nomination)
    form = ApproveForm(_choices(request), nomination=nomination, similar=[nominee for nominee, _likeness in similar])

    def act() -> str:
        approved = services.approve_nomination(
            nomination,
            by=cast(User, request.user),
            slug=form.wanted_slug,
            admin_notes=form.cleaned_data["admin_notes"],
            nominee=form.joined,
        )
        return f"Approved: {approved.nominee} is live at {approved.nominee.live_url}"

    return staff_page(
        admin,
        request,
        permission=DECIDE,
        title=f"Review {nomination.nominee}",
        template=f"{FOLDER}/approve.html",
        form=form,
        about=nomination,
        act=act,
        then=page_url(nomination, "delivery"),
        context=lambda: _approve_context(nomination, form, similar),
        confirmed="_preview" not in request.POST,
    )


def _choices(request: HttpRequest) -> dict[str, str] | None:
    """What was chosen on the page, or in a link to it."""
    if request.method == "POST":
        return request.POST.dict()
    return {name: request.GET[name] for name in ("slug", "nominee") if name in request.GET} or None


def _approve_context(nomination: Nomination, form: ApproveForm, similar: list[Any]) -> dict[str, Any]:
    target = form.joined or nomination.nominee
    slug = form.resulting_slug
    return {
        **subject_context(nomination),
        "similar": [(nominee, likeness, facts_of(nominee)) for nominee, likeness in similar],
        "joined": form.joined,
        "is_fixed": bool(target.slug),
        "is_first": target.state != target.State.LIVE,
        "url_before_slug": live_url_of("x").removesuffix("x"),
        "live_url": live_url_of(slug),
        "target": target,
        "changes": selectors.contact_changes(nomination, slug=slug, nominee=form.joined),
        "is_told": selectors.is_told_outside(),
        "next": selectors.next_waiting(nomination),
        "cancel_url": page_url(nomination),
    }


def subject_context(nomination: Nomination) -> dict[str, Any]:
    """Who is nominated by whom, and what else is known."""
    others = nomination.nominee.nominations.exclude(pk=nomination.pk)
    return {
        "nomination": nomination,
        "nominee_facts": facts_of(nomination.nominee),
        "nominator_facts": facts_of(nomination.nominator),
        "others": others.select_related("category", "nominator", "season")[:10],
    }


def reject(admin: StaffModelAdmin, request: HttpRequest, nomination: Nomination) -> HttpResponse:
    """A reason is required."""
    form = RejectForm(posted(request))

    def act() -> str:
        services.reject_nomination(nomination, by=cast(User, request.user), reason=form.cleaned_data["reason"])
        return f"Rejected: {nomination}"

    extra = {"suggestions": REASONS, "button": "Reject", "is_danger": True}
    consequences = ["The reason goes into the decision log. It is not sent to anybody."]
    return _take_out(admin, request, nomination, f"Reject {nomination.nominee}", act, consequences, extra, form)


def withdraw(admin: StaffModelAdmin, request: HttpRequest, nomination: Nomination) -> HttpResponse:
    """At the wish of those concerned."""

    def act() -> str:
        services.withdraw_nomination(nomination, by=cast(User, request.user))
        return f"Withdrawn: {nomination}"

    extra = {"button": "Withdraw", "is_danger": True}
    consequences = ["Use this when the nominator or the nominee asked for it."]
    return _take_out(admin, request, nomination, f"Withdraw {nomination.nominee}", act, consequences, extra)


def duplicate(admin: StaffModelAdmin, request: HttpRequest, nomination: Nomination) -> HttpResponse:
    """Of another nomination of the season, searched by `q`."""
    form = DuplicateForm(posted(request), nomination=nomination)
    text = request.GET.get("q", "")

    def act() -> str:
        of = form.cleaned_data["of"]
        services.mark_duplicate(nomination, of=of, by=cast(User, request.user))
        return f"Marked as a duplicate: {nomination}"

    originals = sorted(
        selectors.possible_originals(nomination, text)[:50], key=lambda row: row.nominee_id != nomination.nominee_id
    )
    extra = {"button": "Mark as duplicate", "originals": originals, "q": text, "template": f"{FOLDER}/duplicate.html"}
    return _take_out(
        admin,
        request,
        nomination,
        f"{nomination.nominee}: duplicate of…",
        act,
        ["The original stays as it is."],
        extra,
        form,
    )


def _take_out(
    admin: StaffModelAdmin,
    request: HttpRequest,
    nomination: Nomination,
    title: str,
    act: Any,
    consequences: list[str],
    extra: dict[str, Any],
    form: Any = None,
) -> HttpResponse:
    require(request, DECIDE)
    if not nomination.may_reject:
        return refuse(request, already_decided(nomination), page_url(nomination))
    values = {**extra, "consequences": [*consequences, *_effects(nomination)]}
    return _simple_page(admin, request, nomination, title, act, values, form)


def reopen(admin: StaffModelAdmin, request: HttpRequest, nomination: Nomination) -> HttpResponse:
    """The decision is taken back; the nomination waits again."""
    require(request, DECIDE)
    if not nomination.may_reopen:
        return refuse(request, already_decided(nomination), page_url(nomination))

    def act() -> str:
        services.reopen_nomination(nomination, by=cast(User, request.user))
        return f"Reopened: {nomination} waits for a decision again"

    first = f"The nomination is {nomination.state} now and goes back to those that wait."
    values = {"button": "Reopen", "consequences": [first, *_effects(nomination)]}
    return _simple_page(admin, request, nomination, f"Reopen {nomination.nominee}", act, values)


def _simple_page(
    admin: StaffModelAdmin,
    request: HttpRequest,
    nomination: Nomination,
    title: str,
    act: Any,
    values: dict[str, Any],
    form: Any = None,
) -> HttpResponse:
    return staff_page(
        admin,
        request,
        permission=DECIDE,
        title=title,
        template=values.get("template", f"{FOLDER}/decide.html"),
        form=form,
        about=nomination,
        act=act,
        then=page_url(nomination),
        context=lambda: {**subject_context(nomination), **values},
    )


def _effects(nomination: Nomination) -> list[str]:
    """What it means for the public page, and outside."""
    effects = []
    if selectors.is_last_approved(nomination):
        url = nomination.nominee.live_url
        effects.append(f"The page {url} disappears (410 Gone): this is the nominee's only approved nomination.")
    elif nomination.state == Nomination.State.APPROVED:
        effects.append(f"{nomination.nominee} stays live: another nomination is approved.")
    else:
        effects.append("Nothing is published and nothing disappears.")
    if selectors.is_told_outside():
        effects.append("The contacts concerned are brought up to date outside, within seconds.")
    return effects


def delivery(admin: StaffModelAdmin, request: HttpRequest, nomination: Nomination) -> HttpResponse:
    """Each contact on its way. A fragment of it asks again by itself until all have arrived or were given up."""
    require(request, VIEW)
    count = request.GET.get("poll", "")
    polls = int(count) + 1 if count.isdecimal() and len(count) < 6 else 0
    steps = steps_of([*selectors.deliveries(nomination), *selectors.mails(nomination)])
    context = {
        "nomination": nomination,
        "steps": steps,
        "is_settled": all(step.is_final for step in steps),
        "updated_at": timezone.now(),
        "polls": polls,
        "delay": SOON_MS if polls < QUICK_POLLS else LATER_MS,
        "is_told": selectors.is_told_outside(),
    }
    if request.headers.get("HX-Request"):
        return TemplateResponse(request, f"{FOLDER}/_delivery.html", context)
    context |= {"next": selectors.next_waiting(nomination), "may_decide": request.user.has_perm(DECIDE)}
    title = f"Telling Loops about {nomination.nominee}"
    return TemplateResponse(
        request, f"{FOLDER}/delivery.html", {**admin.page_context(request, title, nomination), **context}
    )
