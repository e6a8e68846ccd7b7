"""Any movements of points in any order, beside a model that was written from the contract."""

from datetime import timedelta
from string import ascii_letters
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from loyalty import services
from loyalty.models import Enrollment, PointsHold, PointsTransaction
from loyalty.services import Instruction
from tests.loyalty import model
from tests.loyalty.model import FREE, HELD
from tests.loyalty.sidebyside import SETTINGS, SideBySide, money

CARDS = st.integers(0, 2)
POINTS = st.integers(1, 60)
CENTS = st.integers(0, 6_000)
NAMES = st.none() | st.sampled_from(ascii_letters)
PLACES = st.integers(0, 1_000)
SHARES = st.integers(1, 101)
# Some end a hold or a lot to the microsecond.
WAITS = [timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=5), timedelta(minutes=15)]
WAITS += [timedelta(hours=12), *(timedelta(days=days) for days in (1, 2, 7, 365))]


def chosen(place: int, everything: list[Any], promising: list[Any]) -> Any:
    """Mostly one that something can be done with."""
    among = promising if promising and place % 8 else everything
    return among[place // 8 % len(among)]


class Machine(SideBySide):
    """What people and time do to three cards."""

    # --- Movements -----------------------------------------------------------------------------------------------

    @rule(number=CARDS, cents=CENTS, key=NAMES, reference=NAMES)
    def order(self, number: int, cents: int, key: str | None, reference: str | None) -> None:
        """An order earns."""
        self.earn(number, cents, None, key, reference)

    @rule(number=CARDS, cents=st.none() | CENTS, points=st.none() | POINTS, key=NAMES, reference=NAMES)
    def earn(self, number: int, cents: int | None, points: int | None, key: str | None, reference: str | None) -> None:
        """An order, an award, or neither."""
        mirror, card = self.model[number], self.cards[number]

        def wanted() -> tuple[model.Row | None, Any]:
            mirror.check_open()
            rule = mirror.rule
            earned = rule.points(cents) if points is None else points
            if not earned:
                return None, (0, mirror.balance, mirror.tier[0])
            mirror.check_limits(earned, self.now)
            row = mirror.bring("earn", earned, self.now, cents=cents, rule=rule)
            return row, (earned, mirror.balance, mirror.tier[0])

        def same(row: model.Row) -> bool:
            return row.rule is not None and row.points == (row.rule.points(cents) if points is None else points)

        def asked(instruction: Instruction) -> tuple[PointsTransaction | None, bool, Any]:
            done = services.earn_points(card, instruction, order_total=money(cents), points=points)
            return done.transaction, done.is_replay, (done.points, done.points_balance, done.tier_level)

        wish = f"earn {number} {cents} {points}"
        self.once(number, "earn", (key, reference), wish, wanted=wanted, same=same, asked=asked)
        self.asked.append((self.earn, number, cents, points, key, reference))

    @rule(number=CARDS, percent=SHARES, cents=st.none() | CENTS)
    def redeem_a_share(self, number: int, percent: int, cents: int | None) -> None:
        """As much as there is, or nearly."""
        self.redeem(number, self.model[number].count(FREE) * percent // 100, cents, None, None)

    @rule(number=CARDS, points=st.integers(0, 40), cents=st.none() | CENTS, key=NAMES, reference=NAMES)
    def redeem(self, number: int, points: int, cents: int | None, key: str | None, reference: str | None) -> None:
        """Points for a discount."""
        mirror, card = self.model[number], self.cards[number]

        def wanted() -> tuple[model.Row, Any]:
            discount = mirror.discount(points, cents)
            row = mirror.spend("redeem", mirror.free()[:points], self.now, cents)
            after = None if cents is None else money(cents - discount)
            return row, (points, money(discount), after, mirror.balance, mirror.balance)

        def same(row: model.Row) -> bool:
            return row.points == points

        def asked(instruction: Instruction) -> tuple[PointsTransaction | None, bool, Any]:
            done = services.redeem_points(card, instruction, points=points, order_total=money(cents))
            balances = done.points_balance, done.points_balance_after
            return done.transaction, done.is_replay, (done.points, done.discount, done.order_total_after, *balances)

        wish = f"redeem {number} {points} {cents}"
        self.once(number, "redeem", (key, reference), wish, wanted=wanted, same=same, asked=asked)
        self.asked.append((self.redeem, number, points, cents, key, reference))

    @rule(number=CARDS, points=POINTS, sign=st.sampled_from([1, -1]), key=NAMES)
    def adjust(self, number: int, points: int, sign: int, key: str | None) -> None:
        """By hand."""
        mirror, card = self.model[number], self.cards[number]

        def wanted() -> tuple[model.Row, Any]:
            mirror.check_enrolled()
            if sign < 0:
                model.refuse(points > mirror.count(FREE), "insufficient_points")
                return mirror.spend("adjust", mirror.free()[:points], self.now), -points
            mirror.check_limits(points, self.now)
            return mirror.bring("adjust", points, self.now), points

        def asked(instruction: Instruction) -> tuple[PointsTransaction, bool, Any]:
            done = services.adjust_points(card, instruction, points=sign * points, reason="Goodwill.")
            return done.transaction, done.is_replay, done.transaction.points_delta

        wish = f"adjust {number} {sign * points}"
        self.once(number, "adjust", (key, None), wish, wanted=wanted, same=bool, asked=asked)
        self.asked.append((self.adjust, number, points, sign, key))

    @rule(number=CARDS, percent=SHARES, is_deduction=st.booleans())
    def hold(self, number: int, percent: int, is_deduction: bool) -> None:
        """Set points aside, or ask to deduct them."""
        mirror, card = self.model[number], self.cards[number]
        points = mirror.count(FREE) * percent // 100 or 1

        def wanted() -> model.Hold:
            if is_deduction:
                mirror.check_enrolled()
                model.refuse(points > mirror.count(FREE), "insufficient_points")
            else:
                mirror.discount(points, None)
            lasts = timedelta(days=7) if is_deduction else timedelta(minutes=15)
            held = model.Hold(mirror, mirror.free()[:points], self.now + lasts, is_deduction)
            model.move(held.points, HELD)
            mirror.holds.append(held)
            return held

        def asked() -> PointsHold:
            if is_deduction:
                return services.ask_to_deduct(card, points=points, reason="Mistake.", by=self.boss)
            return services.hold_points(card, points=points, by=None)

        both = self.agree(wanted, asked)
        if both is not None:
            self.holds[both[0]] = both[1]

    @precondition(lambda self: self.holds)
    @rule(place=PLACES, percent=st.none() | SHARES, key=NAMES)
    def capture(self, place: int, percent: int | None, key: str | None) -> None:
        """Take what is held, or a part of it, or more."""
        held = chosen(place, list(self.holds), [hold for hold in self.holds if hold.status == "open"])
        mirror = held.card
        points = None if percent is None else len(held.points) * percent // 100 + percent // 101 or 1

        def wanted() -> tuple[model.Row, Any]:
            taken = self.still_open(held)[:points]
            model.refuse(points is not None and points > len(held.points), "limit_exceeded")
            row = mirror.spend("adjust" if held.is_deduction else "redeem", taken, self.now)
            mirror.close(held, "captured", self.now)
            return row, len(taken)

        def asked(instruction: Instruction) -> tuple[PointsTransaction, bool, Any]:
            done = services.capture_hold(self.holds[held], instruction, points=points)
            return done.transaction, done.is_replay, done.transaction.points_amount

        wish, number = f"capture {self.holds[held].pk} {points}", self.model.index(mirror)
        self.once(number, "redeem", (key, None), wish, wanted=wanted, same=bool, asked=asked)
        self.asked.append((self.capture, place, percent, key))

    @precondition(lambda self: self.holds)
    @rule(place=PLACES)
    def release(self, place: int) -> None:
        """Give back what is held."""
        held = chosen(place, list(self.holds), [hold for hold in self.holds if hold.status == "open"])

        def wanted() -> None:
            self.still_open(held)
            held.card.close(held, "released", self.now)

        self.agree(wanted, lambda: services.release_hold(self.holds[held]))

    def still_open(self, held: model.Hold) -> list[model.Point]:
        """Its points."""
        model.refuse(held.status == "expired", "expired")
        model.refuse(held.status != "open", "hold_closed")
        return held.points

    @rule(
        place=PLACES,
        points=st.none() | st.integers(0, 40),
        cents=st.none() | st.integers(1, 3_000),
        key=NAMES,
    )
    def reverse(self, place: int, points: int | None, cents: int | None, key: str | None) -> None:
        """Points, a part of the order, or the rest of any earlier row."""
        # As often what was spent as what was earned, of which there is more.
        left = [row for row in self.booked if row.left and row.is_new == (place % 2 == 0)]
        original = chosen(place, list(self.booked), left)
        mirror, row, part = original.card, self.booked[original], money(cents)

        def wanted() -> tuple[model.Row, Any]:
            before = original.returned
            reversal = mirror.reverse(original, points, cents, self.now)
            return reversal, original.returned - before

        def asked(instruction: Instruction) -> tuple[PointsTransaction, bool, Any]:
            done = services.reverse_transaction(row, instruction, reason="Returned.", points=points, amount=part)
            return done.transaction, done.is_replay, done.transaction.points_amount

        wish, number = f"reverse {row.pk} {points} {cents}", self.model.index(mirror)
        self.once(number, "reverse", (key, None), wish, wanted=wanted, same=bool, asked=asked)
        self.asked.append((self.reverse, place, points, cents, key))

    @precondition(lambda self: self.asked)
    @rule(place=PLACES)
    def again(self, place: int) -> None:
        """The very same request."""
        call, *arguments = self.asked[place % len(self.asked)]
        call(*arguments)

    # --- What changes around them --------------------------------------------------------------------------------

    @rule(span=st.sampled_from(WAITS))
    def wait(self, span: timedelta) -> None:
        """Time passes."""
        self.traveller.shift(span)

    @rule(place=PLACES, is_early=st.booleans())
    def wait_for_an_end(self, place: int, is_early: bool) -> None:
        """A hold or a lot ends now, or in a moment."""
        holds = [hold.expires_at for hold in self.holds if hold.status == "open"]
        lots = [lot.expires_at for mirror in self.model for lot in mirror.lots if lot.expires_at is not None]
        ends = [end for end in holds * 3 + lots if end > self.now]
        if ends:
            self.traveller.move_to(ends[place % len(ends)] - timedelta(microseconds=is_early))

    @rule()
    def settle(self) -> None:
        """What time has done is booked: after that the books say what is so."""
        services.settle_due()
        assert services.settle_due() == 0
        for card, mirror in zip(self.cards, self.model, strict=True):
            mirror.pass_time(self.now)
            card.refresh_from_db()
            assert (card.points_balance, card.points_held) == (mirror.balance, mirror.count(HELD))

    @rule(place=st.integers(0, 1), number=PLACES)
    def change_expiry(self, place: int, number: int) -> None:
        """What is earned from now on lasts longer or shorter."""
        self.change(place, "expiry_days", number)

    @rule(place=st.integers(0, 1), setting=st.sampled_from(sorted(SETTINGS)), number=PLACES)
    def change(self, place: int, setting: str, number: int) -> None:
        """A business changes its rules."""
        name, write, choices = SETTINGS[setting]
        value = choices[number % len(choices)]
        setattr(self.terms[place], setting, value)
        services.change_program(self.programs[place], **{name: write(value)})

    @rule(number=CARDS, chance=st.integers(0, 4))
    def leave(self, number: int, chance: int) -> None:
        """Now and then a customer takes part no longer."""
        if chance == 0:
            Enrollment.objects.filter(card=self.cards[number]).update(status="left")
            self.model[number].is_enrolled = False

    @precondition(lambda self: not all(mirror.is_enrolled for mirror in self.model))
    @rule(number=CARDS)
    def join(self, number: int) -> None:
        """A customer comes back: to the same card, without a second welcome."""
        mirror, enrollment = self.model[number], self.cards[number].enrollment

        def wanted() -> None:
            model.refuse(not mirror.terms.is_active, "program_inactive")
            model.refuse(mirror.is_enrolled, "already_enrolled")
            mirror.is_enrolled = True

        customer, program = enrollment.customer, self.programs[number // 2]
        self.agree(wanted, lambda: services.enroll_customer(customer, program, by=None, source="till"))
