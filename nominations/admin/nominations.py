"""Nominations: the list, the page of one, and the doors to the pages that decide it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin import ShowFacets
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nominations import selectors
from nominations.admin import adding, bulk, decisions, exports, imports, staging
from nominations.admin.decisions import DECIDE, page_url, subject_context
from nominations.admin.edits import in_words
from nominations.admin.facts import steps_of
from nominations.models import Nomination
from notifications.admin import StaffModelAdmin, Tab, badge, when

Page = Callable[[StaffModelAdmin, HttpRequest, Nomination], HttpResponse]
PAGES: dict[str, Page] = {
    "approve": decisions.approve,
    "reject": decisions.reject,
    "withdraw": decisions.withdraw,
    "duplicate": decisions.duplicate,
    "reopen": decisions.reopen,
    "delivery": decisions.delivery,
    "stage": staging.stage,
}
# About no nomination in particular.
LIST_PAGES: dict[str, Callable[[StaffModelAdmin, HttpRequest], HttpResponseBase]] = {
    "decide": bulk.decide,
    "stage/rejections": staging.stage_rejections,
    "import": imports.bring_in,
    "import/template": imports.template_file,
    "export": exports.nominations,
}
TABS = {
    "submitted": "Waiting",
    "approved": "Approved",
    "rejected": "Rejected",
    "withdrawn": "Withdrawn",
    "duplicate": "Duplicates",
}


@admin.register(Nomination)
class NominationAdmin(StaffModelAdmin):
    """They come in by page, API and file, or are added by staff, who decide them."""

    list_display = ("nominee_name", "category", "nominator_name", "state_badge", "submitted", "review")
    list_filter = ("state", "category", ("nominee__kind", admin.ChoicesFieldListFilter), "season", "source")
    list_select_related = ("category", "nominator", "nominee", "season", "staged")
    search_fields = selectors.SEARCHED
    search_help_text = "Names and addresses of nominees and nominators."
    show_facets = ShowFacets.ALWAYS
    fields = ("why", "admin_notes")
    change_list_template = "admin/nominations/nomination/change_list.html"
    actions = ("approve_selected", "reject_selected", "stage_approval", "stage_rejection")
    empty_text = "Nominations appear here when somebody sends the form at /nominate, or when you add or import them."

    def get_urls(self) -> list[URLPattern]:
        """Django's, and one for each page that decides."""
        own = [
            path(f"<uuid:pk>/{name}/", self._page(page), name=f"nominations_nomination_{name}")
            for name, page in PAGES.items()
        ]
        lists = [
            path(f"{name}/", self._list_page(page), name=f"nominations_nomination_{name.replace('/', '_')}")
            for name, page in LIST_PAGES.items()
        ]
        return [*lists, *own, *super().get_urls()]

    def _page(self, page: Page) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, pk: str) -> HttpResponse:
            nomination = get_object_or_404(Nomination.objects.complete(), pk=pk)
            return page(self, request, nomination)

        return self.admin_site.admin_view(view)

    def _list_page(self, page: Callable[[StaffModelAdmin, HttpRequest], HttpResponseBase]) -> Callable[..., Any]:
        return self.admin_site.admin_view(lambda request: page(self, request))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """By a service, through a page of its own."""
        return adding.add(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A nomination is withdrawn, never deleted."""
        return False

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """For the actions."""
        return request.user.has_perm(DECIDE)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The way to the review only for those who may decide."""
        columns: list[Any] = [*self.list_display]
        return columns if self.has_decide_permission(request) else columns[:-1]

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """By state."""
        counts, chosen = selectors.state_counts(), request.GET.get("state__exact")
        tabs = [Tab(label, f"?state__exact={state}", counts[state], chosen == state) for state, label in TABS.items()]
        return [Tab("All", "?", sum(counts.values()), not request.GET.get("state__exact")), *tabs]

    def save_model(self, request: HttpRequest, obj: Nomination, form: Any, change: bool) -> None:
        """Only what was edited: a decision taken meanwhile is not undone by an old page."""
        if form.changed_data:
            obj.save(update_fields=form.changed_data)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Before and after, in words."""
        return in_words(form)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the doors to files for those who may."""
        may_import = request.user.has_perm(imports.IMPORT)
        return super().changelist_view(request, {"may_import": may_import, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With everything known of the nomination above the notes."""
        nomination = Nomination.objects.complete().select_related("approved_by").get(pk=kwargs["obj"].pk)
        context |= {
            **subject_context(nomination),
            "title": str(nomination.nominee),
            "subtitle": None,
            "show_save_and_add_another": False,
            "buttons": _buttons(nomination) if self.has_decide_permission(request) else [],
            "decisions": nomination.decisions.select_related("by"),
            "steps": steps_of([*selectors.deliveries(nomination), *selectors.mails(nomination)]),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Nominee", ordering="nominee__last_name")
    def nominee_name(self, nomination: Nomination) -> SafeString:
        """Name, and whether it is a person or a company."""
        nominee = nomination.nominee
        return format_html('{}<span class="sub">{}</span>', nominee.name, nominee.get_kind_display())

    @admin.display(description="Nominated by", ordering="nominator__last_name")
    def nominator_name(self, nomination: Nomination) -> SafeString:
        """Name and address."""
        nominator = nomination.nominator
        return format_html('{}<span class="sub">{}</span>', str(nominator), nominator.email or "")

    @admin.display(description="State", ordering="state")
    def state_badge(self, nomination: Nomination) -> SafeString:
        """In its colour, and what it is staged for."""
        return staging.with_staged(nomination, badge(nomination.state))

    @admin.display(description="Submitted", ordering="created_at")
    def submitted(self, nomination: Nomination) -> SafeString | str:
        """When it came in."""
        return when(nomination.created_at)

    @admin.display(description="", empty_value="")
    def review(self, nomination: Nomination) -> SafeString | str:
        """The way to the approve page."""
        if not nomination.may_approve:
            return ""
        label = f"Review {nomination.nominee}"
        return format_html(
            '<a class="button small" href="{}" aria-label="{}">Review</a>', page_url(nomination, "approve"), label
        )

    @admin.action(description="Approve selected", permissions=["decide"])
    def approve_selected(self, request: HttpRequest, chosen: QuerySet[Nomination]) -> HttpResponse:
        """Shows what would happen."""
        return bulk.preview(self, request, "approve", list(chosen))

    @admin.action(description="Reject selected", permissions=["decide"])
    def reject_selected(self, request: HttpRequest, chosen: QuerySet[Nomination]) -> HttpResponse:
        """Shows what would happen."""
        return bulk.preview(self, request, "reject", list(chosen))

    @admin.action(description="Stage approval", permissions=["decide"])
    def stage_approval(self, request: HttpRequest, chosen: QuerySet[Nomination]) -> HttpResponse:
        """At once: nothing happens outside."""
        return staging.stage_approvals(self, request, list(chosen))

    @admin.action(description="Stage rejection", permissions=["decide"])
    def stage_rejection(self, request: HttpRequest, chosen: QuerySet[Nomination]) -> HttpResponse:
        """Asks for the reasons."""
        return staging.stage_rejections(self, request, list(chosen))


def _buttons(nomination: Nomination) -> list[tuple[str, str, str]]:
    """Label, address and look of what the state table allows."""
    buttons = []
    if nomination.may_approve:
        buttons.append(("Review and approve", page_url(nomination, "approve"), "primary"))
    if nomination.may_approve or nomination.may_reject:
        buttons.append(("Stage", page_url(nomination, "stage"), ""))
    if nomination.may_reject:
        buttons += [
            ("Reject", page_url(nomination, "reject"), ""),
            ("Withdraw", page_url(nomination, "withdraw"), ""),
            ("Mark duplicate", page_url(nomination, "duplicate"), ""),
        ]
    if nomination.may_reopen:
        buttons.append(("Reopen", page_url(nomination, "reopen"), ""))
    return buttons
