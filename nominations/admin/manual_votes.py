"""Votes that staff add by hand: the list, and a form that shows the podium before and after."""

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services
from nominations.admin.clusters import podiums
from nominations.admin.forms import ManualVotesForm
from nominations.models import ManualVote, Tally
from notifications.admin import ReadOnlyAdmin, posted, staff_page, when

ADD = "nominations.add_manualvote"


@admin.register(ManualVote)
class ManualVoteAdmin(ReadOnlyAdmin):
    """Append-only in the database: a mistake is mended by another row."""

    list_display = ("moment", "nominee", "category", "signed", "reason", "staff")
    list_filter = ("category", "season", "created_at")
    list_select_related = ("nominee", "category")
    search_fields = ("nominee__last_name", "nominee__company_name", "reason", "staff_name")
    search_help_text = "Nominees, reasons and staff."
    empty_text = "Add votes that came in by another way, with a reason."
    fields = ("moment", "nominee", "category", "season", "signed", "reason", "staff", "counterpart")
    readonly_fields = ("moment", "signed", "staff")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By a service, through the page below."""
        return request.user.has_perm(ADD)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First the podium before and after, then the row."""
        form = ManualVotesForm(posted(request), initial={name: request.GET.get(name) for name in ("nominee",)})

        def act() -> str:
            tally = services.add_manual_votes(by=cast(User, request.user), **form.cleaned_data)
            return (
                f"{form.cleaned_data['nominee']} has {tally.votes} votes and {tally.manual_votes} manual ones now: "
                f"{tally.total_votes} in all."
            )

        return staff_page(
            self,
            request,
            permission=ADD,
            title="Add manual votes",
            template="admin/nominations/manualvote/add.html",
            form=form,
            act=act,
            then=reverse("admin:nominations_manualvote_changelist"),
            context=lambda: self._preview(form),
            confirmed="_confirm" in request.POST,
        )

    def _preview(self, form: ManualVotesForm) -> dict[str, Any]:
        """Nothing before the form is filled in."""
        if not form.is_bound or not form.is_valid():
            return {}
        asked, season = form.cleaned_data, selectors.current_season()
        nominee, category = asked["nominee"], asked["category"]
        if not selectors.stands_in(nominee, category, season):
            form.add_error("category", "They do not stand in this category.")
            return {}
        tally = Tally.objects.filter(season=season, category=category, nominee=nominee).first() or Tally()
        after = tally.total_votes + asked["count"]
        shown = podiums(season, category, nominee, -asked["count"])
        return {"is_preview": True, "tally": tally, "total_after": after, "is_too_low": after < 0, **shown}

    @admin.display(description="When", ordering="created_at")
    def moment(self, row: ManualVote) -> SafeString | str:
        """When."""
        return when(row.created_at)

    @admin.display(description="By", ordering="staff_name")
    def staff(self, row: ManualVote) -> str:
        """As they were called then."""
        return row.staff_name

    @admin.display(description="Votes", ordering="count")
    def signed(self, row: ManualVote) -> str:
        """With its sign."""
        return f"{row.count:+,}"
