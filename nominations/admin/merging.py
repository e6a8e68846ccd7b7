"""Two nominees that are one: the possible duplicates, the search, and the preview before they are merged."""

from typing import Any, cast

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services
from nominations.admin.facts import facts_of
from nominations.admin.forms import LONG_TEXT
from nominations.admin.merge_facts import facts, lines_of_merge, shown
from nominations.models import Category, Nominee
from notifications.admin import StaffModelAdmin, posted, require, staff_page

VIEW, MERGE = "nominations.view_nominee", "nominations.merge_nominee"
FOLDER = "admin/nominations/merge"
SHOWN = 20
THRESHOLDS = [(f"0.{tenth}", f"{tenth}0% alike or more") for tenth in range(9, 3, -1)]


class ReasonForm(forms.Form):
    """Why, if there is something to say."""

    reason = forms.CharField(max_length=500, widget=LONG_TEXT, required=False, label="Why (optional)")


class DuplicatesForm(forms.Form):
    """Among whom, and from which likeness on."""

    kind = forms.ChoiceField(choices=Nominee.Kind.choices, required=False)
    at_least = forms.ChoiceField(choices=THRESHOLDS, required=False, initial="0.7", label="Names")
    category = forms.ModelChoiceField(
        queryset=Category.objects.all(), required=False, empty_label="All", to_field_name="slug"
    )


def urls(model_admin: StaffModelAdmin) -> list[URLPattern]:
    """The pages under the list of nominees."""

    def page(view: Any) -> Any:
        def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return cast(HttpResponse, view(model_admin, request, **kwargs))

        return model_admin.admin_site.admin_view(wrapped)

    return [
        path("duplicates/", page(duplicates), name="nominations_nominee_duplicates"),
        path("<uuid:pk>/merge/", page(choose), name="nominations_nominee_merge"),
        path("<uuid:pk>/merge/<uuid:into>/", page(merge), name="nominations_nominee_merge_into"),
    ]


def buttons(request: HttpRequest, nominee: Nominee) -> list[tuple[str, str, str]]:
    """Label, address and look of the way to a merge."""
    if nominee.state == Nominee.State.MERGED or not request.user.has_perm(MERGE):
        return []
    return [("Merge into another", reverse("admin:nominations_nominee_merge", args=[nominee.pk]), "")]


def panel(request: HttpRequest, nominee: Nominee) -> dict[str, Any]:
    """Whom a nominee was merged into, and who was merged into it."""
    away = nominee.merges_away.filter(undone_at=None).select_related("survivor", "by").first()
    here = nominee.merges_here.filter(undone_at=None).select_related("loser", "by")
    if away is None and not here:
        return {}
    may_merge = request.user.has_perm(MERGE)
    return {"template": f"{FOLDER}/_panel.html", "away": away, "here": here, "may_merge": may_merge}


def choose(model_admin: StaffModelAdmin, request: HttpRequest, pk: str) -> HttpResponse:
    """Whom to merge a nominee into: those with a similar name, or found by name, address or slug."""
    require(request, MERGE)
    nominee = get_object_or_404(Nominee, pk=pk)
    rows: QuerySet[Nominee] = Nominee.objects.filter(kind=nominee.kind).exclude(pk=nominee.pk)
    rows = rows.exclude(state=Nominee.State.MERGED)
    text = request.GET.get("q", "").strip()
    if text:
        found, doubled = model_admin.get_search_results(request, rows, text)
        listed = [(row, 0) for row in (found.distinct() if doubled else found)[: SHOWN + 1]]
    else:
        listed = selectors.alike(nominee.name, rows, limit=5)
    context = {
        "nominee": nominee,
        "merged_into": nominee.merged_into,
        "q": text,
        "rows": [(row, likeness, facts_of(row)[:3]) for row, likeness in listed[:SHOWN]],
        "is_more": len(listed) > SHOWN,
    }
    page = model_admin.page_context(request, f"Merge {nominee} into…", nominee)
    return TemplateResponse(request, f"{FOLDER}/choose.html", {**page, **context})


def merge(model_admin: StaffModelAdmin, request: HttpRequest, pk: str, into: str) -> HttpResponse:
    """Both side by side, with all that will change; then they are one."""
    require(request, MERGE)
    nominees = Nominee.objects.select_related("merged_into")
    loser, survivor = get_object_or_404(nominees, pk=pk), get_object_or_404(nominees, pk=into)
    preview = services.preview_merge(loser, survivor)
    form = ReasonForm(posted(request))

    def act() -> SafeString:
        reason = form.cleaned_data["reason"]
        merged = services.merge_nominees(loser, survivor, by=cast(User, request.user), reason=reason)
        # Without names: what is logged of the one stays when the other is forgotten.
        model_admin.log_change(request, survivor, f"Another nominee was merged into this one (merge {merged.pk}).")
        model_admin.log_change(request, loser, f"Merged into another nominee (merge {merged.pk}).")
        undo = reverse("admin:nominations_merge_undo", args=[merged.pk])
        return format_html('{} was merged into {}. <a href="{}">Undo</a>', loser.name, survivor.name, undo)

    return staff_page(
        model_admin,
        request,
        permission=MERGE,
        title=f"Merge {loser} into {survivor}",
        template=f"{FOLDER}/merge.html",
        form=form,
        act=act,
        then=reverse("admin:nominations_nominee_change", args=[survivor.pk]),
        context=lambda: {
            **shown(preview),
            "consequences": [] if preview.problem else lines_of_merge(preview),
            "speaks": selectors.evidence(loser, survivor),
            "facts": facts(preview),
            "swap_url": reverse("admin:nominations_nominee_merge_into", args=[survivor.pk, loser.pk]),
            "button": f"Merge into {survivor}",
            "is_danger": True,
        },
    )


def duplicates(model_admin: StaffModelAdmin, request: HttpRequest) -> HttpResponse:
    """Pairs that may be one, most alike first."""
    require(request, VIEW)
    form = DuplicatesForm({"kind": Nominee.Kind.PERSON, "at_least": "0.7", **request.GET.dict()})
    asked = form.cleaned_data if form.is_valid() else {}
    kind, at_least = asked.get("kind") or Nominee.Kind.PERSON, float(asked.get("at_least") or "0.7")
    pairs, count = selectors.duplicate_pairs(kind, at_least, asked.get("category"))
    context = {"form": form, "pairs": pairs, "count": count, "may_merge": request.user.has_perm(MERGE)}
    page = model_admin.page_context(request, "Possible duplicates")
    return TemplateResponse(request, f"{FOLDER}/duplicates.html", {**page, **context})
