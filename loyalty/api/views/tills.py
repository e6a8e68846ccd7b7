"""What the points endpoints share: who may touch which card, and each movement once for its key."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.views import KEY_HEADER, REPLAYED, answer_under, check_key, fingerprint
from crm.models import Business, Membership, User
from crm.selectors import business_for, may_act
from loyalty.models import LoyaltyCard, PointsTransaction, Program
from loyalty.selectors import find_card, id_or_number, phone_of
from loyalty.services import Instruction, refusals_logged, take_code

CASHIER, MANAGER = Membership.Role.CASHIER, Membership.Role.MANAGER
REDEEM, ADJUST, VIEW = "loyalty.redeem_points", "loyalty.adjust_points", "loyalty.view_loyaltycard"
KEY = OpenApiParameter(
    KEY_HEADER,
    str,
    OpenApiParameter.HEADER,
    description="1 to 255 printable characters, of the business. The same key and body get the first answer again.",
)
T = TypeVar("T")


class Outcome(Protocol):
    """What a service says of a movement: the row, and whether it had been made before."""

    @property
    def transaction(self) -> PointsTransaction | None:
        """None where nothing was booked."""

    @property
    def is_replay(self) -> bool:
        """By the key or by the reference."""


class Answer(NamedTuple):
    """An effect's answer, and whether it is one that was given before."""

    status: int
    body: Any
    is_replay: bool = False


class PointsView(APIView):
    """An endpoint of the points programs."""

    @property
    def user(self) -> User:
        """Who calls; the permission has let nobody pass without a login."""
        return cast(User, self.request.user)

    def read(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The body in that shape. Raises ValidationError."""
        return _read(shape, self.request.data)

    def asked(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """The address's parameters in that shape; an empty one is none. Raises ValidationError."""
        return _read(shape, {name: text for name, text in self.request.query_params.items() if text})

    def once(
        self,
        business: Business,
        operation: str,
        effect: Callable[[Instruction], Answer],
        *,
        by: User | None,
        reference: str | None = None,
    ) -> Response:
        """Do it once for its key, which is the business's own whatever the operation is, and goes into the ledger."""
        key = key_of(self.request)
        mark = fingerprint([operation, {k: v for k, v in _body(self.request).items() if k != "redemption_id"}])
        instruction = Instruction(by=by, key=key, fingerprint=mark, reference=reference)
        is_replay = False

        def answer() -> tuple[int, Any]:
            nonlocal is_replay
            # A code is taken in the transaction of what it is taken for.
            with transaction.atomic():
                status, body, is_replay = effect(instruction)
            return status, body

        with refusals_logged():
            response = answer_under(key, f"points:{business.pk}", mark, answer)
        for name, value in REPLAYED.items() if is_replay else ():
            response[name] = value
        return response


def _read(shape: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    form = shape(data=data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def _body(request: Request) -> dict[str, Any]:
    """The parser lets nothing but objects pass."""
    return cast(dict[str, Any], request.data)


def key_of(request: Request) -> str | None:
    """The request's key: for a PUT the id that its body gives. Raises ValidationError `idempotency_key_invalid`."""
    key = _body(request).get("redemption_id") if request.method == "PUT" else request.headers.get(KEY_HEADER)
    if key is None:
        return None
    check_key(str(key))
    return str(key)


def answer_of(outcome: Outcome, instruction: Instruction, first: int, body: Any) -> Answer:
    """The first answer, again for the same key; 200 where only the reference was known."""
    row = outcome.transaction
    is_same_key = row is not None and instruction.key is not None and row.idempotency_key == instruction.key
    return Answer(200 if outcome.is_replay and not is_same_key else first, body, outcome.is_replay)


def found(row: T | None) -> T:
    """Raises Http404 where there is none."""
    if row is None:
        raise Http404("Not found.")
    return row


def check_rights(
    user: User, business: Business | None, role: str, permission: str, *, is_known: bool = False
) -> Business:
    """The business of a row, if the caller may do there what asks for the role, or of staff for the permission.

    Raises Http404 for a row that is missing or another tenant's, PermissionDenied for one that the caller knows.
    """
    if user.is_staff and not user.acts_for_all(permission) and not user.memberships.exists():
        raise PermissionDenied
    there = found(business)
    if may_act(user, there, role, permission=permission):
        return there
    if is_known or user.memberships.filter(business=there).exists():
        raise PermissionDenied(f"This needs the role {role}.")
    raise Http404("Not found.")


def check_card(user: User, card: LoyaltyCard | None, role: str, permission: str) -> LoyaltyCard:
    """The card, if the caller may do that with it. Raises as `check_rights`; customers know their own cards."""
    business = card.enrollment.program.business if card else None
    check_rights(user, business, role, permission, is_known=card is not None and is_own(user, card))
    return found(card)


def is_own(user: User, card: LoyaltyCard) -> bool:
    """Whether it is this customer's card."""
    return card.enrollment.customer.user_id == user.pk


def card_to_act_on(user: User, sent: dict[str, Any], role: str, permission: str) -> LoyaltyCard:
    """The card that a body names by id or number, in the `business` if it names one. Raises as `check_rights`."""
    rows = LoyaltyCard.objects.complete().filter(id_or_number(sent["card"]))
    if "business" in sent:
        rows = rows.filter(is_business(sent["business"], "enrollment__program__business__"))
    return check_card(user, rows.first(), role, permission)


def named_card(
    business: Business, sent: dict[str, Any], purpose: str, instruction: Instruction, *, is_dry: bool = False
) -> LoyaltyCard:
    """The business's card that a till names, by a code for that purpose too, which is taken unless it `is_dry`.

    Raises Http404, ValidationError naming `phone`, and as `take_code`.
    """
    program = named_program(business, sent)
    if "qr" not in sent:
        return found(find_card(business, card=sent.get("card", ""), phone=sent.get("phone", ""), program=program))
    known = _moved_before(instruction, business, f"{purpose}_points")
    if known is not None:
        return known
    customer = take_code(sent["qr"], business, purpose, by=instruction.by, is_dry=is_dry).customer
    return found(find_card(business, phone=customer.phone, program=program))


def _moved_before(instruction: Instruction, business: Business, operation: str) -> LoyaltyCard | None:
    """The card that this very request has moved: the ledger knows it for ever, when the code has run out long ago."""
    same = Q(pk__in=[])
    if instruction.key is not None:
        same |= Q(transactions__idempotency_key=instruction.key)
    if instruction.reference is not None:
        same |= Q(transactions__operation_type=operation, transactions__transaction_reference=instruction.reference)
    return LoyaltyCard.objects.complete().filter(same, transactions__business=business).first()


def named_program(business: Business, sent: dict[str, Any]) -> Program | None:
    """The business's program that was asked for, if any was. Raises Http404."""
    if "program" not in sent:
        return None
    return found(Program.objects.filter(business=business, pk=sent["program"]).first())


def till_business(user: User, sent: dict[str, Any]) -> Business:
    """The business at whose till the caller stands: a member's own, or any for staff. Raises as `business_for`."""
    return business_for(user, sent.get("business"), permission=REDEEM)


def works_somewhere(user: User) -> bool:
    """Whether the user is more than a customer."""
    return user.is_staff or user.memberships.exists()


def own_card(user: User, sent: dict[str, Any]) -> LoyaltyCard | None:
    """The caller's own card that the body names, where the caller is a customer and no more.

    Raises ValidationError naming `business` or `phone`.
    """
    cards = LoyaltyCard.objects.complete().filter(enrollment__customer__user=user)
    if "business" in sent:
        cards = cards.filter(is_business(sent["business"], "enrollment__program__business__"))
    card = cards.filter(id_or_number(sent["card"])).first() if "card" in sent else _own_by_phone(user, cards, sent)
    if card is not None and may_act(user, card.enrollment.program.business, CASHIER, permission=REDEEM):
        return None
    return card


def _own_by_phone(user: User, cards: QuerySet[LoyaltyCard], sent: dict[str, Any]) -> LoyaltyCard | None:
    # Who stands at a till means a card of that till.
    if "phone" not in sent or ("business" not in sent and works_somewhere(user)):
        return None
    wanted = Q(enrollment__program=sent["program"]) if "program" in sent else Q(enrollment__program__is_default=True)
    mine = [card for card in cards.filter(wanted) if _has_phone(card, sent["phone"])]
    if len(mine) > 1:
        raise ValidationError({"business": ["You have cards at several businesses: name one by id or slug."]})
    return mine[0] if mine else None


def _has_phone(card: LoyaltyCard, text: str) -> bool:
    enrollment = card.enrollment
    return bool(phone_of(text, enrollment.program.business) == enrollment.customer.phone)


def is_business(text: str, path: str = "") -> Q:
    """How a business is named: its id or its slug."""
    try:
        return Q(**{f"{path}pk": UUID(text)})
    except ValueError:
        return Q(**{f"{path}slug": text})
