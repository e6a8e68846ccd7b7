"""What became of each contact of a run, for reading."""

from typing import Any, cast
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from crm.admin.runs import ReadAdmin
from crm.admin.standing import Bucket, line_of, outcomes_url
from crm.admin.words import BUCKET_WORDS, REASON_WORDS, Change, bucket_badge, changes_in_words, short
from crm.models import SyncOutcome, SyncRun
from notifications.admin import Tab

# As much of a value as a list has room for.
SHOWN = 60
Reason = SyncOutcome.Reason


@admin.register(SyncOutcome)
class OutcomeAdmin(ReadAdmin):
    """Of one run at a time, which the address names."""

    business_path = "run__connection__business"
    list_display = ("contact", "became", "why", "id_there", "lead_link")
    list_display_links = None
    list_select_related = ("lead",)
    search_fields = ("name", "crm_id")
    search_help_text = "Names and ids at the CRM."
    ordering = ("id",)
    change_list_template = "admin/crm/syncoutcome/change_list.html"

    def has_module_permission(self, request: HttpRequest) -> bool:
        """One comes here from a run."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Those of the run. Without one, the way to the runs. Raises Http404 for another business's."""
        wanted = request.GET.get("run")
        if wanted is None:
            return HttpResponseRedirect(reverse("admin:crm_syncrun_changelist"))
        run = self._run(request, wanted)
        chosen = request.GET.get("bucket", ""), request.GET.get("reason", "")
        extra = {
            "run": run,
            "line": line_of(run),
            "run_url": outcomes_url(run),
            "tabs": tabs_of(run, chosen),
            "is_purged": not run.outcomes.exists(),
        }
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def _run(self, request: HttpRequest, wanted: str) -> SyncRun:
        runs = self.admin_site.get_model_admin(SyncRun)
        try:
            run = runs.get_object(request, str(UUID(wanted)))
        except ValueError as error:
            raise Http404("Not found.") from error
        return cast(SyncRun, run)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncOutcome]:
        """With the lead."""
        return super().get_queryset(request).select_related("lead")

    @admin.display(description="Contact")
    def contact(self, outcome: SyncOutcome) -> SafeString:
        """As the CRM calls it."""
        return format_html('<span class="contact">{}</span>', outcome.name or "No name")

    @admin.display(description="Outcome")
    def became(self, outcome: SyncOutcome) -> SafeString:
        """In its colour."""
        return bucket_badge(outcome)

    @admin.display(description="Why, or what changed")
    def why(self, outcome: SyncOutcome) -> SafeString | str:
        """The reason, or field by field before and after."""
        if outcome.reason:
            return dict(Reason.choices).get(outcome.reason, outcome.reason)
        if outcome.bucket == Bucket.UPDATED and not outcome.changes:
            return "A lead there was is this contact"
        return change_lines(changes_in_words(outcome)) or "–"

    @admin.display(description="CRM id")
    def id_there(self, outcome: SyncOutcome) -> SafeString:
        """As the CRM numbers it."""
        return format_html('<span class="crm-id">{}</span>', outcome.crm_id)

    @admin.display(description="Lead")
    def lead_link(self, outcome: SyncOutcome) -> SafeString | str:
        """To its page."""
        if outcome.lead is None:
            return "–"
        url = reverse("admin:crm_lead_change", args=[outcome.lead.pk])
        return format_html('<a href="{}">{}</a>', url, outcome.lead)


def tabs_of(run: SyncRun, chosen: tuple[str, str]) -> list[Tab]:
    """By bucket and reason, as the run counted them."""
    found: list[tuple[str, str, str, int]] = [("All", "", "", sum(getattr(run, bucket) for bucket in Bucket))]
    for bucket in Bucket:
        found.append((BUCKET_WORDS[bucket], bucket, "", getattr(run, bucket)))
        if bucket == Bucket.SKIPPED:
            found += [(REASON_WORDS[reason], bucket, reason, run.skipped_reasons.get(reason, 0)) for reason in Reason]
    return [
        Tab(label, f"?{outcomes_url(run, bucket, reason).partition('?')[2]}", count, chosen == (bucket, reason))
        for label, bucket, reason, count in found
        if count or not bucket
    ]


def change_lines(changes: list[Change]) -> SafeString:
    """A line for each field."""
    line = (
        '<span class="change"><span class="field-name">{}</span> <del>{}</del> <span aria-hidden="true">→</span>'
        '<span class="visually-hidden">is now</span> <ins>{}</ins></span>'
    )
    shown = ((change.label, _shown(change.before), _shown(change.after)) for change in changes)
    return format_html_join("", line, shown)


def _shown(text: str) -> str:
    return short(text, SHOWN) or "empty"
