"""What staff see of a nominee above the fields they can correct."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from nominations.models import Nominee

SHOWN = 25
# A template and what it shows, as `panel`; empty when there is nothing to show.
Panel = Callable[[HttpRequest, Nominee], dict[str, Any]]


def standing(request: HttpRequest, nominee: Nominee) -> dict[str, Any]:
    """Where they are nominated, by whom, and the votes."""
    rows = nominee.nominations.complete()
    found = list(rows[: SHOWN + 1])
    more = f"{reverse('admin:nominations_nomination_changelist')}?{urlencode({'nominee__id__exact': nominee.pk})}"
    return {
        "template": "admin/nominations/nominee/_standing.html",
        "nominations": found[:SHOWN],
        "more": more if len(found) > SHOWN else "",
        "tallies": nominee.tallies.select_related("category", "season").order_by("-season_id", "category_id"),
    }


def buttons(request: HttpRequest, nominee: Nominee) -> list[tuple[str, str, str]]:
    """Label, address and look of what can be done from here."""
    found = []
    if nominee.state == Nominee.State.LIVE:
        found.append(("View public page", nominee.live_url, ""))
    return found
