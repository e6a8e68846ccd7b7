"""What a till does to points. Each move has a preview, which moves nothing, and an act, which happens once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from crm.models import Business, Membership, User
from crm.selectors import may_act
from crm.services import remember_answer
from loyalty import services
from loyalty.admin.desk import Desk, Operation, signed
from loyalty.forms.till import AdjustForm, AwardForm, MoveForm, RedeemForm, ReverseForm
from loyalty.models import LoyaltyCard, PointsHold, PointsTransaction
from loyalty.selectors import points_in_words
from loyalty.services import Booking, Earning, Instruction, Redemption

TILL, CORRECT = "loyalty.redeem_points", "loyalty.adjust_points"
DONE = {
    Operation.REDEEM: "Redeemed",
    Operation.EARN: "Awarded",
    Operation.ADJUST: "Adjusted",
    Operation.REVERSE: "Reversed",
}
T = TypeVar("T")


@dataclass(frozen=True)
class Glance:
    """A movement in a few large figures, each with its unit. As a preview, `title` is what its button says."""

    title: str
    figures: list[tuple[str, str]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Done:
    """What was done: a row of the ledger, or a hold, or neither where there was nothing to move."""

    said: str
    row: PointsTransaction | None = None
    hold: UUID | None = None
    is_replay: bool = False

    @property
    def is_news(self) -> bool:
        """Whether it is to be logged."""
        return not self.is_replay and (self.row is not None or self.hold is not None)


@dataclass(frozen=True)
class Move:
    """One of the things done to a card, and who may."""

    name: str
    tab: str
    title: str
    form: type[MoveForm]
    preview: Callable[[Desk, dict[str, Any]], Glance]
    act: Callable[[Desk, dict[str, Any], Instruction], Done]
    permission: str = TILL
    role: str = Membership.Role.CASHIER

    def is_open_to(self, user: User, business: Business) -> bool:
        """Whether the user may do it to the business's cards."""
        return may_act(user, business, self.role, permission=self.permission)


# Redeem ----------------------------------------------------------------------------------------------------------


def _preview_redeeming(desk: Desk, wish: dict[str, Any]) -> Glance:
    redemption = services.preview_redemption(desk.card_as_booked, **wish)
    return Glance(f"Redeem {points_in_words(redemption.points)}", _redemption(desk, redemption))


def _redeem(desk: Desk, wish: dict[str, Any], instruction: Instruction) -> Done:
    redemption = services.redeem_points(desk.card, instruction, **wish)
    said = f"Redeemed {points_in_words(redemption.points)} for {desk.money(redemption.discount)} off."
    return Done(said, redemption.transaction, is_replay=redemption.is_replay)


def _redemption(desk: Desk, redemption: Redemption) -> list[tuple[str, str]]:
    figures = [(signed(-redemption.points), "points"), (desk.money(redemption.discount), "off")]
    if redemption.order_total_after is not None:
        figures.append((desk.money(redemption.order_total_after), "to pay"))
    return [*figures, (f"{redemption.points_balance_after:,}", "points left")]


# Award -----------------------------------------------------------------------------------------------------------


def _preview_awarding(desk: Desk, wish: dict[str, Any]) -> Glance:
    earning = services.preview_earning(desk.card_as_booked, **_without_reference(wish))
    title = f"Award {points_in_words(earning.points)}" if earning.points else ""
    paid = min(desk.card.points_owed, earning.points)
    notes = [earning.explanation, *([f"{points_in_words(paid).capitalize()} of it pay what is owed."] if paid else [])]
    return Glance(title, _earning(earning), notes)


def _award(desk: Desk, wish: dict[str, Any], instruction: Instruction) -> Done:
    earning = services.earn_points(desk.card, instruction, **_without_reference(wish))
    said = f"Awarded {points_in_words(earning.points)}. {earning.explanation}"
    return Done(said if earning.transaction else earning.explanation, earning.transaction, None, earning.is_replay)


def _without_reference(wish: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wish.items() if name != "reference"}


def _earning(earning: Earning) -> list[tuple[str, str]]:
    return [
        (signed(earning.points), "points"),
        (f"{earning.points_balance:,}", "balance"),
        (earning.tier_level.capitalize(), "tier"),
    ]


# Adjust ----------------------------------------------------------------------------------------------------------


def _preview_adjusting(desk: Desk, wish: dict[str, Any]) -> Glance:
    points: int = wish["points"]
    if services.asks_first(desk.card, points=points, by=desk.user):
        hold = _undone(lambda: _ask(desk, wish))
        return Glance(f"Hold {points_in_words(-points)} and ask", **_hold(desk, hold))
    booking = _undone(lambda: services.adjust_points(desk.card, Instruction(by=desk.user), **wish))
    title = f"Add {points_in_words(points)}" if points > 0 else f"Take {points_in_words(-points)} away"
    return Glance(title, _row(booking.transaction))


def _adjust(desk: Desk, wish: dict[str, Any], instruction: Instruction) -> Done:
    if services.asks_first(desk.card, points=wish["points"], by=desk.user):
        return _ask_once(desk, wish, instruction)
    booking = services.adjust_points(desk.card, instruction, **wish)
    return _booked(f"Adjusted by {signed(booking.transaction.points_delta)} points: {wish['reason']}", booking)


def _ask_once(desk: Desk, wish: dict[str, Any], instruction: Instruction) -> Done:
    """A hold is no row of the ledger, so its key is kept beside it."""
    (_status, hold), is_replay = remember_answer(
        f"till {desk.business.pk}",
        str(instruction.key),
        instruction.fingerprint,
        lambda: (202, str(_ask(desk, wish).pk)),
    )
    return Done(f"Held {points_in_words(-wish['points'])}: {wish['reason']}", None, UUID(hold), is_replay)


def _ask(desk: Desk, wish: dict[str, Any]) -> PointsHold:
    return services.ask_to_deduct(desk.card, points=-wish["points"], reason=wish["reason"], by=desk.user)


def _hold(desk: Desk, hold: PointsHold) -> dict[str, Any]:
    until = f"{timezone.localtime(hold.expires_at):%-d %B}"
    figures = [(f"{hold.points:,}", "points held"), (until, "until")]
    notes = [f"The customer is asked. Without a yes by {until} the points are free again."]
    return {"figures": figures, "notes": notes}


# Reverse ---------------------------------------------------------------------------------------------------------


def _preview_reversing(desk: Desk, wish: dict[str, Any]) -> Glance:
    def act() -> tuple[PointsTransaction, LoyaltyCard]:
        return _reversed(desk, wish, Instruction(by=desk.user)).transaction, LoyaltyCard.objects.get(pk=desk.card.pk)

    row, card = _undone(act)
    verb = "Give back" if row.points_delta > 0 or _original(desk).points_delta < 0 else "Take back"
    gone = row.balance_after - card.points_balance
    notes = [f"{points_in_words(gone).capitalize()} of it expired meanwhile, and are gone at once."] if gone else []
    figures = [(signed(row.points_delta), "points"), (f"{card.points_balance:,}", "balance")]
    owed = [(f"{card.points_owed:,}", "owed")] if card.points_owed else []
    return Glance(f"{verb} {points_in_words(row.points_amount)}", [*figures, *owed], notes)


def _reverse(desk: Desk, wish: dict[str, Any], instruction: Instruction) -> Done:
    booking = _reversed(desk, wish, instruction)
    what = _original(desk).get_operation_type_display().lower()
    return _booked(f"Reversed {signed(booking.transaction.points_delta)} points ({what}): {wish['reason']}", booking)


def _reversed(desk: Desk, wish: dict[str, Any], instruction: Instruction) -> Booking:
    return services.reverse_transaction(_original(desk), instruction, **wish)


def _original(desk: Desk) -> PointsTransaction:
    return cast(PointsTransaction, desk.original)


# All -------------------------------------------------------------------------------------------------------------


def _undone(act: Callable[[], T]) -> T:
    """What an act does, exactly: it is done under the card's lock and taken back before anybody sees it."""
    with transaction.atomic():
        result = act()
        transaction.set_rollback(True)
    return result


def _booked(said: str, booking: Booking) -> Done:
    return Done(said, booking.transaction, is_replay=booking.is_replay)


def _row(row: PointsTransaction) -> list[tuple[str, str]]:
    owed = [(f"{row.owed_after:,}", "owed")] if row.owed_after else []
    return [(signed(row.points_delta), "points"), (f"{row.balance_after:,}", "balance"), *owed]


def glance_of(desk: Desk, row: PointsTransaction, *, is_again: bool) -> Glance:
    """What a row did, after the fact."""
    title = DONE.get(Operation(row.operation_type), row.get_operation_type_display())
    first = f"{timezone.localtime(row.created_at):%-d %B at %H:%M}"
    notes = [f"Done on {first} by {row.staff_member or '–'}, and not a second time."] if is_again else []
    return Glance(f"Already {title.lower()}" if is_again else title, _figures(desk, row), notes)


def _figures(desk: Desk, row: PointsTransaction) -> list[tuple[str, str]]:
    if row.operation_type == Operation.REDEEM:
        return _redemption(desk, services.redemption_of(row))
    if row.operation_type == Operation.EARN:
        return _earning(services.earning_of(row))
    return _row(row)


def glance_of_hold(desk: Desk, hold: PointsHold, *, is_again: bool) -> Glance:
    """What is held, after the fact."""
    return Glance("Already held" if is_again else "Held", **_hold(desk, hold))


REDEEM = Move("redeem", "Redeem", "Redeem points", RedeemForm, _preview_redeeming, _redeem)
AWARD = Move("award", "Award", "Award points", AwardForm, _preview_awarding, _award)
ADJUST = Move(
    "adjust",
    "Adjust",
    "Adjust points",
    AdjustForm,
    _preview_adjusting,
    _adjust,
    permission=CORRECT,
    role=Membership.Role.MANAGER,
)
REVERSE = Move(
    "reverse",
    "Reverse",
    "Reverse points",
    ReverseForm,
    _preview_reversing,
    _reverse,
    permission=CORRECT,
    role=Membership.Role.MANAGER,
)
TABS = (REDEEM, AWARD, ADJUST)
