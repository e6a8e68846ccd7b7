"""Nominations: submitted by anybody, decided by staff."""

from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.views import IsStaffWith, answer_once
from crm.models import User
from nominations import selectors, services
from nominations.api import serializers as shapes
from nominations.api.views.public import KEY
from nominations.models import Nomination, Nominee
from notifications.api.serializers import StrictSerializer

VIEW, DECIDE = "nominations.view_nomination", "nominations.decide_nomination"
ORDERINGS = {"created_at", "-created_at", "approved_at", "-approved_at", "state", "-state"}


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


def _state(nomination: Nomination) -> Response:
    return Response(shapes.StateSerializer(nomination).data)
