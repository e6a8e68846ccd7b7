"""Runs, for reading: what each was to do, how far it is, and what came of it."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from crm.admin.deciding import SYNC, may
from crm.admin.filters import BusinessFilter
from crm.admin.standing import Bucket, line_of, outcomes_url, run_badge
from crm.admin.tenancy import TenantAdmin
from crm.admin.words import BUCKET_WORDS, Change, asked_by, buckets_of, changes_in_words, sentence_of, title_of, took
from crm.models import Membership, SyncOutcome, SyncRun
from crm.selectors import examples_of
from notifications.admin import ReadOnlyAdmin, Tab, when

FOLDER = "admin/crm/syncrun"
EXAMPLES = 50
# What a preview calls them: nothing of it has happened.
WOULD_BE = {
    Bucket.REMOVED: "Would be marked as gone",
    Bucket.UPDATED: "Would change",
    Bucket.CREATED: "Would be new",
}
Status, Strategy = SyncRun.Status, SyncRun.Strategy


class ReadAdmin(ReadOnlyAdmin, TenantAdmin):
    """What a sync writes down. Staff who may sync may read it."""

    class Media:
        css = {"all": ("crm/crm.css",)}

    def sees_all(self, request: HttpRequest, action: str = "view") -> bool:
        """With the model's permission, or the one to sync."""
        user: Any = request.user
        return super().sees_all(request, action) or bool(user.acts_for_all(SYNC))


@admin.register(SyncRun)
class RunAdmin(ReadAdmin):
    """Newest first."""

    business_path = "connection__business"
    list_display = ("moment", "title", "crm", "asked", "state", "took", "result")
    list_display_links = ("moment", "title")
    list_filter = ("status", "strategy", "trigger", BusinessFilter)
    list_select_related = ("connection__business", "by")
    search_fields = ("connection__business__name", "error")
    search_help_text = "Businesses and errors."
    empty_text = "A run appears here whenever a CRM is read: every hour, or when somebody refreshes it."

    def get_urls(self) -> list[URLPattern]:
        """Django's, and what a page asks while it watches a run."""
        view = self.admin_site.admin_view(self.progress)
        return [path("<uuid:pk>/progress/", view, name="crm_syncrun_progress"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        """With the connection and who asked."""
        return super().get_queryset(request).select_related("connection__business", "by")

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By status."""
        rows = self.get_queryset(request).select_related(None).order_by().values_list("status")
        counts, chosen = dict(rows.annotate(count=Count("pk"))), request.GET.get("status__exact")
        tabs = [
            Tab(status.label, f"?status__exact={status}", counts.get(status, 0), chosen == status) for status in Status
        ]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One run; while it is under way it is watched. Raises Http404."""
        run = self.get_object(request, object_id)
        title = f"{title_of(run)}, {run.created_at:%-d %b %H:%M}"
        context = {**self.page_context(request, title), **self._context(request, run), "media": self.media}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"{FOLDER}/change_form.html", context)

    def progress(self, request: HttpRequest, pk: object) -> HttpResponse:
        """The part of the page that asks again by itself. Raises Http404."""
        run = self.get_object(request, str(pk))
        return TemplateResponse(request, f"{FOLDER}/_run.html", self._context(request, run))

    def _context(self, request: HttpRequest, run: SyncRun) -> dict[str, Any]:
        connection = run.connection
        may_manage = may(request, connection.business_id, Membership.Role.MANAGER)
        is_done = run.status == Status.DONE
        return {
            "run": run,
            "line": line_of(run),
            "connection": connection,
            "crm": connection.get_provider_display(),
            "sums": [_sum(run, bucket) for bucket in Bucket],
            "examples": _examples(run) if is_done and run.strategy == Strategy.PREVIEW else [],
            "may_sync": connection.is_active and may(request, connection.business_id, Membership.Role.CASHIER),
            "may_overwrite": connection.is_active and may_manage and run.of == Strategy.OVERWRITE,
            "is_done": is_done,
            "may_see_runs": True,
        }

    @admin.display(description="Begun", ordering="created_at")
    def moment(self, run: SyncRun) -> SafeString | str:
        """When it was asked for."""
        return when(run.created_at)

    @admin.display(description="What")
    def title(self, run: SyncRun) -> str:
        """Refresh, overwrite or preview."""
        return title_of(run)

    @admin.display(description="CRM")
    def crm(self, run: SyncRun) -> SafeString:
        """And whose."""
        connection = run.connection
        return format_html('{}<span class="sub">{}</span>', connection.get_provider_display(), connection.business)

    @admin.display(description="Asked by")
    def asked(self, run: SyncRun) -> str:
        """Who or what."""
        who = asked_by(run)
        return who[:1].upper() + who[1:]

    @admin.display(description="State", ordering="status")
    def state(self, run: SyncRun) -> SafeString:
        """In its colour."""
        return run_badge(run)

    @admin.display(description="Took")
    def took(self, run: SyncRun) -> str:
        """How long."""
        return took(run)

    @admin.display(description="Result")
    def result(self, run: SyncRun) -> SafeString | str:
        """What came of it."""
        if run.status == Status.FAILED:
            return run.error or "–"
        if run.finished_at is None:
            return f"{run.fetched:,} read so far"
        beside = ((f"{count:,}", label) for _bucket, _reason, count, label in buckets_of(run))
        return format_html('{}<span class="sub">{}</span>', sentence_of(run), format_html_join(", ", "{} {}", beside))


def _sum(run: SyncRun, bucket: str) -> tuple[str, str, str]:
    """How many of a bucket, what they are, and where they are listed."""
    return f"{getattr(run, bucket):,}", BUCKET_WORDS[Bucket(bucket)], outcomes_url(run, bucket)


def _examples(run: SyncRun) -> list[tuple[str, int, str, list[tuple[SyncOutcome, list[Change]]]]]:
    """What would happen: each kind with how many there are of it, and some of them."""
    found = examples_of(run, EXAMPLES)
    return [
        (label, getattr(run, bucket), outcomes_url(run, bucket), shown)
        for bucket, label in WOULD_BE.items()
        if (shown := [(outcome, changes_in_words(outcome)) for outcome in found if outcome.bucket == bucket])
    ]
