"""Points set aside, taken later or given back."""

from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from loyalty import services
from loyalty.api import serializers as shapes
from loyalty.api.views.tills import (
    ADJUST,
    CASHIER,
    KEY,
    MANAGER,
    REDEEM,
    Answer,
    PointsView,
    answer_of,
    card_to_act_on,
    check_card,
    found,
)
from loyalty.models import PointsHold
from loyalty.services import Instruction

AN_ID = "0b6a4c1e-2f0d-4c5e-8a4e-6f1d5f3c2b10"
OPEN = {
    "id": AN_ID,
    "status": "open",
    "points": 200,
    "expires_at": "2026-11-21T10:15:00Z",
    "transaction": None,
}


class HoldsView(PointsView):
    """Set points aside."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.HoldInSerializer,
        responses={201: shapes.HoldSerializer},
        operation_id="hold_points",
        examples=[OpenApiExample("Open", OPEN, response_only=True, status_codes=["201"])],
    )
    def post(self, request: Request) -> Response:
        """For 15 minutes nobody else can spend them.

        409 `program_inactive`, 409 `not_enrolled`, 400 `below_minimum`, 400 `not_a_multiple`,
        409 `insufficient_points`, 422 `idempotency_key_reused`.
        """
        sent = self.read(shapes.HoldInSerializer)
        card = card_to_act_on(self.user, sent, CASHIER, REDEEM)

        def effect(instruction: Instruction) -> Answer:
            hold = services.hold_points(card, points=sent["points"], by=self.user)
            return Answer(201, shapes.HoldSerializer(hold).data)

        return self.once(card.enrollment.program.business, "hold", effect, by=self.user)


class HoldView(PointsView):
    """What can be done with a hold."""

    def hold(self, id: str) -> PointsHold:
        """The one of the address, if the caller may work with it. Raises as `check_card`."""
        rows = PointsHold.objects.select_related("card__enrollment__customer", "card__enrollment__program__business")
        hold = rows.filter(pk=id).first()
        check_card(self.user, hold.card if hold else None, CASHIER, REDEEM)
        return found(hold)


class CaptureView(HoldView):
    """Take what is held."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.CaptureSerializer,
        responses=shapes.HoldSerializer,
        operation_id="capture_hold",
        examples=[
            OpenApiExample("A part", {"points": 150}, request_only=True),
            OpenApiExample("Captured", OPEN | {"status": "captured", "transaction": AN_ID}, response_only=True),
        ],
    )
    def post(self, request: Request, id: str) -> Response:
        """All, or `points` of it and the rest is free again.

        409 `hold_closed`, 409 `expired`, 400 `limit_exceeded`, 422 `idempotency_key_reused`. 403 for a deduction:
        there the customer's answer decides.
        """
        hold = self.hold(id)
        if hold.purpose == PointsHold.Purpose.DEDUCTION:
            raise PermissionDenied("Only the customer's answer decides about this hold.")
        sent = self.read(shapes.CaptureSerializer)

        def effect(instruction: Instruction) -> Answer:
            booked = services.capture_hold(hold, instruction, points=sent.get("points"))
            captured = PointsHold.objects.get(pk=hold.pk)
            return answer_of(booked, instruction, 200, shapes.HoldSerializer(captured).data)

        return self.once(hold.card.enrollment.program.business, f"capture {id}", effect, by=self.user)


class ReleaseView(HoldView):
    """Give back what is held."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.ReleaseSerializer,
        responses=shapes.HoldSerializer,
        operation_id="release_hold",
        examples=[OpenApiExample("Released", OPEN | {"status": "released"}, response_only=True)],
    )
    def post(self, request: Request, id: str) -> Response:
        """409 `hold_closed`, 409 `expired`, 422 `idempotency_key_reused`. A deduction is released by a manager."""
        hold = self.hold(id)
        if hold.purpose == PointsHold.Purpose.DEDUCTION:
            check_card(self.user, hold.card, MANAGER, ADJUST)
        self.read(shapes.ReleaseSerializer)

        def effect(instruction: Instruction) -> Answer:
            return Answer(200, shapes.HoldSerializer(services.release_hold(hold)).data)

        return self.once(hold.card.enrollment.program.business, f"release {id}", effect, by=self.user)
