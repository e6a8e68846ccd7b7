"""Nominations by file: looking through one, bringing it in, and watching how far it is."""

from typing import Any, cast
from urllib.parse import quote, urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services, tasks
from nominations.models import ImportBatch, Season
from nominations.models.imports import COLUMNS, MOST_BYTES, MOST_ROWS
from notifications.admin import (
    ReadOnlyAdmin,
    StaffModelAdmin,
    Tab,
    add_errors,
    badge,
    posted,
    require,
    staff_page,
    when,
)
from notifications.api.sheets import csv_response

IMPORT = "nominations.import_nominations"
FOLDER = "admin/nominations/importbatch"
SHOWN, LATEST = 100, 10
PROBLEMS = ("row", "field", "reason")
State = ImportBatch.State
COLOURS = {State.WAITING: "pending", State.RUNNING: "sending", State.DONE: "done", State.FAILED: "failed"}


class ImportForm(forms.Form):
    """A file, and which season it is for."""

    file = forms.FileField(
        label="CSV file",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text="UTF-8, separated by commas, semicolons or tabs. Up to 10 MB and 10,000 rows.",
    )
    season = forms.ModelChoiceField(queryset=Season.objects.all(), empty_label=None)


def bring_in(model_admin: StaffModelAdmin, request: HttpRequest) -> HttpResponse:
    """The form. `Check only` says what would happen; `Import` leaves the file to a worker and shows how far it is."""
    require(request, IMPORT)
    is_posted = request.method == "POST"
    current = Season.objects.filter(is_current=True).first()
    files = request.FILES if is_posted else None
    form = ImportForm(posted(request), files, initial={"season": current})
    report = None
    if is_posted and form.is_valid():
        try:
            if "_check" not in request.POST:
                return HttpResponseRedirect(batch_url(_started(model_admin, request, form.cleaned_data)))
            season = form.cleaned_data["season"]
            report = services.check_import(_content(form.cleaned_data), season=season)
        except ValidationError as error:
            add_errors(form, error)
    context = {
        **model_admin.page_context(request, "Import nominations"),
        "form": form,
        "report": report,
        "file_name": form.cleaned_data["file"].name if report else "",
        "problems": report.problems[:SHOWN] if report else [],
        "download": _download(report.problems) if report else "",
        "latest": selectors.latest_imports(LATEST),
        "columns": COLUMNS,
        "most_rows": MOST_ROWS,
    }
    return TemplateResponse(request, "admin/nominations/nomination/import.html", context)


def template_file(model_admin: StaffModelAdmin, request: HttpRequest) -> StreamingHttpResponse:
    """A file to begin with: the header and a line of each kind."""
    require(request, IMPORT)
    slugs = {category.kind: category.slug for category in selectors.active_categories()}
    person = {"first_name": "Jane", "last_name": "Doe", "job_title": "Recruiter", "email": "jane.doe@example.com"}
    company = {"company_name": "Example Ltd", "website": "https://www.example.com", "company_size": "11-50"}
    by = {"nominator_name": "Sam Example", "nominator_email": "sam@example.com"}
    both = {"country": "United Kingdom", "why_vote_for_me": "Why they deserve it, up to 1000 characters."}
    rows = [
        {"type": "person", "category": slugs.get("person", ""), **person, **both, **by},
        {"type": "company", "category": slugs.get("company", ""), **company, **both},
    ]
    return csv_response("nominations-template.csv", COLUMNS, ([row.get(name, "") for name in COLUMNS] for row in rows))


def batch_url(batch: ImportBatch) -> str:
    """The page of an import."""
    return reverse("admin:nominations_importbatch_change", args=[batch.pk])


def _content(wanted: dict[str, Any]) -> bytes:
    """No more of it than is needed to see that it is too large."""
    return cast(bytes, wanted["file"].read(MOST_BYTES + 1))


def _started(model_admin: StaffModelAdmin, request: HttpRequest, wanted: dict[str, Any]) -> ImportBatch:
    with transaction.atomic():
        batch = services.start_import(
            _content(wanted),
            file_name=wanted["file"].name,
            season=wanted["season"],
            by=cast(User, request.user),
        )
        model_admin.log_change(request, batch, f"Imports {batch.rows} rows into {batch.season}.")
        transaction.on_commit(lambda: tasks.queue_import(batch.pk), robust=True)
    return batch


def _download(problems: list[Any]) -> str:
    """The problems as a file inside the page: a check keeps nothing that could be fetched later."""
    text = b"".join(_sheet(problems)).decode()
    return f"data:text/csv;charset=utf-8,{quote(text)}"


def _sheet(problems: Any) -> StreamingHttpResponse:
    rows = ([problem.row, problem.field, problem.reason] for problem in problems)
    return csv_response("import-problems.csv", PROBLEMS, rows)


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    """The files that were brought in."""

    list_display = ("file_name", "state_badge", "progress", "outcome", "season", "asked_by", "moment")
    list_filter = ("state", "season")
    list_select_related = ("season", "by")
    search_fields = ("file_name", "by__email")
    search_help_text = "File names and who brought them in."
    change_list_template = f"{FOLDER}/change_list.html"
    empty_text = "Nothing was imported yet. Choose “Import a file” to bring in nominations by CSV."

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may import may also see what came of it."""
        return super().has_view_permission(request, obj) or request.user.has_perm(IMPORT)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """So that the list can be found."""
        return super().has_module_permission(request) or request.user.has_perm(IMPORT)

    def get_urls(self) -> list[URLPattern]:
        """Django's, the fragment that is asked for again, the problems, and another try."""
        pages = {"progress": self.watch, "problems": self.problems, "retry": self.retry}
        own = [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(page), name=f"nominations_importbatch_{name}")
            for name, page in pages.items()
        ]
        return [*own, *super().get_urls()]

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By state."""
        counts, chosen = selectors.import_counts(), request.GET.get("state__exact")
        tabs = [Tab(s.label, f"?state__exact={s.value}", counts[s.value], chosen == s.value) for s in State]
        return [Tab("All", "?", sum(counts.values()), not chosen), *tabs]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImportBatch]:
        """Without the files themselves."""
        return super().get_queryset(request).select_related("season", "by").defer("content")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the way to the form for those who may."""
        return super().changelist_view(request, {"may_import": request.user.has_perm(IMPORT), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One file: how far it is, what came of it and what was wrong. Raises Http404."""
        batch = self._batch(request, object_id)
        context = {**self.page_context(request, batch.file_name), **self._context(request, batch)}
        return TemplateResponse(request, f"{FOLDER}/change_form.html", context)

    def watch(self, request: HttpRequest, pk: object) -> HttpResponse:
        """The part of the page that asks again by itself. Raises Http404."""
        return TemplateResponse(request, f"{FOLDER}/_batch.html", self._context(request, self._batch(request, pk)))

    def problems(self, request: HttpRequest, pk: object) -> StreamingHttpResponse:
        """What was wrong, for a spreadsheet. Raises Http404."""
        return _sheet(self._batch(request, pk).problems.iterator())

    def retry(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Go on where it stopped."""
        batch = self._batch(request, pk)

        def act() -> str:
            services.retry_import(batch)
            transaction.on_commit(lambda: tasks.queue_import(batch.pk), robust=True)
            return f"{batch.file_name} goes on after {batch.read_rows:,} rows."

        return staff_page(
            self,
            request,
            permission=IMPORT,
            title=f"Go on with {batch.file_name}",
            about=batch,
            act=act,
            then=batch_url(batch),
            context=lambda: {
                "button": "Go on",
                "consequences": [
                    f"{batch.read_rows:,} of {batch.rows:,} rows are in and stay as they are.",
                    "The rest is read by a worker, from the row where it stopped.",
                ],
            },
        )

    def _batch(self, request: HttpRequest, pk: object) -> ImportBatch:
        """Raises PermissionDenied or Http404."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_object(request, str(pk))
        if batch is None:
            raise Http404
        return cast(ImportBatch, batch)

    def _context(self, request: HttpRequest, batch: ImportBatch) -> dict[str, Any]:
        listed = reverse("admin:nominations_nomination_changelist")
        page = Paginator(batch.problems.all(), SHOWN).get_page(request.GET.get("page"))
        return {
            "batch": batch,
            "badge": self.state_badge(batch),
            "is_waiting": batch.state == State.WAITING,
            "page": page,
            "nominations_url": f"{listed}?{urlencode({'batch__id__exact': batch.pk})}",
            "may_retry": batch.state == State.FAILED and request.user.has_perm(IMPORT),
        }

    @admin.display(description="State", ordering="state")
    def state_badge(self, batch: ImportBatch) -> SafeString:
        """In its colour."""
        return badge(COLOURS[State(batch.state)], batch.get_state_display())

    @admin.display(description="Rows")
    def progress(self, batch: ImportBatch) -> str:
        """How far it is."""
        return f"{batch.read_rows:,} of {batch.rows:,}" if batch.read_rows != batch.rows else f"{batch.rows:,}"

    @admin.display(description="Outcome")
    def outcome(self, batch: ImportBatch) -> SafeString:
        """Every row is in one of three counts."""
        beside = f"{batch.unchanged_rows:,} unchanged, {batch.failed_rows:,} failed"
        return format_html('{} created<span class="sub">{}</span>', f"{batch.created_rows:,}", beside)

    @admin.display(description="By", ordering="by__email")
    def asked_by(self, batch: ImportBatch) -> str:
        """Who; the command line is nobody."""
        return str(batch.by) if batch.by else "The command line"

    @admin.display(description="Begun", ordering="created_at")
    def moment(self, batch: ImportBatch) -> SafeString | str:
        """When."""
        return when(batch.created_at)
