"""The customers of a business, and what has changed among them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from crm.models import Business
from crm.selectors import business_for
from loyalty import selectors
from loyalty.api import serializers as shapes
from loyalty.api.views.tills import VIEW, PointsView

PAGES = [
    OpenApiParameter("page", int, description="Not with `after`."),
    OpenApiParameter("page_size", int, description="25 unless given, 100 at most. Not with `after`."),
]


class CustomersView(PointsView):
    """A business's customers, live."""

    @extend_schema(
        parameters=[shapes.CustomersQuerySerializer, *PAGES],
        responses=shapes.CustomersSerializer,
        operation_id="customers",
    )
    def get(self, request: Request) -> Response:
        """Each customer once, whatever the number of programs.

        With `after` only rows that have changed since, of at most 500 changes: ask again with the new cursor until
        `changed` is false.
        """
        asked = self.asked(shapes.CustomersQuerySerializer)
        business = business_for(self.user, asked.get("business"), permission=VIEW)
        if "after" in asked:
            return Response(self.changes(business, asked["after"], asked.get("q", "")))
        # Before the rows: what changes meanwhile is told twice rather than never.
        cursor = selectors.place_of(business)
        pages: Any = api_settings.DEFAULT_PAGINATION_CLASS
        found = selectors.in_order(selectors.customers_of(business, asked.get("q", "")), asked.get("ordering", ""))
        paginator = pages()
        rows = paginator.paginate_queryset(found, request, view=self)
        page = paginator.get_paginated_response(shapes.CustomerRowSerializer(rows, many=True).data)
        return Response({**page.data, "cursor": cursor, "changed": True})

    def changes(self, business: Business, after: str, q: str) -> dict[str, Any]:
        """Since that place. Raises ValidationError naming `after`."""
        moved, cursor = selectors.changed_customers(business, after)
        if not moved:
            return {"changed": False, "cursor": cursor}
        rows = selectors.in_order(selectors.customers_of(business, q).filter(pk__in=moved), "")
        results = shapes.CustomerRowSerializer(rows, many=True).data
        found: dict[str, Any] = {"changed": True, "cursor": cursor, "results": results}
        missing = moved - {row.pk for row in rows}
        removed = selectors.gone_from(business, missing) if missing else []
        return {**found, "removed": removed} if removed else found
