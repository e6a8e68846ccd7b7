"""That people were forgotten: when, by whom, and how much of what."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from crm.models import Erasure
from notifications.admin import ReadOnlyAdmin, when


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Read-only: the record of what was done at people's wish."""

    list_display = ("when_done", "by", "rows")
    list_display_links = ("when_done",)
    list_select_related = ("by",)
    fields = ("when_done", "by", "of_what")
    readonly_fields = fields
    change_list_template = "admin/crm/erasure/change_list.html"
    empty_text = "Nobody has asked to be forgotten yet."

    @admin.display(description="When", ordering="at")
    def when_done(self, erasure: Erasure) -> SafeString | str:
        """The moment."""
        return when(erasure.at)

    @admin.display(description="Rows")
    def rows(self, erasure: Erasure) -> int:
        """Of all kinds."""
        return erasure.total

    @admin.display(description="Of what")
    def of_what(self, erasure: Erasure) -> SafeString:
        """Rows by table."""
        counts = sorted(erasure.counts.items())
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", counts))
