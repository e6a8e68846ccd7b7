"""Customers' codes: shown and revoked by them, scanned at tills."""

from typing import Any

from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from crm.models import Business
from loyalty import services
from loyalty.api import serializers as shapes
from loyalty.api.views.tills import KEY, Answer, PointsView, found, is_business, named_program, till_business
from loyalty.models import Customer, QrScan
from loyalty.selectors import accounts_at
from loyalty.services import Instruction

AN_ID = "5d0e5f0e-7a0c-4d3b-9d0c-2f6f2f9f9b11"
CODE = "MZ4HQ7K2YBW3TNVCX5JDRE6A"
SHOWN = {"code": CODE, "expires_in": 17, "svg": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 33 33">…</svg>'}
SCANNED = {
    "outcome": "points_awarded",
    "points_awarded": 10,
    "customer": {"id": AN_ID, "masked_name": "Ada L."},
    "cards": [
        {
            "id": AN_ID,
            "card_number": "HAR00000017",
            "program": {"id": AN_ID, "name": "Harbour points"},
            "points_balance": 510,
            "points_available": 460,
            "tier_level": "silver",
        }
    ],
    "scan_id": AN_ID,
}


class CustomerView(PointsView):
    """An endpoint for customers about themselves."""

    @property
    def customer(self) -> Customer:
        """Who calls. Raises PermissionDenied for whoever is no customer."""
        customer: Customer | None = getattr(self.user, "customer", None)
        if customer is None:
            raise PermissionDenied("This is for customers.")
        return customer


class OwnCodeView(CustomerView):
    """The customer's code."""

    @extend_schema(
        parameters=[shapes.ShowCodeQuerySerializer],
        responses=shapes.ShownCodeSerializer,
        operation_id="show_code",
        examples=[OpenApiExample("On the screen", SHOWN, response_only=True)],
    )
    def get(self, request: Request) -> Response:
        """The code of this moment, with its picture. Without `business` it is good at any.

        A code on the screen changes every half minute, and each business takes it once.
        """
        customer, sent = self.customer, self.asked(shapes.ShowCodeQuerySerializer)
        wanted = sent.get("business")
        business = found(Business.objects.filter(is_business(wanted)).first()) if wanted else None
        code = services.show_code(customer, sent["kind"], business=business)
        return Response(shapes.ShownCodeSerializer(code).data)


class RevokeCodesView(CustomerView):
    """A lost card, or a screen that somebody took a picture of."""

    @extend_schema(
        request=shapes.RevokeCodesSerializer,
        responses=shapes.RevokedSerializer,
        operation_id="revoke_codes",
        examples=[
            OpenApiExample("A lost card", {"kind": "printed"}, request_only=True),
            OpenApiExample("Revoked", {"kind": "printed", "revoked": True}, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Every code of the kind shown until now is worth nothing; the next one is good."""
        customer, sent = self.customer, self.read(shapes.RevokeCodesSerializer)
        services.revoke_codes(customer, sent["kind"])
        return Response(shapes.RevokedSerializer({"kind": sent["kind"], "revoked": True}).data)


class ScanView(PointsView):
    """A code that was read at a till."""

    @extend_schema(
        parameters=[KEY],
        request=shapes.ScanSerializer,
        responses=shapes.ScannedSerializer,
        operation_id="scan_code",
        examples=[
            OpenApiExample("From the scanner", {"code": CODE, "business": "harbour-cafe"}, request_only=True),
            OpenApiExample("Awarded", SCANNED, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Tells the customer, and awards the program's points for a scan, once for each card in its cooldown.

        Whoever is not enrolled and has a login is asked to join. 404 `not_found` for any code that is worth nothing
        here: unknown, used before, too old, revoked, or made for another business. 422 `idempotency_key_reused`.
        """
        sent = self.read(shapes.ScanSerializer)
        business = till_business(self.user, sent)
        program = named_program(business, sent)

        def effect(instruction: Instruction) -> Answer:
            known = services.scan_under(business, instruction)
            scan = known or services.scan_code(
                sent["code"], business, program=program, by=self.user, instruction=instruction
            )
            return Answer(200, told(scan), is_replay=known is not None)

        return self.once(business, "scan", effect, by=self.user)


def told(scan: QrScan) -> Any:
    """What the till learns, with the customer's cards as they stand now."""
    answer = {
        "outcome": scan.outcome,
        "points_awarded": scan.points_awarded,
        "customer": scan.customer,
        "cards": accounts_at(scan.business, scan.customer),
        "scan_id": scan.pk,
    }
    return shapes.ScannedSerializer(answer).data
