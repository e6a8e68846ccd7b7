"""What staff ruled on votes, and how it is undone."""

from typing import cast

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from crm.models import User
from nominations import selectors, services
from nominations.admin.forms import LONG_TEXT
from nominations.models import Season, Vote, VoteRuling
from notifications.admin import ReadOnlyAdmin, posted, staff_page, when

JUDGE = "nominations.judge_vote"


class UndoForm(forms.Form):
    """Why."""

    note = forms.CharField(max_length=500, widget=LONG_TEXT, label="Why", error_messages={"required": "Say why."})


@admin.register(VoteRuling)
class VoteRulingAdmin(ReadOnlyAdmin):
    """Append-only in the database."""

    list_display = ("moment", "action", "votes", "about", "reason_text", "note", "by", "undo_link")
    list_filter = ("action", "reason", "at")
    list_select_related = ("by", "undone_by")
    search_fields = ("about", "note")
    search_help_text = "What it was about, and why."
    empty_text = "A ruling appears here when staff invalidate or restore votes."
    fields = ("moment", "action", "votes", "about", "reason_text", "note", "by", "undoes")
    readonly_fields = ("moment", "votes", "reason_text")

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the page that undoes one."""
        view = self.admin_site.admin_view(self.undo)
        return [path("<int:pk>/undo/", view, name="nominations_voteruling_undo"), *super().get_urls()]

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """All its votes go back to where they were."""
        ruling = get_object_or_404(VoteRuling, pk=pk)
        form = UndoForm(posted(request))

        def act() -> str:
            undone = services.undo_ruling(ruling, note=form.cleaned_data["note"], by=cast(User, request.user))
            return f"Restored {undone.size} of {ruling.size} votes."

        seasons = Season.objects.filter(votes__ruling=ruling).distinct()
        lines = [
            f"Up to {ruling.size} votes count again, or wait again for their voters.",
            "A vote whose voter has voted anew in the category meanwhile stays out.",
            *(f"The published results of {row} stay as they are." for row in seasons if selectors.frozen_at(row)),
        ]
        return staff_page(
            self,
            request,
            permission=JUDGE,
            title=f"Undo: {ruling}",
            form=form,
            act=act,
            then=reverse("admin:nominations_voteruling_changelist"),
            about=ruling,
            context=lambda: {"button": "Restore the votes", "consequences": lines},
        )

    @admin.display(description="When", ordering="at")
    def moment(self, ruling: VoteRuling) -> SafeString | str:
        """When."""
        return when(ruling.at)

    @admin.display(description="Votes", ordering="size")
    def votes(self, ruling: VoteRuling) -> str:
        """How many."""
        return f"{ruling.size:,}"

    @admin.display(description="Reason", ordering="reason")
    def reason_text(self, ruling: VoteRuling) -> str:
        """In words; none when votes are put back."""
        return str(Vote.Reason(ruling.reason).label) if ruling.reason else ""

    @admin.display(description="", empty_value="")
    def undo_link(self, ruling: VoteRuling) -> SafeString | str:
        """The way to the page that undoes it."""
        if ruling.action != VoteRuling.Action.INVALIDATE:
            return ""
        if hasattr(ruling, "undone_by"):
            return "Undone"
        url = reverse("admin:nominations_voteruling_undo", args=[ruling.pk])
        return format_html('<a class="button small" href="{}">Undo</a>', url)
