"""Filters of the points lists, which name nothing that the user may not see."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from crm.admin.filters import OwnFilter
from crm.models import User
from loyalty.models import Program

NOBODY = "nobody"


class ProgramFilter(OwnFilter):
    """Along the list's `program_path`."""

    title = "program"
    parameter_name = "program"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those of the businesses the user sees."""
        rows = list(own_programs(request, model_admin))
        is_one_business = len({row.business_id for row in rows}) == 1
        return [(str(row.pk), row.name if is_one_business else f"{row.name}, {row.business}") for row in rows]

    def condition(self, wanted: str) -> Q:
        """In that program."""
        return Q(**{self.model_admin.program_path: wanted})


class TierFilter(OwnFilter):
    """By the level's name, as the programs have it now."""

    title = "tier"
    parameter_name = "tier"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """In the order of the ladders."""
        tiers = own_programs(request, model_admin).values_list("tiers", flat=True)
        return [(level, level.capitalize()) for level in dict.fromkeys(tier["level"] for row in tiers for tier in row)]

    def condition(self, wanted: str) -> Q:
        """On that level."""
        return Q(tier_level=wanted)


class StaffFilter(OwnFilter):
    """Who did it."""

    title = "staff"
    parameter_name = "staff"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Members of the businesses the user sees, and staff for those who see all."""
        wanted = Q(memberships__business__in=model_admin.businesses(request))
        if model_admin.sees_all(request):
            wanted |= Q(is_staff=True)
        users = User.objects.filter(wanted).distinct().order_by("first_name", "email")
        return [*((str(user.pk), str(user)) for user in users), (NOBODY, "Nobody")]

    def condition(self, wanted: str) -> Q:
        """By that person, or by a customer or the clock."""
        return Q(staff_member=None) if wanted == NOBODY else Q(staff_member=wanted)


def own_programs(request: HttpRequest, model_admin: Any) -> QuerySet[Program]:
    """The programs of the businesses whose rows the list shows."""
    return Program.objects.filter(business__in=model_admin.businesses(request)).select_related("business")
