"""The page that makes next year's season from this one."""

from typing import Any, cast

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from crm.models import User
from nominations import selectors, services
from nominations.models import Season
from nominations.services.seasons import WINDOWS, name_next_year, windows_next_year
from notifications.admin import StaffModelAdmin, posted, staff_page

LABELS = {
    "nominations_open_at": "Nominations open, UTC",
    "nominations_close_at": "Nominations close, UTC",
    "voting_open_at": "Voting opens, UTC",
    "voting_close_at": "Voting closes, UTC",
}


class CloneForm(forms.Form):
    """The new name and dates."""

    name = forms.CharField(max_length=100)

    def __init__(self, data: Any, *, season: Season) -> None:
        super().__init__(data, initial={"name": name_next_year(season.name), **windows_next_year(season)})
        for name in WINDOWS:
            widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
            self.fields[name] = forms.DateTimeField(required=False, label=LABELS[name], widget=widget)

    def windows(self) -> dict[str, Any]:
        """As they were sent."""
        return {name: self.cleaned_data[name] for name in WINDOWS}


def page(admin: StaffModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """What comes along and what does not; then the new season's page."""
    season = get_object_or_404(Season, pk=pk)
    form = CloneForm(posted(request), season=season)
    made: list[Season] = []

    def act() -> str:
        by = cast(User, request.user)
        clone = services.clone_season(season, name=form.cleaned_data["name"], by=by, windows=form.windows())
        made.append(clone)
        admin.log_addition(request, clone, f"Cloned from {season}.")
        return f"{clone} is ready. Nobody sees it before it is made current."

    response = staff_page(
        admin,
        request,
        permission="nominations.add_season",
        title=f"Clone {season} to next year",
        template="admin/nominations/season/clone.html",
        form=form,
        act=act,
        then=reverse("admin:nominations_season_changelist"),
        context=lambda: {
            "button": "Clone",
            "original": season,
            "cancel_url": reverse("admin:nominations_season_change", args=[pk]),
            "consequences": _consequences(season),
        },
    )
    if made:
        response["Location"] = reverse("admin:nominations_season_change", args=[made[0].pk])
    return response


def _consequences(season: Season) -> list[str]:
    count = selectors.active_categories().count()
    categories = f"{count} active categories stay" if count != 1 else "The active category stays"
    return [
        f"{categories}: all seasons share them.",
        "Messages, what the public sees and whether voters confirm their votes are copied.",
        f"Nominees, nominations, votes and results of {season} stay there and do not come along.",
        "The new season is not current: the public sees it when you make it so.",
    ]
