"""Filters of the lists of connections and leads, which name nothing that the user may not see."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from crm.admin.words import softly
from crm.models import Connection

# So many are offered to choose from; the search finds the rest.
MOST_OFFERED = 50
NONE = "-"
MANUAL = "manual"


class OwnFilter(SimpleListFilter):
    """One of the user's own things; what is not offered fits no row. With nothing to choose from it does not show."""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        self.model_admin = model_admin
        super().__init__(request, params, model, model_admin)

    def has_output(self) -> bool:
        """Whether there is a choice, or one was made: a filter that does not show does not count."""
        return len(self.lookup_choices) > 1 or self.value() is not None

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


class WordFilter(OwnFilter):
    """By what stands in a column, which the CRMs' people make up."""

    column: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The words of the rows that the user sees, and none."""
        rows = model_admin.get_queryset(request).live().order_by(self.column)
        words = rows.exclude(**{self.column: ""}).values_list(self.column, flat=True).distinct()[:MOST_OFFERED]
        return [*((word, softly(word)) for word in words), (NONE, "None")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Also a word that is not among those offered."""
        wanted = self.value()
        return queryset if wanted is None else queryset.filter(self.condition(wanted))

    def condition(self, wanted: str) -> Q:
        """That word."""
        return Q(**{self.column: "" if wanted == NONE else wanted})


class OwnerFilter(WordFilter):
    """Who looks after the lead at the CRM."""

    title = "owner"
    parameter_name = column = "crm_owner"


class CrmStatusFilter(WordFilter):
    """As the CRM says."""

    title = "CRM status"
    parameter_name = column = "crm_status"


class StageFilter(WordFilter):
    """As the CRM says."""

    title = "stage"
    parameter_name = column = "crm_stage"


class SourceFilter(OwnFilter):
    """By hand, or which CRM."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All there are."""
        return [(MANUAL, "Made by hand"), *Connection.Provider.choices]

    def condition(self, wanted: str) -> Q:
        """Of that source."""
        return Q(crm_id=None) if wanted == MANUAL else Q(crm_source=wanted)


class GoneFilter(SimpleListFilter):
    """Live ones, unless those that the CRM no longer has are asked for."""

    title = "in the CRM"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Beside the live ones."""
        return [("gone", "Gone from the CRM"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """The default is the live ones, not all."""
        first, *others = super().choices(changelist)
        yield {**first, "display": "Live"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those."""
        if self.value() == "gone":
            return queryset.exclude(crm_deleted_at=None)
        return queryset if self.value() == "all" else queryset.filter(crm_deleted_at=None)
