"""The stage: decisions that are prepared, looked at together, and applied by a worker."""

from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services, tasks
from nominations.admin.decisions import DECIDE, page_url
from nominations.models import StagedDecision
from nominations.models.staged import StagedDecisionQuerySet
from nominations.services.staged import fingerprint
from notifications.admin import ReadOnlyAdmin, Tab, badge, posted, require, staff_page, when

FOLDER = "admin/nominations/stageddecision"
LIST = "admin:nominations_stageddecision_changelist"
SHOWN = 100
Decision = StagedDecision.Decision
WORDS = {Decision.APPROVE: "To approve", Decision.REJECT: "To reject"}
COLOURS = {Decision.APPROVE: "approved", Decision.REJECT: "rejected"}
PARTS = {
    "approve": "To approve",
    "reject": "To reject",
    "no_effect": "Decided meanwhile",
    "under_way": "Being applied",
    "refused": "Could not be decided",
}


class ApplyForm(forms.Form):
    """What a preview has shown."""

    ids = forms.CharField(widget=forms.HiddenInput)
    shown = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[int]:
        """Back from one field to a list; what is no id is refused."""
        texts = self.cleaned_data["ids"].split(",")
        if not all(text.isascii() and text.isdecimal() and len(text) < 19 for text in texts):
            raise ValidationError("Open the stage again.")
        return [int(text) for text in texts]


class PartFilter(admin.SimpleListFilter):
    """How far it is."""

    title, parameter_name = "part", "part"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """As the tabs above the list say."""
        return list(PARTS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those of the part."""
        part = selectors.STAGE_PARTS.get(self.value() or "")
        return queryset if part is None else queryset.filter(part)


def part_tabs(chosen: str) -> list[Tab]:
    """The parts of the stage with their counts."""
    stage = selectors.stage()
    tabs = [Tab(label, f"?part={name}", getattr(stage, name), chosen == name) for name, label in PARTS.items()]
    return [Tab("All", "?", sum(tab.count for tab in tabs), not chosen), *tabs]


@admin.register(StagedDecision)
class StagedDecisionAdmin(ReadOnlyAdmin):
    """Prepared from the list of nominations and from their pages."""

    list_display = ("about", "decision_badge", "reason", "by", "staged_at", "outcome", "change_link")
    list_display_links = None
    list_filter = (
        PartFilter,
        ("nomination__category", admin.RelatedOnlyFieldListFilter),
        ("nomination__season", admin.RelatedOnlyFieldListFilter),
        ("by", admin.RelatedOnlyFieldListFilter),
    )
    search_fields = tuple(f"nomination__{name}" for name in selectors.SEARCHED)
    search_help_text = "Names and addresses of nominees and nominators."
    actions = ("apply_selected", "remove_selected")
    change_list_template = f"{FOLDER}/change_list.html"
    empty_text = "Tick nominations in their list and choose “Stage approval” or “Stage rejection”: they gather here."

    def get_urls(self) -> list[URLPattern]:
        """Django's, the preview with its button, and how far it is."""
        pages = {"apply": self.apply, "progress": self.progress}
        own = [
            path(f"{name}/", self.admin_site.admin_view(page), name=f"nominations_stageddecision_{name}")
            for name, page in pages.items()
        ]
        return [*own, *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whoever may decide."""
        return request.user.has_perm(DECIDE) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The same."""
        return self.has_view_permission(request)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """For the actions."""
        return request.user.has_perm(DECIDE)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StagedDecision]:
        """With everything a row shows."""
        return StagedDecision.objects.complete()

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By part."""
        return part_tabs(request.GET.get("part", ""))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the whole stage above the list."""
        known = {
            "stage": selectors.stage(),
            "stagers": selectors.stagers(),
            "may_decide": request.user.has_perm(DECIDE),
        }
        return super().changelist_view(request, {**known, **(extra_context or {})})

    def apply(self, request: HttpRequest) -> HttpResponse:
        """All of it, or what the preview before was about."""
        require(request, DECIDE)
        form = ApplyForm(posted(request))
        rows = StagedDecision.objects.staged()
        if form.is_bound:
            rows = rows.filter(pk__in=form.cleaned_data["ids"]) if form.is_valid() else rows.none()
        return self._apply_page(request, form, rows)

    def _apply_page(self, request: HttpRequest, form: ApplyForm, rows: StagedDecisionQuerySet) -> HttpResponse:
        preview = services.preview_stage(rows.complete().order_by("pk"))
        count, then = len(preview.can), reverse(LIST)
        if count:
            asked = urlencode({"since": timezone.now().isoformat(), "total": count})
            then = f"{reverse('admin:nominations_stageddecision_progress')}?{asked}"

        def act() -> str:
            sent = form.cleaned_data
            _at, handed = services.apply_staged(sent["ids"], by=cast(User, request.user), shown=sent["shown"])
            transaction.on_commit(tasks.queue_stage, robust=True)
            return f"Applying {decisions_of(handed)}."

        return staff_page(
            self,
            request,
            permission=DECIDE,
            title=f"Apply {decisions_of(count)}" if count else "Nothing to apply",
            template=f"{FOLDER}/apply.html",
            form=form,
            act=act,
            then=then,
            context=lambda: {
                "preview": preview,
                "ids": ",".join(str(row.pk) for row in preview.can),
                "shown_print": fingerprint(preview.can),
                "is_told": selectors.is_told_outside(),
                "rows": preview.can[:SHOWN],
                "addresses": preview.addresses[:SHOWN],
                "cannot": preview.cannot[:SHOWN],
                "button": f"Apply {decisions_of(count)}",
                "action_url": reverse("admin:nominations_stageddecision_apply"),
                "cancel_url": reverse(LIST),
            },
        )

    def progress(self, request: HttpRequest) -> HttpResponse:
        """How far what this user applied is; its fragment asks again by itself until nothing is left."""
        require(request, DECIDE)
        since, total = parse_datetime_or_none(request.GET.get("since", "")), request.GET.get("total", "")
        if since is None or not (total.isascii() and total.isdecimal() and len(total) < 9):
            return HttpResponseRedirect(reverse(LIST))
        rows = selectors.applied(cast(User, request.user), since)
        left, refused = rows.under_way().count(), list(rows.refused()[:SHOWN])
        count = max(int(total), left)
        context = {
            "left": left,
            "total": count,
            "done": count - left,
            "share": 100 if not count else round(100 * (count - left) / count),
            "refused": refused,
            "updated_at": timezone.now(),
        }
        if request.headers.get("HX-Request"):
            return TemplateResponse(request, f"{FOLDER}/_progress.html", context)
        title = f"Applying {decisions_of(int(total))}"
        return TemplateResponse(request, f"{FOLDER}/progress.html", {**self.page_context(request, title), **context})

    @admin.action(description="Apply selected", permissions=["decide"])
    def apply_selected(self, request: HttpRequest, chosen: QuerySet[StagedDecision]) -> HttpResponse:
        """Shows what would happen."""
        rows = StagedDecision.objects.staged().filter(pk__in=chosen.order_by().values("pk"))
        return self._apply_page(request, ApplyForm(), rows)

    @admin.action(description="Remove from the stage", permissions=["decide"])
    def remove_selected(self, request: HttpRequest, chosen: QuerySet[StagedDecision]) -> None:
        """At once: nothing has happened, and they can be staged again."""
        count = services.unstage_decisions(StagedDecision.objects.filter(pk__in=chosen.order_by().values("pk")))
        messages.success(request, f"Removed {decisions_of(count)} from the stage.")

    @admin.display(description="Nomination", ordering="nomination__nominee__last_name")
    def about(self, row: StagedDecision) -> SafeString:
        """A link to it."""
        nomination = row.nomination
        text = '<a href="{}">{}</a><span class="sub">{}, by {}</span>'
        return format_html(
            text, page_url(nomination), nomination.nominee.name, nomination.category, str(nomination.nominator)
        )

    @admin.display(description="Decision", ordering="decision")
    def decision_badge(self, row: StagedDecision) -> SafeString:
        """In the colour of what it will be."""
        return decision_badge(row)

    @admin.display(description="Staged", ordering="created_at")
    def staged_at(self, row: StagedDecision) -> SafeString | str:
        """When."""
        return when(row.created_at)

    @admin.display(description="Now")
    def outcome(self, row: StagedDecision) -> SafeString | str:
        """What stands against it, or how far it is."""
        return outcome_of(row)

    @admin.display(description="", empty_value="")
    def change_link(self, row: StagedDecision) -> SafeString | str:
        """The way to the page on which it is changed or removed."""
        if row.is_under_way:
            return ""
        text = '<a class="button small" href="{}" aria-label="Change: {}">{}</a>'
        word = "Stage again" if row.error else "Change"
        return format_html(text, page_url(row.nomination, "stage"), row.nomination.nominee.name, word)


def parse_datetime_or_none(text: str) -> datetime | None:
    """A moment with its zone, or None."""
    try:
        at = parse_datetime(text)
        return at.astimezone(UTC) if at is not None and timezone.is_aware(at) else None
    except (ValueError, OverflowError):
        return None


def decision_badge(row: StagedDecision) -> SafeString:
    """What it will be, in its colour."""
    decision = Decision(row.decision)
    return badge(COLOURS[decision], WORDS[decision])


def outcome_of(row: StagedDecision) -> SafeString | str:
    """What stands against a staged decision, or how far it is."""
    if row.error:
        return format_html('{}<span class="sub">{}</span>', badge("failed", "Not decided"), row.error)
    if row.is_under_way:
        return badge("processing", "Being applied")
    if not row.has_effect:
        state = row.nomination.get_state_display().lower()
        return format_html('{}<span class="sub">Already {}</span>', badge("late", "No effect"), state)
    return badge("waiting", "Waits")


def decisions_of(count: int) -> str:
    """How many, in words."""
    return f"{count:,} decision{'' if count == 1 else 's'}"
