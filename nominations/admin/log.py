"""What nobody edits: who decided what, and the proof that it stands as it was written."""

import time
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import DateFieldListFilter, RelatedOnlyFieldListFilter
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nominations import services
from nominations.admin.decisions import page_url
from nominations.models import DecisionLog
from notifications.admin import ReadOnlyAdmin, badge, require, when

VIEW = "nominations.view_decisionlog"
# More than this would keep whoever waits for the answer longer than a proxy does.
MOST_IN_A_REQUEST = 100_000


@admin.register(DecisionLog)
class DecisionLogAdmin(ReadOnlyAdmin):
    """Append-only in the database, each row chained to the one before."""

    list_display = ("moment", "number", "about", "action", "change", "actor", "reason")
    list_display_links = ("moment",)
    list_filter = ("season", "action", ("by", RelatedOnlyFieldListFilter), ("at", DateFieldListFilter))
    list_select_related = ("season", "nomination__nominee", "nomination__category", "by")
    search_fields = (
        "nomination__nominee__first_name",
        "nomination__nominee__last_name",
        "nomination__nominee__company_name",
        "nomination__nominator__email",
        "by__email",
        "reason",
    )
    search_help_text = "Nominees, nominators' and staff's addresses, reasons."
    empty_text = "Decisions appear here as they are taken."
    change_list_template = "admin/nominations/decisionlog/change_list.html"
    fields = ("moment", "number", "about", "action", "change", "actor", "reason", "previous_hash", "row_hash")
    readonly_fields = ("moment", "number", "about", "change", "actor")

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the button's."""
        view = self.admin_site.admin_view(self.prove)
        return [path("prove/", view, name="nominations_decisionlog_prove"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With the head of each season's chain above the list."""
        chains = services.chain_heads()
        is_long = sum(chain.count for chain in chains) > MOST_IN_A_REQUEST
        return super().changelist_view(request, {"chains": chains, "is_long": is_long, **(extra_context or {})})

    def prove(self, request: HttpRequest) -> HttpResponse:
        """Walk all chains and tell what came of it. Raises PermissionDenied."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, VIEW)
        if sum(chain.count for chain in services.chain_heads()) > MOST_IN_A_REQUEST:
            messages.warning(request, "The log is too long to be proven here. Run: manage.py verify_log")
        else:
            self._tell_proof(request)
        return HttpResponseRedirect(reverse("admin:nominations_decisionlog_changelist"))

    def _tell_proof(self, request: HttpRequest) -> None:
        started = time.perf_counter()
        proof = services.verify_log()
        took = f"{time.perf_counter() - started:.1f} s"
        if proof.broken is not None:
            messages.error(request, f"The log is broken. {proof.broken}. ({took})")
            return
        count = f"{proof.count:,} decision{' follows' if proof.count == 1 else 's follow'}"
        messages.success(request, f"Proven in {took}: {count} one from another, and every nomination is as its last.")

    @admin.display(description="When", ordering="at")
    def moment(self, row: DecisionLog) -> SafeString | str:
        """When."""
        return when(row.at)

    @admin.display(description="Number", ordering="seq")
    def number(self, row: DecisionLog) -> SafeString:
        """Its place in the season's chain."""
        return format_html('{}<span class="sub">{}</span>', row.seq, row.season)

    @admin.display(description="Nomination")
    def about(self, row: DecisionLog) -> SafeString:
        """A link to it."""
        return format_html('<a href="{}">{}</a>', page_url(row.nomination), str(row.nomination))

    @admin.display(description="Change")
    def change(self, row: DecisionLog) -> SafeString:
        """From and to."""
        return format_html("{} → {}", row.from_state or "new", badge(row.to_state))

    @admin.display(description="By", ordering="by__email")
    def actor(self, row: DecisionLog) -> str:
        """Who."""
        return str(row.by) if row.by else "The public"
