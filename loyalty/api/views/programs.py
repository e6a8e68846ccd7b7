"""Programs: what anybody may know of them, and how a business's managers set them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from crm.models import Business
from crm.selectors import business_for, may_act, require_role
from loyalty import services
from loyalty.api import serializers as shapes
from loyalty.api.views.tills import MANAGER, PointsView, check_rights, found, is_business, works_somewhere
from loyalty.models import Program

ADD, CHANGE, SEE = "loyalty.add_program", "loyalty.change_program", "loyalty.view_program"
ORDERINGS = ("name", "-name", "created_at", "-created_at")
PARAMETERS = [
    OpenApiParameter("business", str, description="Id or slug; a member of just one business may leave it out."),
    OpenApiParameter("q", str, description="A part of the name."),
    OpenApiParameter(
        "ordering", str, description="name or created_at, with a minus downwards; the default one first."
    ),
]
GENEROUS = {
    "name": "Regulars",
    "points_per_unit": "1.5",
    "expiry_days": 365,
    "redemption_minimum": 100,
    "redemption_increment": 50,
    "max_redeem_percent": 50,
    "max_points_per_day": None,
    "tiers": [
        {"level": "bronze", "from_points": 0, "multiplier": "1"},
        {"level": "gold", "from_points": 1500, "multiplier": "1.25"},
    ],
}


class ProgramsAccess(PointsView):
    """Anybody reads; whoever logs in as a manager or staff reads more, and writes."""

    def get_permissions(self) -> list[BasePermission]:
        """Writing asks for a login."""
        return [AllowAny()] if self.request.method in SAFE_METHODS else [IsAuthenticated()]

    def manages(self, business: Business) -> bool:
        """Whether the caller sees all of this business's programs, and all about them."""
        if not self.request.user.is_authenticated:
            return False
        return may_act(self.user, business, MANAGER, permission=SEE) or self.user.acts_for_all(CHANGE)


class ProgramsView(ProgramsAccess, ListAPIView[Program]):
    """A business's programs."""

    queryset = Program.objects.all()
    serializer_class = shapes.ProgramSerializer
    filter_backends = ()
    sees_all = False

    @extend_schema(parameters=PARAMETERS, operation_id="programs")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Active ones with what customers may know; the business's managers see all of them, and all about them."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Program]:
        """Narrowed and in order."""
        asked = self.request.query_params
        business = self.business(asked.get("business", ""))
        self.sees_all = self.manages(business)
        rows = Program.objects.filter(business=business, name__icontains=asked.get("q", ""))
        ordering = asked.get("ordering", "")
        order = [ordering] if ordering in ORDERINGS else ["-is_default", "name"]
        return (rows if self.sees_all else rows.active()).order_by(*order, "id")

    def business(self, wanted: str) -> Business:
        """The one that is asked about. Raises Http404, or ValidationError naming `business`."""
        if wanted:
            return found(Business.objects.filter(is_business(wanted)).first())
        if self.request.user.is_authenticated and works_somewhere(self.user):
            return business_for(self.user, None)
        raise ValidationError({"business": ["Name the business: an id or a slug."]})

    def get_serializer_class(self) -> type[BaseSerializer[Program]]:
        """What the caller may know."""
        return shapes.ProgramSerializer if self.sees_all else shapes.PublicProgramSerializer

    @extend_schema(
        request=shapes.NewProgramSerializer,
        responses={201: shapes.ProgramSerializer},
        operation_id="add_program",
        examples=[OpenApiExample("Regulars", GENEROUS, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """By a manager or an owner. A business's first program is its default; another one takes that over."""
        sent = self.read(shapes.NewProgramSerializer)
        wanted = sent.pop("business", None) or request.query_params.get("business")
        business = business_for(self.user, wanted, permission=ADD)
        require_role(self.user, business, MANAGER, permission=ADD)
        program = services.add_program(business, **sent)
        return Response(shapes.ProgramSerializer(program).data, status=201)


class ProgramView(ProgramsAccess):
    """One program."""

    @extend_schema(responses=shapes.ProgramSerializer, operation_id="program")
    def get(self, request: Request, id: str) -> Response:
        """What customers may know of an active one; the business's managers see all about any."""
        program = found(Program.objects.select_related("business").filter(pk=id).first())
        if self.manages(program.business):
            return Response(shapes.ProgramSerializer(program).data)
        if not program.is_active:
            raise Http404("Not found.")
        return Response(shapes.PublicProgramSerializer(program).data)

    @extend_schema(
        request=shapes.ProgramChangesSerializer,
        responses=shapes.ProgramSerializer,
        operation_id="change_program",
        examples=[OpenApiExample("Switch off", {"is_active": False}, request_only=True)],
    )
    def patch(self, request: Request, id: str) -> Response:
        """By a manager or an owner. What is booked keeps the rules of its day."""
        program = Program.objects.select_related("business").filter(pk=id).first()
        check_rights(self.user, program.business if program else None, MANAGER, CHANGE)
        changes = self.read(shapes.ProgramChangesSerializer)
        return Response(shapes.ProgramSerializer(services.change_program(found(program), **changes)).data)
