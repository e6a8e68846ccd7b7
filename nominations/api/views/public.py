"""What anybody reads of the awards."""

from typing import Any

from django.core.exceptions import ValidationError
from django.urls import reverse
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError as ShapeError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from nominations import selectors
from nominations.api import serializers as shapes
from nominations.models import Category, Nominee

KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="1 to 255 printable characters.")
CATEGORY = OpenApiParameter("category", str, required=True, description="The category's slug.")
MOVED = OpenApiResponse(description="The nominee was merged with another, whose address is in `Location`.")
DIRECTORY = [
    OpenApiParameter("q", str, description="Words in a name or a company."),
    OpenApiParameter("category", str, description="A category's slug: totals and ranks are then those in it."),
    OpenApiParameter("country", str),
    OpenApiParameter(
        "ordering",
        str,
        description="`name` (default), `created_at`, `total_votes` or `rank`, each with `-` for backwards. "
        "Where the season hides who is ahead, the last two are by name.",
    ),
]


class PublicView(APIView):
    """Open to anybody; a session's cookie neither helps nor hinders."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class SeasonView(PublicView):
    """The season now."""

    @extend_schema(responses=shapes.SeasonSerializer, operation_id="season")
    def get(self, request: Request) -> Response:
        """404 `no_season` when none is current."""
        return Response(shapes.SeasonSerializer(selectors.current_season()).data)


class CategoriesView(PublicView):
    """What one can be nominated for."""

    @extend_schema(responses=shapes.CategorySerializer(many=True), operation_id="categories")
    def get(self, request: Request) -> Response:
        """All active ones, in the order shown."""
        return Response(shapes.CategorySerializer(selectors.active_categories(), many=True).data)


class NomineeFilter(filters.FilterSet):  # type: ignore[misc]
    """What is refused when it is nonsense; the rest the directory does."""

    kind = filters.ChoiceFilter(choices=Nominee.Kind.choices)


class NomineesView(PublicView, GenericAPIView[Nominee]):
    """Who can be voted for."""

    queryset = Nominee.objects.live()
    filterset_class = NomineeFilter
    serializer_class = shapes.ListedSerializer

    @extend_schema(parameters=DIRECTORY, responses=shapes.ListedSerializer(many=True), operation_id="nominees")
    def get(self, request: Request) -> Response:
        """The live nominees that stand in the current season.

        With `category`, total, rank and label are those in it; without, the total is over all the nominee's
        categories, rank and label are the best among them. What the season does not show is null.
        """
        asked = {name: request.query_params.get(name, "") for name in ("q", "category", "country", "ordering")}
        rows = self.filter_queryset(self.get_queryset())
        found: Any = selectors.Directory(selectors.current_season(), rows, **asked)
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(found), many=True).data)


class NomineeView(PublicView):
    """One live nominee, as the public sees it."""

    @extend_schema(responses={200: shapes.NomineePublicSerializer, 301: MOVED}, operation_id="nominee")
    def get(self, request: Request, slug: str) -> Response:
        """404 `not_live`; 410 `gone` for one who no longer takes part; 301 for one who was merged with another."""
        asked = Nominee.objects.filter(slug=slug).first()
        nominee = selectors.end_of(asked) if asked is not None else None
        if nominee is not None and nominee != asked and nominee.state == Nominee.State.LIVE:
            return Response(status=301, headers={"Location": reverse("api-nominee", args=[nominee.slug])})
        if nominee is not None and nominee.state == Nominee.State.SUSPENDED:
            raise ValidationError("This nominee no longer takes part.", code="gone")
        if nominee is None or nominee.state != Nominee.State.LIVE:
            raise ValidationError("There is no such nominee.", code="not_live")
        season = selectors.current_season()
        places = selectors.standings(nominee, season)
        nominee.standings = [_place(category, selectors.shown(season, row)) for category, row in places]  # type: ignore[attr-defined]
        nominee.shown = selectors.shown(season, *(row for _category, row in places))  # type: ignore[attr-defined]
        nominee.why = [nomination.why for nomination in selectors.words_for(nominee)]  # type: ignore[attr-defined]
        return Response(shapes.NomineePublicSerializer(nominee, context={"request": request}).data)


class PodiumView(PublicView):
    """Who is ahead."""

    @extend_schema(parameters=[CATEGORY], responses=shapes.PodiumSerializer(many=True), operation_id="podium")
    def get(self, request: Request) -> Response:
        """The ranks 1 to 3 of a category, all who share one (`tied`), nobody without a vote.

        Empty where the season hides who is ahead, until the results are published: they are told from then on, and
        do not change any more.
        """
        slug = request.query_params.get("category", "")
        category = Category.objects.filter(slug=slug).first()
        if category is None:
            raise ShapeError({"category": ["There is no such category." if slug else "This field is required."]})
        season = selectors.current_season()
        seen = [
            _on_podium(nominee, row, selectors.shown(season, row))
            for nominee, row in selectors.named(selectors.podium(season, category))
        ]
        rows = [row for row in seen if row["rank"] is not None]
        return Response(shapes.PodiumSerializer(rows, many=True, context={"request": request}).data)


class StatsView(PublicView):
    """How big the programme is."""

    @extend_schema(responses=shapes.StatsSerializer, operation_id="stats")
    def get(self, request: Request) -> Response:
        """Of the current season; the nominees are those live now, once the results are published those in them."""
        return Response(shapes.StatsSerializer(selectors.stats(selectors.current_season())).data)


def _place(category: Category, shown: selectors.Shown) -> dict[str, Any]:
    return {"category": category.slug, "label": category.label, **vars(shown)}


def _on_podium(nominee: Nominee, row: selectors.Standing, shown: selectors.Shown) -> dict[str, Any]:
    image = nominee.image if nominee.state == Nominee.State.LIVE else None
    return {"nominee": nominee, "image": image, "tied": row.is_tied, **vars(shown)}
