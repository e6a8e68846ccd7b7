"""The services and the model (`model.py`) side by side: what is asked of one is asked of the other, and they agree."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

import time_machine
from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine, invariant

from loyalty import services
from loyalty.models import LoyaltyCard, PointsHold, PointsLot, PointsTransaction, Program
from loyalty.selectors import account_of
from loyalty.services import Instruction
from tests import builders
from tests.loyalty import model
from tests.loyalty.model import FREE, HELD, RefusedError, Terms
from tests.loyalty.test_ledger import refused, tables

BEGIN = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)
TIERS = [
    (("low", 0, 10_000), ("mid", 60, 10_000), ("high", 150, 20_000)),
    (("low", 0, 10_000), ("mid", 20, 15_000)),
    (("only", 0, 0),),
    (("low", 0, 12_500), ("high", 300, 10_000)),
]
# Each setting as the model has it: the product's name for it, how it is written there, and what it may become.
SETTINGS: dict[str, tuple[str, Callable[[Any], Any], list[Any]]] = {
    "earn_rule": ("earn_rule", str, ["per_amount", "per_visit", "fixed"]),
    "rate": ("points_per_unit", lambda parts: Decimal(parts) / 10_000, [0, 3_333, 10_000, 15_000, 70_000]),
    "min_order": ("min_order", lambda cents: Decimal(cents) / 100, [0, 500, 2_550]),
    "expiry_days": ("expiry_days", lambda days: days, [None, 1, 2, 7, 365]),
    "minimum": ("redemption_minimum", int, [0, 1, 1, 10]),
    "increment": ("redemption_increment", int, [0, 1, 1, 5]),
    "value": ("point_value", lambda parts: Decimal(parts) / 10_000, [0, 99, 100, 3_333, 10_000]),
    "percent": ("max_redeem_percent", int, [100, 100, 50, 33, 0]),
    "per_transaction": ("max_points_per_transaction", lambda limit: limit, [None, None, 100, 50, 0]),
    "per_day": ("max_points_per_day", lambda limit: limit, [None, None, None, 200, 100, 0]),
    "tiers": ("tiers", lambda tiers: [written(tier) for tier in tiers], TIERS),
    "is_active": ("is_active", bool, [True] * 9 + [False]),
}


def written(tier: tuple[str, int, int]) -> dict[str, Any]:
    """A tier as the product has it."""
    level, start, multiplier = tier
    return {"level": level, "from_points": start, "multiplier": str(Decimal(multiplier) / 10_000)}


def money(cents: int | None) -> Decimal | None:
    """As the services take it."""
    return None if cents is None else Decimal(cents) / 100


class SideBySide(RuleBasedStateMachine):
    """Three cards: two in one program, and one in another business, where the same keys mean something else."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.frame = transaction.atomic()
        self.frame.__enter__()
        self.clock = time_machine.travel(BEGIN, tick=False)
        self.traveller = self.clock.start()
        self.boss = builders.superuser()
        self.programs: list[Program] = []
        self.terms = [Terms(expiry_days=2), Terms()]
        for slug, terms in zip(("one", "two"), self.terms, strict=True):
            settings = {name: write(getattr(terms, mine)) for mine, (name, write, _) in SETTINGS.items()}
            self.programs.append(builders.program(builders.business(slug), welcome_points=30, **settings))
        self.cards = [builders.card(of=self.programs[place]) for place in (0, 0, 1)]
        self.model = [model.Card(str(place), self.terms[place]) for place in (0, 0, 1)]
        # What was asked for, known by business and key, or by business, operation and reference.
        self.keys: dict[tuple[str, str], tuple[str, model.Row]] = {}
        self.references: dict[tuple[str, str, str], model.Row] = {}
        self.answers: dict[model.Row, Any] = {}
        self.booked: dict[model.Row, PointsTransaction] = {}
        self.holds: dict[model.Hold, PointsHold] = {}
        self.asked: list[tuple[Any, ...]] = []
        for card, mirror in zip(self.cards, self.model, strict=True):
            self.note(mirror.bring("welcome", 30, self.now), card.transactions.get())

    def teardown(self) -> None:
        self.clock.stop()
        transaction.set_rollback(True)
        self.frame.__exit__(None, None, None)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def note(self, mirror: model.Row, row: PointsTransaction) -> None:
        """Which row of the ledger is which."""
        if mirror not in self.booked:
            # As old as it was then: what is done with it later must not trust it.
            self.booked[mirror] = PointsTransaction.objects.select_related("lot", "card").get(pk=row.pk)
        assert self.booked[mirror].pk == row.pk

    def agree(
        self,
        wanted: Callable[[], Any],
        asked: Callable[[], Any],
        is_quiet: Callable[[Any], bool] = lambda expected: False,
    ) -> Any:
        """Both refuse for the same reason, and then nothing has changed; or both answer. Quiet ones change nothing."""
        try:
            expected = wanted()
        except RefusedError as refusal:
            with refused(str(refusal)):
                asked()
            return None
        before = tables() if is_quiet(expected) else None
        given = asked()
        assert before is None or tables() == before
        return expected, given

    def repeat(
        self, mirror: model.Card, kind: str, key: str | None, wish: str, reference: str | None
    ) -> model.Row | None:
        """The row that a key or a reference stands for."""
        if key is not None and (mirror.business, key) in self.keys:
            first, row = self.keys[mirror.business, key]
            model.refuse(first != wish, "idempotency_key_reused")
            return row
        return self.references.get((mirror.business, kind, reference)) if reference is not None else None

    def once(
        self,
        number: int,
        kind: str,
        names: tuple[str | None, str | None],
        wish: str,
        *,
        wanted: Callable[[], tuple[model.Row | None, Any]],
        same: Callable[[model.Row], bool],
        asked: Callable[[Instruction], tuple[PointsTransaction | None, bool, Any]],
    ) -> None:
        """Ask both for a movement that may have been made before: same row and answer then, and no effect."""
        (key, reference), mirror = names, self.model[number]

        def expected() -> tuple[model.Row | None, Any, bool]:
            row = self.repeat(mirror, kind, key, wish, reference)
            if row is None:
                return *wanted(), False
            is_same_key = key is not None and self.keys.get((mirror.business, key), ("", None))[1] is row
            model.refuse(not is_same_key and not (same(row) and row.card is mirror), "reference_conflict")
            return row, self.answers[row], True

        def is_quiet(expected: tuple[model.Row | None, Any, bool]) -> bool:
            row, _answer, is_replay = expected
            return row is None or is_replay

        both = self.agree(expected, lambda: asked(Instruction(None, key, wish, reference)), is_quiet)
        if both is None:
            return
        (row, answer, is_replay), (booked, was_replay, given) = both
        assert (given, was_replay, booked is None) == (answer, is_replay, row is None)
        if row is None or booked is None:
            return
        self.note(row, booked)
        if not is_replay:
            self.answers[row] = answer
            self.keys |= {(mirror.business, key): (wish, row)} if key is not None else {}
            self.references |= {(mirror.business, kind, reference): row} if reference is not None else {}

    # --- What always holds -------------------------------------------------------------------------------------------

    @invariant()
    def agreed(self) -> None:
        """Every card is as the model has it, and as its own rows say."""
        type(self).steps += 1
        found = {card.pk: card for card in LoyaltyCard.objects.complete()}
        self.compare_books(found.values())
        for card, mirror in zip(self.cards, self.model, strict=True):
            mirror.pass_time(self.now)
            self.compare_now(found[card.pk], mirror)
        assert services.verify_ledger() is None

    def compare_now(self, card: LoyaltyCard, mirror: model.Card) -> None:
        """The card as it stands at this moment, whether or not time has been booked."""
        account = account_of(card)
        card = account.card
        sums = (card.points_balance, card.points_held, card.points_owed)
        assert sums == (mirror.balance, mirror.count(HELD), mirror.owed)
        totals = (card.total_points_earned, card.total_points_redeemed, card.tier_level)
        assert totals == (mirror.earned, mirror.redeemed, mirror.tier[0])
        assert account.available == mirror.count(FREE)
        assert {lot.id: (lot.remaining, lot.held) for lot in account.lots.values() if lot.remaining} == self.left(
            mirror
        )

    def left(self, mirror: model.Card) -> dict[int, tuple[int, int]]:
        """What is left and held in each lot that has something left."""
        places = {row: [point.place for point in row.lot.points] for row in mirror.rows if row.lot is not None}
        counted = {
            self.booked[row].lot.pk: (found.count(FREE) + found.count(HELD), found.count(HELD))
            for row, found in places.items()
        }
        return {lot: counts for lot, counts in counted.items() if counts[0]}

    def compare_books(self, cards: Iterable[LoyaltyCard]) -> None:
        """What is booked adds up."""
        deltas: dict[Any, list[int]] = defaultdict(list)
        sums: Counter[Any] = Counter()
        for card, seq, delta in PointsTransaction.objects.order_by("seq").values_list("card", "seq", "points_delta"):
            deltas[card].append(delta)
            assert seq == len(deltas[card])
        for card, left, held in PointsLot.objects.values_list("card", "remaining", "held"):
            sums.update({(card, "left"): left, (card, "held"): held})
        for card, points in PointsHold.objects.open().values_list("card", "points"):
            sums[card, "open"] += points
        for found in cards:
            assert found.points_balance - found.points_owed == sum(deltas[found.pk])
            assert found.points_balance == sums[found.pk, "left"] >= found.points_held >= 0
            assert found.points_held == sums[found.pk, "held"] == sums[found.pk, "open"]
