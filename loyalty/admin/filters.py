"""Filters of the points lists, which name nothing that the user may not see."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from crm.models import User
from loyalty.models import Program

NOBODY = "nobody"


class OwnFilter(SimpleListFilter):
    """One of the user's own things; what is not offered fits no row. With nothing to choose from it does not show."""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        self.model_admin = model_admin
        super().__init__(request, params, model, model_admin)

    def has_output(self) -> bool:
        """Whether there is a choice."""
        return len(self.lookup_choices) > 1

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the one that was chosen."""
        wanted = self.value()
        if wanted is None:
            return queryset
        offered = {value for value, _label in self.lookup_choices}
        return queryset.filter(self.condition(wanted)) if wanted in offered else queryset.none()

    def condition(self, wanted: str) -> Q:
        """What the rows of one that was offered have in common."""
        raise NotImplementedError


class BusinessFilter(OwnFilter):
    """Along the list's `business_path`."""

    title = "business"
    parameter_name = "business"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those the user sees."""
        return [(str(business.pk), business.name) for business in model_admin.businesses(request)]

    def condition(self, wanted: str) -> Q:
        """In that business."""
        return Q(**{self.model_admin.business_path: wanted})


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
