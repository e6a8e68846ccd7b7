"""The list of merges, and the way back."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import services
from nominations.admin.merge_facts import lines_of_undo, shown
from nominations.admin.merging import FOLDER, MERGE
from nominations.models import Merge, Nominee
from notifications.admin import ReadOnlyAdmin, Tab, badge, require, staff_page, when

STANDING, UNDONE = "standing", "undone"


def _link(nominee: Nominee) -> SafeString:
    url = reverse("admin:nominations_nominee_change", args=[nominee.pk])
    return format_html('<a href="{}">{}</a>', url, nominee.name)


class StandingFilter(admin.SimpleListFilter):
    """Those that hold, and those that were undone."""

    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """Both."""
        return [(STANDING, "Standing"), (UNDONE, "Undone")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Merge]) -> QuerySet[Merge]:
        """Those asked for."""
        wanted = self.value()
        return queryset.filter(undone_at__isnull=wanted == STANDING) if wanted in (STANDING, UNDONE) else queryset


@admin.register(Merge)
class MergeAdmin(ReadOnlyAdmin):
    """Kept for ever, also when undone."""

    list_display = ("pair", "state_badge", "moment", "by", "reason", "undo_link")
    list_filter = (StandingFilter, "at")
    list_select_related = ("loser", "survivor", "by")
    search_fields = (
        *(f"{side}__{name}" for side in ("loser", "survivor") for name in ("first_name", "last_name", "company_name")),
        "reason",
    )
    search_help_text = "Nominees and reasons."
    empty_text = "To merge two nominees, open one of them, or go through the possible duplicates among the nominees."
    fields = ("merged_away", "kept", "state_badge", "moment", "by", "reason", "undone_at", "undone_by")
    readonly_fields = ("merged_away", "kept", "state_badge", "moment")

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the page that undoes one."""
        view = self.admin_site.admin_view(self.undo)
        return [path("<int:pk>/undo/", view, name="nominations_merge_undo"), *super().get_urls()]

    def tabs(self, request: HttpRequest) -> list[Tab]:
        """Standing and undone."""
        chosen = request.GET.get("state")
        undone, count = Merge.objects.exclude(undone_at=None).count(), Merge.objects.count()
        return [
            Tab("All", "?", count, not chosen),
            Tab("Standing", f"?state={STANDING}", count - undone, chosen == STANDING),
            Tab("Undone", f"?state={UNDONE}", undone, chosen == UNDONE),
        ]

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What goes back, and the button that does it."""
        require(request, MERGE)
        row = get_object_or_404(Merge.objects.select_related("loser", "survivor__merged_into"), pk=pk)
        preview = services.preview_unmerge(row)

        def act() -> str:
            services.unmerge_nominees(row, by=cast(User, request.user))
            return f"Undone: {row.loser} and {row.survivor} are two nominees again."

        return staff_page(
            self,
            request,
            permission=MERGE,
            title=f"Undo: {row}",
            template=f"{FOLDER}/undo.html",
            about=row,
            act=act,
            then=reverse("admin:nominations_merge_changelist"),
            context=lambda: {
                **shown(preview),
                "consequences": [] if preview.problem else lines_of_undo(preview),
                "button": "Make them two again",
                "is_danger": True,
            },
        )

    @admin.display(description="Merge", ordering="loser__last_name")
    def pair(self, row: Merge) -> SafeString:
        """Who into whom."""
        return format_html('{}<span class="sub">into {}</span>', row.loser.name, row.survivor.name)

    @admin.display(description="Merged away")
    def merged_away(self, row: Merge) -> SafeString:
        """Whose address leads elsewhere."""
        return _link(row.loser)

    @admin.display(description="Kept")
    def kept(self, row: Merge) -> SafeString:
        """Who has everything."""
        return _link(row.survivor)

    @admin.display(description="State", ordering="undone_at")
    def state_badge(self, row: Merge) -> SafeString:
        """In its colour."""
        return badge("pending", "Undone") if row.undone_at else badge("ok", "Standing")

    @admin.display(description="When", ordering="at")
    def moment(self, row: Merge) -> SafeString | str:
        """When."""
        return when(row.at)

    @admin.display(description="", empty_value="")
    def undo_link(self, row: Merge) -> SafeString | str:
        """The way to the page that undoes it."""
        if row.undone_at is not None:
            return ""
        url = reverse("admin:nominations_merge_undo", args=[row.pk])
        return format_html('<a class="button small" href="{}" aria-label="Undo: {}">Undo</a>', url, str(row))
