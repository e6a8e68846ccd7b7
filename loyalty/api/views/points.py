"""Redeeming, earning and correcting points."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404
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
    Answer,
    PointsView,
    answer_of,
    card_to_act_on,
    check_card,
    found,
    key_of,
    named_card,
    own_card,
    till_business,
    works_somewhere,
)
from loyalty.models import LoyaltyCard, PointsTransaction
from loyalty.services import Instruction

AN_ID = "5d0e5f0e-7a0c-4d3b-9d0c-2f6f2f9f9b11"
AT_THE_TILL: dict[str, Any] = {
    "phone": "07306 506797",
    "business": "harbour-cafe",
    "points": 200,
    "order_total": "25.50",
}
REDEEMED: dict[str, Any] = {
    "success": True,
    "points_redeemed": 200,
    "discount": "2.00",
    "order_total_after": "23.50",
    "points_balance": 300,
    "points_balance_after": 300,
    "transaction": AN_ID,
}
WOULD_BE = REDEEMED | {"points_balance": 500, "transaction": None}
EARNED = {
    "points_earned": 25,
    "points_balance": 325,
    "tier_level": "bronze",
    "transaction": AN_ID,
    "explanation": "£25.50 at 1 = 25 points.",
}


class RedeemView(PointsView):
    """Points for a discount: by a till for anybody, by customers with their own card."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.RedeemSerializer,
        responses=shapes.RedeemedSerializer,
        operation_id="redeem_points",
        examples=[
            OpenApiExample("At the till", AT_THE_TILL, request_only=True),
            OpenApiExample("Redeemed", REDEEMED, response_only=True, status_codes=["200"]),
            OpenApiExample("Dry run", WOULD_BE, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Take points off a card for a discount; a dry run only tells, refuses alike, and claims no key.

        Checked in order: 409 `program_inactive`, 409 `not_enrolled`, 400 `below_minimum`, 400 `not_a_multiple`,
        409 `insufficient_points`, 400 `over_order_limit`. Also 409 `reference_conflict` and
        422 `idempotency_key_reused`.
        """
        return self.redeem(self.read(shapes.RedeemSerializer))

    @extend_schema(
        request=shapes.RedeemOnceSerializer,
        responses=shapes.RedeemedSerializer,
        operation_id="redeem_points_once",
        examples=[
            OpenApiExample("At the till", AT_THE_TILL | {"redemption_id": "till-2-000417"}, request_only=True),
            OpenApiExample("Redeemed", REDEEMED, response_only=True, status_codes=["200"]),
        ],
    )
    def put(self, request: Request) -> Response:
        """The same under the client's own id: however often it is sent, it is redeemed once."""
        return self.redeem(self.read(shapes.RedeemOnceSerializer))

    def redeem(self, sent: dict[str, Any]) -> Response:
        """Preview it or do it."""
        key_of(self.request)
        own = own_card(self.user, sent)
        if own is None and hasattr(self.user, "customer") and not works_somewhere(self.user):
            raise Http404("Not found.")
        business = own.enrollment.program.business if own else till_business(self.user, sent)
        wanted = {"points": sent["points"], "order_total": sent.get("order_total")}
        if sent["dry_run"]:
            with services.refusals_logged():
                card = own or named_card(business, sent, "redeem", Instruction(by=self.user), is_dry=True)
            return Response(shapes.RedeemedSerializer(services.preview_redemption(card, **wanted)).data)

        def effect(instruction: Instruction) -> Answer:
            card = own or named_card(business, sent, "redeem", instruction)
            done = services.redeem_points(card, instruction, order_id=sent["order_id"], **wanted)
            return answer_of(done, instruction, 200, shapes.RedeemedSerializer(done).data)

        # What customers redeem themselves, no member of staff did.
        by = None if own else self.user
        return self.once(business, "redeem", effect, by=by, reference=sent.get("transaction_reference"))


class EarnView(PointsView):
    """Points for an order, or awarded."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.EarnSerializer,
        responses={201: shapes.EarnedSerializer, 200: shapes.EarnedSerializer},
        operation_id="earn_points",
        examples=[
            OpenApiExample(
                "An order",
                {"phone": "07306 506797", "order_total": "25.50", "transaction_reference": "order-1017"},
                request_only=True,
            ),
            OpenApiExample("Earned", EARNED, response_only=True, status_codes=["201"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """201; 200 for a `transaction_reference` that is known.

        Below the minimum order nothing is earned, and the transaction is null. 409 `program_inactive`,
        409 `not_enrolled`, 400 `limit_exceeded`, 409 `reference_conflict`, 422 `idempotency_key_reused`.
        """
        sent = self.read(shapes.EarnSerializer)
        if own_card(self.user, sent) is not None:
            raise PermissionDenied(f"This needs the role {CASHIER}.")
        business = till_business(self.user, sent)

        def effect(instruction: Instruction) -> Answer:
            card = named_card(business, sent, "earn", instruction)
            earned = services.earn_points(
                card, instruction, order_total=sent.get("order_total"), points=sent.get("points")
            )
            return answer_of(earned, instruction, 201, shapes.EarnedSerializer(earned).data)

        return self.once(business, "earn", effect, by=self.user, reference=sent.get("transaction_reference"))


class AdjustView(PointsView):
    """Points added or taken by hand."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.AdjustSerializer,
        responses={201: shapes.AdjustedSerializer, 202: shapes.AskedSerializer},
        operation_id="adjust_points",
        examples=[
            OpenApiExample(
                "A goodwill", {"card": "HAR00000017", "points": 50, "reason": "Cold soup"}, request_only=True
            ),
            OpenApiExample("Booked", {"transaction": AN_ID, "points_balance": 350}, response_only=True),
            OpenApiExample("Asked", {"hold": AN_ID, "approval": AN_ID}, response_only=True, status_codes=["202"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """201; 202 where the business takes points away and its program asks the customer first.

        Then the points are held for seven days. 400 `reason_required`, 400 `limit_exceeded`,
        409 `insufficient_points`, 409 `not_enrolled`, 422 `idempotency_key_reused`.
        """
        sent = self.read(shapes.AdjustSerializer)
        card = card_to_act_on(self.user, sent, MANAGER, ADJUST)
        business = card.enrollment.program.business

        def effect(instruction: Instruction) -> Answer:
            if self.must_ask(card, sent["points"], instruction):
                hold = services.ask_to_deduct(card, points=-sent["points"], reason=sent["reason"], by=self.user)
                request = services.deduction_request(hold)
                return Answer(202, shapes.AskedSerializer({"hold": hold.pk, "approval": request and request.pk}).data)
            booked = services.adjust_points(card, instruction, points=sent["points"], reason=sent["reason"])
            return answer_of(booked, instruction, 201, shapes.AdjustedSerializer(booked.transaction).data)

        return self.once(business, "adjust", effect, by=self.user)

    def must_ask(self, card: LoyaltyCard, points: int, instruction: Instruction) -> bool:
        """Whether the customer decides; what was booked under this key is not asked about again."""
        if not services.asks_first(card, points=points, by=self.user):
            return False
        business = card.enrollment.program.business_id
        known = Q(business=business, idempotency_key=instruction.key, idempotency_key__isnull=False)
        return not PointsTransaction.objects.filter(known).exists()


class ReverseView(PointsView):
    """Take a movement back, in whole or in part."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.ReverseSerializer,
        responses={201: shapes.ReversedSerializer},
        operation_id="reverse_transaction",
        examples=[
            OpenApiExample(
                "A third of the order", {"amount": "8.50", "reason": "Returned one of three"}, request_only=True
            ),
            OpenApiExample(
                "Reversed",
                {"transaction": AN_ID, "points_reversed": 8, "points_balance": 317, "points_owed": 0},
                response_only=True,
                status_codes=["201"],
            ),
        ],
    )
    def post(self, request: Request, id: str) -> Response:
        """By the original's own rule; earned points that are spent already are owed.

        400 `reason_required`, 409 `already_reversed`, 400 `limit_exceeded`, 422 `idempotency_key_reused`.
        """
        row = PointsTransaction.objects.complete().filter(pk=id).first()
        card = check_card(self.user, row.card if row else None, MANAGER, ADJUST)
        original, sent = found(row), self.read(shapes.ReverseSerializer)

        def effect(instruction: Instruction) -> Answer:
            booked = services.reverse_transaction(original, instruction, **sent)
            return answer_of(booked, instruction, 201, _reversed(booked.transaction))

        return self.once(card.enrollment.program.business, f"reverse {id}", effect, by=self.user)


def _reversed(row: PointsTransaction) -> Any:
    """What returned to a lot whose time is over expired with the next row, at the same moment."""
    expiry = PointsTransaction.objects.filter(
        card=row.card_id, seq=row.seq + 1, operation_type=PointsTransaction.Operation.EXPIRE, created_at=row.created_at
    )
    answer = {
        "transaction": row.pk,
        "points_reversed": row.points_amount,
        "points_balance": (expiry.first() or row).balance_after,
        "points_owed": row.owed_after,
    }
    return shapes.ReversedSerializer(answer).data
