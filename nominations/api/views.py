"""The awards' API: shapes in, services, shapes out."""

from typing import Any, cast

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.views import IsStaffWith, address_of, answer_once
from crm.models import User
from nominations import selectors, services
from nominations.api import serializers as shapes
from nominations.models import Category, Nomination, Nominee, Season, Vote
from notifications.api.serializers import StrictSerializer

VIEW, DECIDE = "nominations.view_nomination", "nominations.decide_nomination"
KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="1 to 255 printable characters.")
ORDERINGS = {"created_at", "-created_at", "approved_at", "-approved_at", "state", "-state"}


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


class NominationFilter(filters.FilterSet):  # type: ignore[misc]
    """Staff's filters."""

    state = filters.ChoiceFilter(choices=Nomination.State.choices)
    category = filters.CharFilter(field_name="category__slug")
    kind = filters.ChoiceFilter(field_name="nominee__kind", choices=Nominee.Kind.choices)
    q = filters.CharFilter(method="search")

    def search(self, rows: QuerySet[Nomination], name: str, value: str) -> QuerySet[Nomination]:
        """By names and addresses."""
        return selectors.search_nominations(rows, value)


class NominationsView(ListAPIView[Nomination]):
    """Submit a nomination (anybody), or list them (staff)."""

    throttle_scope = "public"
    serializer_class = shapes.NominationSerializer
    filterset_class = NominationFilter
    queryset = Nomination.objects.complete()

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Submitting asks for no login, and so for no CSRF token."""
        return [] if self.request and self.request.method == "POST" else super().get_authenticators()

    def get_permissions(self) -> list[BasePermission]:
        """Anybody may submit."""
        return [AllowAny()] if self.request.method == "POST" else [IsStaffWith(VIEW)]

    def get_queryset(self) -> QuerySet[Nomination]:
        """Newest first, unless asked for a known order."""
        ordering = self.request.query_params.get("ordering", "")
        return super().get_queryset().order_by(ordering if ordering in ORDERINGS else "-created_at", "id")

    @extend_schema(
        parameters=[KEY],
        request=shapes.SubmitSerializer,
        responses={201: shapes.SubmittedSerializer},
        operation_id="submit_nomination",
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """409 `already_nominated`, 403 `nominations_closed`."""
        form = shapes.SubmitSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sent = form.validated_data

        def effect() -> tuple[int, Any]:
            nomination = services.submit_nomination(**sent, source=Nomination.Source.API)
            answer = {**sent, "category": sent["category"].slug}
            answer |= {"id": nomination.pk, "state": nomination.state, "created_at": nomination.created_at}
            return 201, shapes.SubmittedSerializer(answer).data

        return answer_once(request, "POST /api/nominations", effect)


class StaffView(APIView):
    """For staff who may see, and where they change something, decide."""

    permission = DECIDE

    def get_permissions(self) -> list[BasePermission]:
        """The model's permission."""
        return [IsStaffWith(self.permission)]

    @property
    def staff(self) -> User:
        """Whoever decides; the permission has let nobody else pass."""
        return cast(User, self.request.user)

    def nomination(self) -> Nomination:
        """The one of the address. Raises Http404."""
        return get_object_or_404(Nomination.objects.complete(), pk=self.kwargs["id"])

    def read(self, request: Request, shape: type[StrictSerializer]) -> dict[str, Any]:
        """The body in that shape. Raises ValidationError."""
        form = shape(data=request.data)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)


class NominationView(StaffView):
    """One nomination."""

    permission = VIEW

    @extend_schema(responses=shapes.NominationDetailSerializer, operation_id="nomination")
    def get(self, request: Request, id: str) -> Response:
        """With its delivery, contact by contact."""
        nomination = self.nomination()
        nomination.delivery = selectors.deliveries(nomination)  # type: ignore[attr-defined]
        return Response(shapes.NominationDetailSerializer(nomination).data)


class ApproveView(StaffView):
    """Approve."""

    @extend_schema(
        request=shapes.ApproveSerializer, responses=shapes.ApprovedSerializer, operation_id="approve_nomination"
    )
    def post(self, request: Request, id: str) -> Response:
        """409 `already_decided`."""
        sent = self.read(request, shapes.ApproveSerializer)
        joined = sent.pop("nominee", None)
        nominee = get_object_or_404(Nominee, pk=joined) if joined else None
        nomination = services.approve_nomination(self.nomination(), by=self.staff, nominee=nominee, **sent)
        return Response(shapes.ApprovedSerializer(nomination).data)


class RejectView(StaffView):
    """Reject."""

    @extend_schema(request=shapes.RejectSerializer, responses=shapes.StateSerializer, operation_id="reject_nomination")
    def post(self, request: Request, id: str) -> Response:
        """400 `reason_required`, 409 `already_decided`."""
        sent = self.read(request, shapes.RejectSerializer)
        return _state(services.reject_nomination(self.nomination(), by=self.staff, **sent))


class WithdrawView(StaffView):
    """Withdraw."""

    @extend_schema(
        request=shapes.DecisionSerializer, responses=shapes.StateSerializer, operation_id="withdraw_nomination"
    )
    def post(self, request: Request, id: str) -> Response:
        """409 `already_decided`."""
        self.read(request, shapes.DecisionSerializer)
        return _state(services.withdraw_nomination(self.nomination(), by=self.staff))


class DuplicateView(StaffView):
    """Mark as a duplicate."""

    @extend_schema(request=shapes.DuplicateSerializer, responses=shapes.StateSerializer, operation_id="mark_duplicate")
    def post(self, request: Request, id: str) -> Response:
        """409 `already_decided`; 404 when the other is missing."""
        original = self.read(request, shapes.DuplicateSerializer)["of"]
        of = get_object_or_404(Nomination.objects.complete(), pk=original)
        return _state(services.mark_duplicate(self.nomination(), of=of, by=self.staff))


class ReopenView(StaffView):
    """Take a decision back."""

    @extend_schema(
        request=shapes.DecisionSerializer, responses=shapes.StateSerializer, operation_id="reopen_nomination"
    )
    def post(self, request: Request, id: str) -> Response:
        """409 `already_decided` when there is nothing to take back."""
        self.read(request, shapes.DecisionSerializer)
        return _state(services.reopen_nomination(self.nomination(), by=self.staff))


class VotesView(PublicView):
    """Vote."""

    throttle_scope = "public"

    @extend_schema(
        parameters=[KEY],
        request=shapes.VoteInSerializer,
        responses={201: shapes.VotedSerializer},
        operation_id="cast_vote",
    )
    def post(self, request: Request) -> Response:
        """403 `voting_closed`, 404 `not_live`, 409 `already_voted`."""
        form = shapes.VoteInSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sent = form.validated_data

        def effect() -> tuple[int, Any]:
            vote = services.cast_vote(
                sent["category"],
                Nominee.objects.filter(slug=sent["nominee"]).first(),
                voter=sent["voter"],
                address=address_of(request._request),
                user_agent=request.headers.get("User-Agent", ""),
            )
            return 201, _voted(vote, sent["category"])

        return answer_once(request, "POST /api/votes", effect)


class NomineeView(PublicView):
    """One live nominee, as the public sees it."""

    @extend_schema(responses=shapes.NomineePublicSerializer, operation_id="nominee")
    def get(self, request: Request, slug: str) -> Response:
        """404 `not_live`; 410 `gone` for one who no longer takes part."""
        nominee = Nominee.objects.filter(slug=slug).first()
        if nominee is not None and nominee.state == Nominee.State.SUSPENDED:
            raise ValidationError("This nominee no longer takes part.", code="gone")
        if nominee is None or nominee.state != Nominee.State.LIVE:
            raise ValidationError("There is no such nominee.", code="not_live")
        season = selectors.current_season()
        shown = season.totals_visibility == Season.Totals.SHOWN
        nominee.standings = [  # type: ignore[attr-defined]
            {"category": category.slug, "label": category.label, "total_votes": votes if shown else None}
            for category, votes in selectors.standings(nominee, season)
        ]
        nominee.why = [nomination.why for nomination in selectors.words_for(nominee)]  # type: ignore[attr-defined]
        return Response(shapes.NomineePublicSerializer(nominee).data)


class StatsView(PublicView):
    """How big the programme is."""

    @extend_schema(responses=shapes.StatsSerializer, operation_id="stats")
    def get(self, request: Request) -> Response:
        """Of the current season; the nominees are those live now."""
        return Response(shapes.StatsSerializer(selectors.stats(selectors.current_season())).data)


def _voted(vote: Vote, category: Category) -> Any:
    shown = vote.season.totals_visibility == Season.Totals.SHOWN
    answer = {
        "id": vote.pk,
        "state": vote.state,
        "nominee": vote.nominee.slug,
        "category": category.slug,
        "total_votes": selectors.votes_for(vote.nominee, category, vote.season) if shown else None,
    }
    return shapes.VotedSerializer(answer).data


def _state(nomination: Nomination) -> Response:
    return Response(shapes.StateSerializer(nomination).data)
