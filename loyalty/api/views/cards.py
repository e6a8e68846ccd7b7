"""Cards and their statements, for customers and for the businesses they are of."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from crm.models import Business, User
from crm.selectors import business_for, may_act
from loyalty.api import serializers as shapes
from loyalty.api.views.tills import CASHIER, VIEW, PointsView, check_card, is_business, is_own
from loyalty.models import LoyaltyCard, Program
from loyalty.selectors import STATEMENT_DAYS, Account, account_of, id_or_number, search_cards, sides_of, statement_of
from notifications.api.sheets import csv_response

ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="Id or card number.")
ORDERINGS = ("created_at", "last_activity_at", "card_number", "points_balance", "total_points_earned")


def cards_seen(user: User, wanted: str | None) -> QuerySet[LoyaltyCard]:
    """A customer's own cards, and those of the business that a member or staff choose; unchosen, staff see all.

    Raises as `business_for`.
    """
    rows = LoyaltyCard.objects.complete()
    if user.acts_for_all(VIEW) and not wanted:
        return rows
    own = rows.filter(enrollment__customer__user=user)
    own = own.filter(is_business(wanted, "enrollment__program__business__")) if wanted else own
    try:
        business = business_for(user, wanted, permission=VIEW)
    except (Http404, PermissionDenied):
        if own.exists() if wanted else hasattr(user, "customer"):
            return own
        raise
    at = Q(enrollment__program__business=business)
    return rows.filter(at if wanted else at | Q(enrollment__customer__user=user))


def readable_card(user: User, text: str) -> LoyaltyCard:
    """The card of that id or number, if it is the caller's own or of the caller's business. Raises as `check_card`."""
    card = LoyaltyCard.objects.complete().filter(id_or_number(text)).first()
    if card is not None and is_own(user, card):
        return card
    return check_card(user, card, CASHIER, VIEW)


class CardsView(PointsView, ListAPIView[LoyaltyCard]):
    """Cards, as they are booked."""

    queryset = LoyaltyCard.objects.complete()
    serializer_class = shapes.CardSerializer
    filter_backends = ()

    @extend_schema(parameters=[shapes.CardsQuerySerializer], operation_id="cards")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Customers see their own, members those of their business.

        Sorted by `created_at`, `last_activity_at`, `card_number`, `points_balance` or `total_points_earned`, with a
        minus downwards.
        """
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[LoyaltyCard]:
        """Narrowed and in order."""
        asked = self.asked(shapes.CardsQuerySerializer)
        cards = cards_seen(self.user, asked.get("business"))
        if "program" in asked:
            cards = cards.filter(enrollment__program=self.program(asked["program"]))
        if "q" in asked:
            cards = search_cards(cards, asked["q"], self.region(cards))
        column = asked.get("ordering", "").removeprefix("-")
        if column not in ORDERINGS:
            return cards.order_by("-created_at", "id")
        is_downward = asked["ordering"].startswith("-")
        order = F(column).desc(nulls_last=True) if is_downward else F(column).asc(nulls_last=True)
        return cards.order_by(order, "id")

    def program(self, pk: str) -> Program:
        """A program of the caller's businesses or cards. Raises Http404."""
        own = Q(business__in=Business.objects.visible_to(self.user, VIEW)) | Q(enrollments__customer__user=self.user)
        program = Program.objects.filter(own, pk=pk).first()
        if program is None:
            raise Http404("Not found.")
        return program

    def region(self, cards: QuerySet[LoyaltyCard]) -> str:
        """How the business of these cards reads a phone without a country code."""
        card = cards.first()
        return card.enrollment.program.business.default_region if card else "GB"

    def paginate_queryset(self, queryset: Any) -> Any:
        """Each with the sums that are booked."""
        return [_as_booked(card) for card in super().paginate_queryset(queryset) or ()]


def _as_booked(card: LoyaltyCard) -> Account:
    program, status = card.enrollment.program, card.enrollment.status
    return Account(card, program, status, program.business.currency, sides_of(card), {}, [], timezone.now())


class CardView(PointsView):
    """One card."""

    @extend_schema(parameters=[ID], responses=shapes.CardSerializer, operation_id="card")
    def get(self, request: Request, id: str) -> Response:
        """By id or card number, as it stands now: what has expired or lapsed is gone, whether or not it is booked."""
        return Response(shapes.CardSerializer(account_of(readable_card(self.user, id))).data)


class StatementView(PointsView):
    """What happened on a card."""

    @extend_schema(
        parameters=[ID, shapes.StatementQuerySerializer],
        responses=shapes.StatementSerializer,
        operation_id="statement",
    )
    def get(self, request: Request, id: str) -> Response:
        """Both days included, in UTC. Customers do not see names of staff.

        `opening` and `closing` are the balance less what is owed, so that the lines lead from one to the other.
        """
        return Response(self.statement(id))

    def statement(self, id: str) -> dict[str, Any]:
        """As it is answered. Raises ValidationError naming `from` or `to`."""
        card = readable_card(self.user, id)
        asked = self.asked(shapes.StatementQuerySerializer)
        to_on = asked.get("to", timezone.now().date())
        from_on = asked.get("from", to_on - timedelta(days=STATEMENT_DAYS))
        works_here = may_act(self.user, card.enrollment.program.business, CASHIER, permission=VIEW)
        found = statement_of(card, from_on, to_on)
        return dict(shapes.StatementSerializer(found, context={"names_staff": works_here}).data)


class AnyRenderer(DefaultContentNegotiation):
    """Errors are JSON and the answer is CSV, whatever the caller accepts."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """The first one."""
        renderer: BaseRenderer = renderers[0]
        return renderer, renderer.media_type


class StatementCSVView(StatementView):
    """The same for a spreadsheet."""

    content_negotiation_class = AnyRenderer

    @extend_schema(
        parameters=[ID, shapes.StatementQuerySerializer],
        responses={(200, "text/csv"): OpenApiTypes.STR},
        operation_id="statement_csv",
    )
    def get(self, request: Request, id: str) -> HttpResponseBase:  # type: ignore[override]
        """One row for each line, in UTF-8; cells that look like formulas are defused."""
        statement = self.statement(id)
        names = list(shapes.LineSerializer.Meta.fields)
        rows = ([line[name] for name in names] for line in statement["lines"])
        return csv_response(f"statement-{statement['from']}-{statement['to']}.csv", names, rows)
