"""What nobody edits: who decided what."""

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from nominations.admin.decisions import page_url
from nominations.models import DecisionLog
from notifications.admin import ReadOnlyAdmin, badge, when


@admin.register(DecisionLog)
class DecisionLogAdmin(ReadOnlyAdmin):
    """Append-only in the database, each row chained to the one before."""

    list_display = ("moment", "about", "action", "change", "actor", "reason")
    list_display_links = ("moment",)
    list_filter = ("action", "season", "by")
    list_select_related = ("nomination__nominee", "nomination__category", "by")
    search_fields = ("nomination__nominee__last_name", "nomination__nominee__company_name", "by__email", "reason")
    search_help_text = "Nominees, staff and reasons."
    empty_text = "Decisions appear here as they are taken."

    @admin.display(description="When", ordering="at")
    def moment(self, row: DecisionLog) -> SafeString | str:
        """When."""
        return when(row.at)

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
