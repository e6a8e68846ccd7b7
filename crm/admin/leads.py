"""Leads: the list of them, and who may do what to them."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.admin import lead_pages, threads
from crm.admin.deciding import may
from crm.admin.filters import BusinessFilter, CrmStatusFilter, GoneFilter, OwnerFilter, SourceFilter, StageFilter
from crm.admin.tenancy import TenantAdmin
from crm.admin.words import marks_of, phone_in_words, softly, tick
from crm.models import Lead, Membership
from crm.models.fields import DEFAULT_REGION
from crm.selectors import search_leads
from notifications.admin import Tab, when


@admin.register(Lead)
class LeadAdmin(TenantAdmin):
    """Members of a business see its leads, add and edit them; a manager may also delete."""

    role_to_change = Membership.Role.CASHIER
    list_display = ("who", "reach", "owner", "crm_state", "type_shown", "is_contacted", "marks", "came")
    list_filter = (
        BusinessFilter,
        GoneFilter,
        SourceFilter,
        OwnerFilter,
        CrmStatusFilter,
        StageFilter,
        "lead_type",
        "contacted",
        "opted_out",
    )
    search_fields = ("name",)
    search_help_text = "Names, companies, addresses, and phones in any spelling."
    empty_text = "Connect a CRM, and its contacts come in by themselves; or add a lead by hand."
    change_list_template = "admin/crm/lead/change_list.html"
    # A count for each owner and stage, over all leads, takes seconds.
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("crm/crm.css",)}

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the threads."""
        view = self.admin_site.admin_view(self.threads_view)
        return [path("threads/", view, name="crm_lead_threads"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lead]:
        """With the business."""
        return super().get_queryset(request).select_related("business")

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """With whose it is, for those who see several businesses."""
        is_several = len(self.businesses(request)[:2]) > 1
        return [*self.list_display[:1], *(["business"] if is_several else []), *self.list_display[1:]]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """As everywhere."""
        if not search_term.strip():
            return queryset, False
        regions = self.businesses(request).order_by().values_list("default_region", flat=True).distinct()[:2]
        region = regions[0] if len(regions) == 1 else DEFAULT_REGION
        return search_leads(queryset, search_term, region), False

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """The usual questions, each with how many it finds."""
        rows = self.get_queryset(request).select_related(None).order_by()
        live = Q(crm_deleted_at=None)
        counts = rows.aggregate(
            live=Count("pk", filter=live),
            waiting=Count("pk", filter=live & Q(contacted=False)),
            opted_out=Count("pk", filter=live & Q(opted_out=True)),
            manual=Count("pk", filter=live & Q(crm_id=None)),
            gone=Count("pk", filter=~live),
        )
        tabs: tuple[tuple[str, str, dict[str, str]], ...] = (
            ("Live", "live", {}),
            ("Not contacted", "waiting", {"contacted__exact": "0"}),
            ("Opted out", "opted_out", {"opted_out__exact": "1"}),
            ("Made by hand", "manual", {"source": "manual"}),
            ("Gone from the CRM", "gone", {"deleted": "gone"}),
        )
        asked = {name: value for name, value in request.GET.items() if name not in ("o", "p", "q")}
        return [
            Tab(label, "?" + "".join(f"{key}={value}" for key, value in query.items()), counts[name], asked == query)
            for label, name, query in tabs
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A lead by hand."""
        return lead_pages.add(self, request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who it is, what was said, what the CRM knows."""
        return lead_pages.change(self, request, self.get_object(request, object_id))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """For good."""
        return lead_pages.delete(self, request, self.get_object(request, object_id))

    def threads_view(self, request: HttpRequest) -> HttpResponse:
        """Recent threads."""
        return threads.page(self, request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One at a time: each deletion says what goes with it."""
        return {}

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Managers, and staff with the permission."""
        if isinstance(obj, Lead):
            return may(request, obj.business_id, Membership.Role.MANAGER, "crm.delete_lead")
        return self.sees_all(request, "delete")

    @admin.display(description="Name", ordering="name")
    def who(self, lead: Lead) -> SafeString:
        """With the company."""
        return format_html('{}<span class="sub">{}</span>', lead.name, lead.company)

    @admin.display(description="Phone and email", ordering="phone")
    def reach(self, lead: Lead) -> SafeString:
        """How one reaches them."""
        phone = phone_in_words(lead.phone) or "No phone"
        return format_html('<span class="phone">{}</span><span class="sub">{}</span>', phone, lead.email)

    @admin.display(description="Owner", ordering="crm_owner")
    def owner(self, lead: Lead) -> str:
        """Who looks after the lead at the CRM."""
        return lead.crm_owner or "–"

    @admin.display(description="CRM status", ordering="crm_status")
    def crm_state(self, lead: Lead) -> SafeString | str:
        """And the stage, where it says more."""
        status, stage = softly(lead.crm_status), softly(lead.crm_stage)
        if not status:
            return stage or "–"
        return format_html('{}<span class="sub">{}</span>', status, stage if stage != status else "")

    @admin.display(description="Type", ordering="lead_type")
    def type_shown(self, lead: Lead) -> str:
        """New or known before."""
        return lead.get_lead_type_display()

    @admin.display(description="Contacted", ordering="contacted")
    def is_contacted(self, lead: Lead) -> SafeString | str:
        """Whether we wrote to them."""
        return tick(lead)

    @admin.display(description="", empty_value="")
    def marks(self, lead: Lead) -> SafeString:
        """What one must not overlook."""
        return marks_of(lead)

    @admin.display(description="Since", ordering="created_at")
    def came(self, lead: Lead) -> SafeString | str:
        """When it came."""
        return when(lead.created_at)
