"""Whom somebody may mean who types a name."""

from typing import Any

from nominations import selectors
from nominations.models import Category, Nomination, Nominee
from nominations.services.nominations import normal_contact


def nominees_meant(category: Category, nominee: dict[str, Any]) -> list[Nominee]:
    """Up to three live nominees of the category with a similar name, where no address tells who is nominated.

    Takes what `submit_nomination` takes, and raises the same ValidationError naming a field.
    """
    fields = normal_contact(nominee)
    if fields.get("linkedin_url") or fields.get("email"):
        return []
    approved = Nomination.objects.approved().filter(season=selectors.current_season(), category=category)
    live = Nominee.objects.live().filter(pk__in=approved.order_by().values("nominee"))
    name = Nominee(**fields).name
    return [found for found, _likeness in selectors.alike(name, live)]
