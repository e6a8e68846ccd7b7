"""Connections: one page each, from which the CRM is read, and the page on which one begins."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from crm import services
from crm.admin import connecting, syncing
from crm.admin.deciding import SYNC
from crm.admin.filters import BusinessFilter
from crm.admin.standing import page_of, state_badge
from crm.admin.tenancy import TenantAdmin
from crm.admin.words import ago
from crm.models import Business, Connection
from notifications.admin import when

FOLDER = "admin/crm/connection"
MOST_STARTS = 20


@admin.register(Connection)
class ConnectionAdmin(TenantAdmin):
    """Connections come by Nango and are switched off, never deleted. Cashiers look and refresh."""

    list_display = ("crm", "business", "state", "synced", "account", "since", "by")
    list_filter = (BusinessFilter, "provider", "is_active", "reconnect_required")
    list_select_related = ("business", "by")
    search_fields = ("business__name", "crm_account_id")
    search_help_text = "Businesses and accounts."
    empty_text = "A connection appears here once an owner or manager has connected the CRM."
    change_list_template = f"{FOLDER}/change_list.html"

    class Media:
        css = {"all": ("crm/crm.css",)}

    def get_urls(self) -> list[URLPattern]:
        """Django's, and what is done to a connection."""
        begin = {"connect/<slug:slug>/": connecting.start, "connect/<slug:slug>/waiting/": connecting.waiting}
        own = [
            self._page(address, name, view)
            for (address, view), name in zip(begin.items(), ("connect", "waiting"), strict=True)
        ]
        for view in (
            connecting.reconnect,
            connecting.disconnect,
            syncing.refresh,
            syncing.preview,
            syncing.overwrite,
            syncing.progress,
        ):
            own.append(self._page(f"<uuid:pk>/{view.__name__}/", view.__name__, view))
        return [*own, *super().get_urls()]

    def _page(self, address: str, name: str, view: Any) -> URLPattern:
        def opened(request: HttpRequest, **found: Any) -> HttpResponse:
            about = self.get_object(request, str(found["pk"])) if "pk" in found else found["slug"]
            response: HttpResponse = view(self, request, about)
            return response

        return path(address, self.admin_site.admin_view(opened), name=f"crm_connection_{name}")

    def sees_all(self, request: HttpRequest, action: str = "view") -> bool:
        """Whoever may sync may also see it, and say how."""
        return super().sees_all(request, action) or self._staff_sync(request, action)

    def _staff_sync(self, request: HttpRequest, action: str) -> bool:
        user: Any = request.user
        return action in ("view", "change") and bool(user.acts_for_all(SYNC))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They begin at Nango."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        """With the business."""
        return super().get_queryset(request).select_related("business")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the way to begin, for businesses that have none."""
        starts = self.starts(request)
        extra: dict[str, Any] = {"starts": starts, "starts_more": len(starts) > MOST_STARTS}
        if len(starts) == 1:
            extra |= connecting.choice_context(starts[0])
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def starts(self, request: HttpRequest) -> list[Business]:
        """Businesses without a CRM that this user may connect."""
        if not self.has_change_permission(request):
            return []
        rows = self.businesses(request, "change").exclude(connections__is_active=True)
        return list(rows.order_by("name", "id")[: MOST_STARTS + 1])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """How it stands, what was read, and its one setting, which a POST saves. Raises Http404, PermissionDenied."""
        connection = self.get_object(request, object_id)
        if request.method == "POST":
            return self._save(request, connection)
        context = {
            **self.page_context(request, str(connection)),
            **page_of(self.admin_site, request, connection),
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, f"{FOLDER}/change_form.html", context)

    def _save(self, request: HttpRequest, connection: Connection) -> HttpResponse:
        if not self.has_change_permission(request, connection):
            raise PermissionDenied
        wanted = "require_phone" in request.POST
        if wanted != connection.require_phone:
            services.require_phones(connection, wanted)
            said = "Contacts without a phone are skipped." if wanted else "Contacts without a phone become leads too."
            self.log_change(request, connection, said)
            messages.success(request, f"{said} The next sync reads all contacts again.")
        return HttpResponseRedirect(reverse("admin:crm_connection_change", args=[connection.pk]))

    @admin.display(description="CRM", ordering="provider")
    def crm(self, connection: Connection) -> str:
        """Its name."""
        return connection.get_provider_display()

    @admin.display(description="State", ordering="is_active")
    def state(self, connection: Connection) -> SafeString:
        """In its colour."""
        return state_badge(connection)

    @admin.display(description="Last synced", ordering="last_synced_at")
    def synced(self, connection: Connection) -> str:
        """In words."""
        return ago(connection.last_synced_at)

    @admin.display(description="Account", ordering="crm_account_id")
    def account(self, connection: Connection) -> str:
        """The CRM's own name of it."""
        return connection.crm_account_id or "–"

    @admin.display(description="Since", ordering="created_at")
    def since(self, connection: Connection) -> SafeString | str:
        """When it came."""
        return when(connection.created_at)
