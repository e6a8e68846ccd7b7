"""What was wrong with the line to Loops, and for how long."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from loops_sync.models import Incident
from notifications.admin import ReadOnlyAdmin, Tab, age_of, badge, when

VIEW_OUTBOX = "loops_sync.view_outboxentry"


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    """Written by the watch; for whoever may see the outbox."""

    list_display = ("title", "state_badge", "detail", "opened", "closed", "lasted", "told", "outbox")
    list_display_links = None
    list_filter = ("kind",)
    empty_text = "An incident appears here when messages to Loops fail. There has been none."

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the outbox."""
        return request.user.has_perm(VIEW_OUTBOX)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """As the outbox."""
        return request.user.has_perm(VIEW_OUTBOX)

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """What is wrong now, before what was."""
        count, chosen = Incident.objects.open().count(), request.GET.get("closed_at__isnull")
        return [
            Tab("All", "?", Incident.objects.count(), chosen is None),
            Tab("Open", "?closed_at__isnull=True", count, chosen == "True"),
        ]

    @admin.display(description="What", ordering="kind")
    def title(self, incident: Incident) -> str:
        """Its kind."""
        return incident.get_kind_display()

    @admin.display(description="State")
    def state_badge(self, incident: Incident) -> SafeString:
        """In its colour."""
        return badge("done", "Over") if incident.closed_at else badge("dead", "Open")

    @admin.display(description="Began", ordering="opened_at")
    def opened(self, incident: Incident) -> SafeString | str:
        """When."""
        return when(incident.opened_at)

    @admin.display(description="Ended", ordering="closed_at")
    def closed(self, incident: Incident) -> SafeString | str:
        """When, if it has."""
        return when(incident.closed_at)

    @admin.display(description="Lasted")
    def lasted(self, incident: Incident) -> str:
        """Until now, while it is open."""
        return age_of(incident.duration.total_seconds())

    @admin.display(description="Staff mailed")
    def told(self, incident: Incident) -> str:
        """Of its beginning, and of its end."""
        parts = [("beginning", incident.is_opening_mailed), ("end", incident.is_closing_mailed)]
        return ", ".join(name for name, is_mailed in parts if is_mailed).capitalize() or "Not yet"

    @admin.display(description="Outbox")
    def outbox(self, incident: Incident) -> SafeString:
        """Where it can be mended."""
        status = "dead" if incident.kind == Incident.Kind.DEAD else "pending"
        url = reverse("admin:loops_sync_outboxentry_changelist")
        return format_html('<a href="{}?status__exact={}">See which</a>', url, status)
