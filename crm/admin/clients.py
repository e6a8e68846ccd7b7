"""Clients: the list of them, each one's page, and who may do what to them."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm import services
from crm.admin.client_forms import ClientForm, NewClientForm
from crm.admin.deciding import deciding_page, may
from crm.admin.filters import BusinessFilter
from crm.admin.tenancy import TenantAdmin
from crm.admin.words import phone_in_words
from crm.models import Client, Membership, User
from crm.models.fields import DEFAULT_REGION
from crm.selectors import delivery_of, search_clients, with_delivery
from notifications.admin import add_errors, badge, posted, when

FOLDER = "admin/crm/client"
# The staff site's colours, and the words.
LOOPS_STATUSES = {
    "synced": ("done", "In Loops"),
    "pending": ("pending", "Waiting"),
    "failed": ("failed", "Not delivered"),
    "disabled": ("closed", "Switched off"),
}


class LoopsFilter(SimpleListFilter):
    """How far the news is."""

    title = "Loops"
    parameter_name = "loops_status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """In words."""
        return [(name, label) for name, (_colour, label) in LOOPS_STATUSES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those."""
        return queryset.filter(loops_status=self.value()) if self.value() else queryset


@admin.register(Client)
class ClientAdmin(TenantAdmin):
    """Members of a business see its clients, add and edit them; a manager may also delete."""

    role_to_change = Membership.Role.CASHIER
    list_display = ("who", "reach", "place", "active_badge", "loops_badge", "updated")
    list_filter = (BusinessFilter, LoopsFilter, "is_active")
    search_fields = ("last_name",)
    search_help_text = "Names, companies, addresses, and phones in any spelling."
    empty_text = "Add the first client: Loops is told of them in the background."
    # Counts over the state of delivery would look at every client for each choice.
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("crm/crm.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        """With the business, and how far the news is."""
        return with_delivery(super().get_queryset(request).select_related("business"))

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
        return search_clients(queryset, search_term, region), False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One at a time: each deletion says what goes with it."""
        return {}

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Managers, and staff with the permission."""
        if isinstance(obj, Client):
            return may(request, obj.business_id, Membership.Role.MANAGER, "crm.delete_client")
        return self.sees_all(request, "delete")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A new client. Raises PermissionDenied."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewClientForm(posted(request), businesses=self.businesses(request, "add"))
        if form.is_valid():
            try:
                with transaction.atomic():
                    client = services.add_client(form.cleaned_data["business"], **form.typed)
                    self.log_addition(request, client, "Added.")
            except ValidationError as error:
                add_errors(form, _at_the_email(error))
            else:
                messages.success(request, f"Added {client}. Loops is told in the background.")
                return HttpResponseRedirect(_url(client))
        context = {"form": form, "button": "Add", "cancel_url": reverse("admin:crm_client_changelist")}
        return self._page(request, "add.html", "Add a client", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who it is, and what Loops was told of them. Raises PermissionDenied."""
        client = self.get_object(request, object_id)
        may_change = self.has_change_permission(request, client)
        if request.method == "POST" and not may_change:
            raise PermissionDenied
        form = ClientForm(posted(request), client=client)
        if form.is_valid() and self._edit(request, client, form):
            return HttpResponseRedirect(_url(client))
        context = {
            "client": client,
            "form": form,
            "state": self.loops_badge(client),
            "synced": when(client.loops_synced_at),
            "delivery": delivery_of(client, by=cast(User, request.user)),
            "may_change": may_change,
            "may_delete": self.has_delete_permission(request, client),
        }
        return self._page(request, "change_form.html", str(client), context)

    def _edit(self, request: HttpRequest, client: Client, form: ClientForm) -> bool:
        """Whether it was saved; else the errors stand at the form."""
        edited = form.edited
        try:
            with transaction.atomic():
                if edited:
                    services.change_client(client, **edited)
                    said = ", ".join(name.replace("_", " ") for name in edited)
                    self.log_change(request, client, f"Edited {said}.")
        except ValidationError as error:
            add_errors(form, _at_the_email(error))
            return False
        messages.success(request, f"Saved {client}." if edited else "Nothing was edited.")
        return True

    def _page(self, request: HttpRequest, template: str, title: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        values = {**self.page_context(request, title), "media": self.media, **context}
        return TemplateResponse(request, f"{FOLDER}/{template}", values)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """For good; the page says what happens at Loops. Raises PermissionDenied."""
        client = self.get_object(request, object_id)
        if not self.has_delete_permission(request, client):
            raise PermissionDenied
        delivery = delivery_of(client, by=cast(User, request.user))
        consequences = [f"{client} is deleted. This cannot be undone.", *([delivery.if_deleted] if delivery else [])]

        def act() -> str:
            self.log_deletions(request, Client.objects.filter(pk=client.pk))
            services.delete_client(client)
            return f"Deleted {client}."

        return deciding_page(
            self,
            request,
            client,
            title=f"Delete {client}",
            act=act,
            then=reverse("admin:crm_client_changelist"),
            context={"button": "Delete", "is_danger": True, "consequences": consequences, "cancel_url": _url(client)},
            is_logged=False,
        )

    @admin.display(description="Name", ordering="last_name")
    def who(self, client: Client) -> SafeString:
        """With the company."""
        return format_html('{}<span class="sub">{}</span>', client.name, client.company)

    @admin.display(description="Phone and email", ordering="email")
    def reach(self, client: Client) -> SafeString:
        """How one reaches them."""
        phone = phone_in_words(client.phone) or "No phone"
        return format_html('<span class="phone">{}</span><span class="sub">{}</span>', phone, client.email)

    @admin.display(description="Place", ordering="city")
    def place(self, client: Client) -> str:
        """City and country."""
        return ", ".join(filter(None, (client.city, client.country))) or "–"

    @admin.display(description="Active", ordering="is_active")
    def active_badge(self, client: Client) -> SafeString:
        """In words."""
        return badge("live", "Active") if client.is_active else badge("closed", "Inactive")

    @admin.display(description="Loops")
    def loops_badge(self, client: Any) -> SafeString:
        """How far the news is."""
        return badge(*LOOPS_STATUSES[client.loops_status])

    @admin.display(description="Changed", ordering="updated_at")
    def updated(self, client: Client) -> SafeString | str:
        """When it was changed last."""
        return when(client.updated_at)


def _at_the_email(error: ValidationError) -> ValidationError:
    """A taken address is the email's error."""
    return ValidationError({"email": error.messages}) if getattr(error, "code", "") == "duplicate_email" else error


def _url(client: Client) -> str:
    return reverse("admin:crm_client_change", args=[client.pk])
