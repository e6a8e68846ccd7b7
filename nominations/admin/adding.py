"""Adding a nominee by hand: first the category, then who and why; then live at once, or waiting like any other."""

from typing import Any, cast
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from crm.api.views import fingerprint
from crm.models import User
from crm.services import remember_answer
from nominations import selectors, services
from nominations.admin.decisions import DECIDE, page_url
from nominations.admin.facts import facts_of
from nominations.forms import NominationSheet
from nominations.models import Category, Nomination, Nominee
from notifications.admin import StaffModelAdmin, require

ADD = "nominations.add_nomination"
FOLDER = "admin/nominations/nomination"
APPROVE = "_approve"
Similar = list[tuple[Nominee, int]]


class AddSheet(NominationSheet):
    """The public form in staff's words: whoever has no nominator is nominated by the organisers."""

    def __init__(self, category: Category, data: Any = None, files: Any = None) -> None:
        super().__init__(category, data, files)
        self.nominator.empty_permitted, self.nominator.use_required_attribute = True, False
        for field in self.nominator.fields.values():
            field.label = str(field.label).removeprefix("Your ").capitalize()
        self.why.fields["why"].required = False
        self.why.fields["why"].help_text = "Up to 1000 characters. Once approved, it appears on their page."

    def nominator_fields(self) -> dict[str, Any] | None:
        """What was given of the nominator, if there is one."""
        return {name: value for name, value in self.nominator.cleaned_data.items() if value} or None


def add(model_admin: StaffModelAdmin, request: HttpRequest) -> HttpResponse:
    """Without `?category=` the choice of one. Similar names that are known are shown before anything is saved."""
    require(request, ADD)
    category = selectors.active_categories().filter(slug=request.GET.get("category", "")).first()
    if category is None:
        context = {"categories": selectors.active_categories(), "is_unknown": "category" in request.GET}
        return _page(model_admin, request, "add_choose", "Add a nominee", context)
    is_posted = request.method == "POST"
    sheet = AddSheet(category, *([request.POST, request.FILES] if is_posted else []))
    similar = _similar(category, sheet) if is_posted else []
    if is_posted and "_preview" not in request.POST and sheet.is_valid() and _was_asked(request, similar):
        try:
            return _added(model_admin, request, category, sheet, similar)
        except ValidationError as error:
            sheet.refuse(error)
    context = {
        "category": category,
        "sheet": sheet,
        "similar": [(nominee, likeness, facts_of(nominee)) for nominee, likeness in similar],
        "seen": _ids(similar),
        "joined": request.POST.get("joined", ""),
        "must_choose": is_posted and "_preview" not in request.POST and not _was_asked(request, similar),
        "picture_is_lost": is_posted and "_preview" not in request.POST and sheet.picture_is_lost(),
        "may_decide": request.user.has_perm(DECIDE),
    }
    return _page(model_admin, request, "add", f"Add a nominee: {category}", context)


def _page(
    model_admin: StaffModelAdmin, request: HttpRequest, name: str, title: str, context: dict[str, Any]
) -> HttpResponse:
    values = {**model_admin.page_context(request, title), **context}
    return TemplateResponse(request, f"{FOLDER}/{name}.html", values)


def _similar(category: Category, sheet: AddSheet) -> Similar:
    """Known nominees of the category with a similar name, also while the rest is not filled in yet."""
    sheet.is_valid()
    names = ("first_name", "last_name") if category.kind == Category.Kind.PERSON else ("company_name",)
    given = {name: sheet.nominee.cleaned_data.get(name, "") for name in names}
    if not all(given.values()):
        return []
    return services.similar_nominees(Nomination(category=category, nominee=Nominee(kind=category.kind, **given)))


def _ids(similar: Similar) -> str:
    return ",".join(sorted(str(nominee.pk) for nominee, _likeness in similar))


def _was_asked(request: HttpRequest, similar: Similar) -> bool:
    """Whether the page that was sent has shown these, and an answer was given."""
    return not similar or (request.POST.get("seen") == _ids(similar) and "joined" in request.POST)


def _added(
    model_admin: StaffModelAdmin, request: HttpRequest, category: Category, sheet: AddSheet, similar: Similar
) -> HttpResponse:
    """Raises the service's ValidationError."""
    is_approved = APPROVE in request.POST
    if is_approved:
        require(request, DECIDE)
    joined = next((nominee for nominee, _ in similar if str(nominee.pk) == request.POST.get("joined")), None)

    def effect() -> tuple[int, Any]:
        nomination = services.add_nomination(
            category,
            nominee=sheet.nominee_fields(),
            nominator=sheet.nominator_fields(),
            why=sheet.why.cleaned_data["why"],
            by=cast(User, request.user),
            joined=joined,
            is_approved=is_approved,
        )
        model_admin.log_addition(request, nomination, "Added by hand.")
        return 201, {"id": str(nomination.pk)}

    # Two clicks at once are one nominee; whoever goes back and changes the words adds another.
    sent = fingerprint([pair for pair in request.POST.lists() if pair[0] != "csrfmiddlewaretoken"])
    key = f"{sheet.why.cleaned_data['key'] or uuid4().hex}:{sent}"
    (_status, body), _replayed = remember_answer(f"admin add {request.user.pk}", key, sent, effect)
    nomination = Nomination.objects.complete().get(pk=body["id"])
    live = f"Added: {nomination.nominee} is live at {nomination.nominee.live_url}"
    messages.success(request, live if is_approved else f"Added: {nomination} waits for a decision")
    return HttpResponseRedirect(page_url(nomination, "delivery" if is_approved else "change"))
