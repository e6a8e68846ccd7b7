"""What the lists of notifications and questions share: rows that know customers and businesses by their ids."""

from collections.abc import Iterable
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from crm.admin.filters import OwnFilter
from crm.models import Business
from loyalty.admin.facts import Fact, FactsAdmin, name_of, page_url
from loyalty.models import Customer, Enrollment
from notifications.admin import when

STRANGER = "Somebody who has not joined"


def in_words(name: str) -> str:
    """`points_earned` as people say it, and as the pages spell it."""
    return capfirst(name.replace("_", " ").replace("enrollment", "enrolment"))


class TypeFilter(OwnFilter):
    """By what it is about, among what there is."""

    title = parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those of the rows that the user sees."""
        names = model_admin.get_queryset(request).order_by().values_list(self.parameter_name, flat=True).distinct()
        return sorted((name, in_words(name)) for name in names)

    def condition(self, wanted: str) -> Q:
        """Of that type."""
        return Q(**{str(self.parameter_name): wanted})


class NamedList(ChangeList):
    """A page of rows with the names that belong to their ids, all looked up at once."""

    def get_results(self, request: HttpRequest) -> None:
        """Django's, with names."""
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        cast(ToldAdmin, self.model_admin).add_names(request, self.result_list)


class ToldAdmin(FactsAdmin):
    """Rows that know customers and businesses by their ids. Members see their own businesses'."""

    business_path = "business_id"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """With names."""
        return NamedList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With names. Raises Http404."""
        found = super().get_object(request, object_id, from_field)
        self.add_names(request, [found])
        return found

    def known_customers(self, request: HttpRequest) -> QuerySet[Customer]:
        """Those whom the user may know by name: members only those who agreed, or gave their phone at the till."""
        rows = Customer.objects.order_by()
        if self.sees_all(request):
            return rows
        joined = Enrollment.objects.filter(customer=OuterRef("pk"), program__business__in=self.businesses(request))
        is_known = Q(activated_at__isnull=False) | ~Q(source=Enrollment.Source.SCAN)
        return rows.filter(Exists(joined.filter(is_known)))

    def add_names(self, request: HttpRequest, rows: Iterable[Any]) -> None:
        """Whom each row is about, in two queries."""
        rows = list(rows)
        customers = self.known_customers(request).in_bulk([row.customer_id for row in rows if row.customer_id])
        businesses = Business.objects.in_bulk([row.business_id for row in rows if row.business_id])
        for row in rows:
            row.customer, row.business = customers.get(row.customer_id), businesses.get(row.business_id)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Words of the text, names, and phones as they are stored."""
        text = search_term.strip()
        rows, _is_doubled = super().get_search_results(request, queryset, text)
        if not text:
            return rows, False
        people = self.known_customers(request)
        for word in text[:200].split():
            named = Q(first_name__icontains=word) | Q(last_name__icontains=word)
            people = people.filter(named | Q(phone__contains=word.lstrip("0") or word))
        named_business = Business.objects.filter(name__icontains=text[:200]).values("pk")
        told = queryset.filter(Q(customer_id__in=people.values("pk")) | Q(business_id__in=named_business))
        return rows | told, False

    @admin.display(description="When", ordering="created_at")
    def moment(self, row: Any) -> SafeString | str:
        """When."""
        return when(row.created_at)

    @admin.display(description="Customer")
    def customer_name(self, row: Any) -> str:
        """As far as the user may know it."""
        if row.customer_id is None:
            return "–"
        return name_of(row.customer) if row.customer else STRANGER

    @admin.display(description="Business")
    def business_name(self, row: Any) -> str:
        """Its name."""
        return str(row.business) if row.business else "–"

    def people_facts(self, request: HttpRequest, row: Any) -> list[Fact]:
        """Customer and business, where there are such."""
        may_open = row.customer and self.sees_all(request) and request.user.has_perm("loyalty.view_customer")
        url = page_url(row.customer) if may_open else ""
        customer = Fact("Customer", self.customer_name(row) if row.customer_id else "", url)
        return [customer, Fact("Business", row.business)]
