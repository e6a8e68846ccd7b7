"""Looking a customer up at a till."""

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from crm.models import Business
from crm.services import take_turn, turn_wait
from loyalty.api import serializers as shapes
from loyalty.api.views.tills import PointsView, named_program, till_business
from loyalty.selectors import account_of, find_card, phone_of

# How often a user may find nothing, so that nobody learns by trying who is a customer.
MISSES = "10/min"
FOUND = {
    "customer": {
        "id": "5d0e5f0e-7a0c-4d3b-9d0c-2f6f2f9f9b11",
        "name": "Ada Lovelace",
        "phone": "+447306506797",
        "display_phone": "+44 7306 506797",
        "card_number": "HAR00000017",
        "points_balance": 500,
        "points_available": 450,
        "total_points_earned": 820,
        "total_points_redeemed": 320,
        "tier_level": "silver",
        "next_tier_points": 680,
        "money_value": "4.50",
        "enrollment_status": "active",
    }
}
NO_CARD = {
    "detail": "This phone has no card here.",
    "code": "not_found",
    "can_join": True,
    "formatted_phone": "+44 7306 506797",
}


class PhoneLookupView(PointsView):
    """Whose card a phone stands for."""

    @extend_schema(
        parameters=[shapes.LookupQuerySerializer],
        responses={200: shapes.FoundSerializer, 404: shapes.NotFoundSerializer},
        operation_id="phone_lookup",
        examples=[
            OpenApiExample("Found", FOUND, response_only=True, status_codes=["200"]),
            OpenApiExample("No card here", NO_CARD, response_only=True, status_codes=["404"]),
        ],
    )
    def get(self, request: Request) -> Response:
        """404 for a phone without a card here, whether or not the person is known elsewhere.

        429 after 60 look-ups in a minute, or 10 that found nothing.
        """
        sent = self.asked(shapes.LookupQuerySerializer)
        business = till_business(self.user, sent)
        program = named_program(business, sent)
        self.count_look_up()
        card = find_card(business, phone=sent["phone"], program=program)
        if card is None:
            return self.missed(business, sent["phone"])
        return Response(shapes.FoundSerializer({"customer": account_of(card)}).data)

    def count_look_up(self) -> None:
        """Raises Throttled for too many, and for too many that found nothing."""
        rate = settings.THROTTLE_RATES["lookup"]
        wait = turn_wait(self.misses, MISSES) if rate else 0.0
        wait = wait or take_turn(f"lookup:{self.user.pk}", rate)
        if wait:
            raise Throttled(wait)

    def missed(self, business: Business, phone: str) -> Response:
        """The answer to a phone without a card here. Raises Throttled where twins have used up the misses."""
        wait = take_turn(self.misses, MISSES if settings.THROTTLE_RATES["lookup"] else "")
        if wait:
            raise Throttled(wait)
        formatted = shapes.display_phone(phone_of(phone, business))
        return Response({**NO_CARD, "formatted_phone": formatted}, status=404)

    @property
    def misses(self) -> str:
        """The name of this user's gate of look-ups that find nothing."""
        return f"lookup-missed:{self.user.pk}"
