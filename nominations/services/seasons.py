"""Which season is the one."""

from django.db import transaction

from nominations.models import Season


def make_season_current(season: Season) -> None:
    """The public pages and the API show this season from now on, and no other."""
    with transaction.atomic():
        # All rows, in one order: two of these at once queue instead of locking crosswise.
        list(Season.objects.select_for_update().order_by("pk").values_list("pk"))
        Season.objects.filter(is_current=True).exclude(pk=season.pk).update(is_current=False)
        Season.objects.filter(pk=season.pk).update(is_current=True)
