"""What happens at the same moment: real threads and real commits, on PostgreSQL; on SQLite, a file and a queue."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from loyalty import services
from loyalty.models import Customer, Enrollment, LoyaltyCard, PointsHold, PointsLot, PointsTransaction, Program
from loyalty.services import Instruction, earn_points, redeem_points, reverse_transaction
from notifications.models import ApprovalRequest
from notifications.services import answer_request
from tests import builders
from tests.door import bearer, post
from tests.loyalty.crowd import at_once, earn_together, redeem_the_last
from tests.loyalty.test_ledger import lots, sums

pytestmark = [pytest.mark.postgres, pytest.mark.django_db, pytest.mark.usefixtures("books_agree")]

ROUNDS = range(5)
Call = Callable[[], Any]


@pytest.fixture
def books_agree(really_committed: None) -> Iterator[None]:
    """Whoever was first, the ledger proves."""
    yield
    assert services.verify_ledger() is None


def tiers(*starts: int) -> list[dict[str, Any]]:
    return [{"level": f"from {start}", "from_points": start, "multiplier": "1"} for start in starts]


def earning(card: LoyaltyCard, points: int) -> Call:
    return lambda: earn_points(card, Instruction(), points=points).points


def redeeming(card: LoyaltyCard, points: int) -> Call:
    return lambda: redeem_points(card, Instruction(), points=points).points


def replayed(card: LoyaltyCard, instruction: Instruction) -> Call:
    return lambda: redeem_points(card, instruction, points=5).is_replay


def reversing(original: PointsTransaction) -> Call:
    return lambda: reverse_transaction(original, Instruction(), reason="Returned.").transaction.owed_after


def holding(card: LoyaltyCard, points: int) -> Call:
    return lambda: services.hold_points(card, points=points, by=None).points


def changing(program: Program, **settings: Any) -> Call:
    return lambda: services.change_program(program, **settings).name


# --- One card ------------------------------------------------------------------------------------------------------


def test_last_points_are_redeemed_once() -> None:
    assert redeem_the_last(20) == {"100": 1, "insufficient_points": 19}


def test_none_of_a_hundred_earnings_is_lost() -> None:
    assert earn_together(50) == {"crashed": 0, "rows": 100, "last": 100, "points": 5050}


def test_one_key_sent_sixty_four_times_at_once_is_one_effect_and_one_answer() -> None:
    card = builders.card(1000)

    def redeem() -> tuple[object, ...]:
        done = redeem_points(card, Instruction(key="till-1", fingerprint="this"), points=10)
        assert done.transaction is not None
        return done.transaction.pk, done.points, done.discount, done.points_balance_after

    def earn() -> tuple[object, ...]:
        done = earn_points(card, Instruction(key="till-2", fingerprint="this"), points=10)
        assert done.transaction is not None
        return done.transaction.pk, done.points, done.points_balance, done.tier_level, done.explanation

    for call in (redeem, earn):
        answers = at_once(*[call] * 64)
        assert "crashed" not in answers
        assert len(set(answers)) == 1
    assert sums(card) == {"points_balance": 1000, "total_points_earned": 1010, "total_points_redeemed": 10}


def test_same_reference_at_once_is_booked_once() -> None:
    program = builders.program()
    cards = [builders.card(100, of=program) for _ in range(2)]
    for number in ROUNDS:
        same = Instruction(reference=f"order-{number}")
        assert Counter(at_once(*[replayed(cards[0], same)] * 4)) == {False: 1, True: 3}
        same = Instruction(reference=f"bill-{number}")
        answers = at_once(*[replayed(card, same) for card in cards * 2])
        assert Counter(answers) == {False: 1, True: 1, "reference_conflict": 2}
    assert PointsTransaction.objects.filter(operation_type="redeem_points").count() == 10


def test_one_key_on_two_cards_at_once_is_one_effect() -> None:
    program = builders.program()
    cards = [builders.card(100, of=program) for _ in range(2)]
    for number in ROUNDS:
        asked = [Instruction(key=f"key-{number}", fingerprint=str(card.pk)) for card in cards]
        answers = at_once(*[replayed(*pair) for pair in zip(cards, asked, strict=True)])
        assert Counter(answers) == {False: 1, "idempotency_key_reused": 1}
    assert PointsTransaction.objects.filter(operation_type="redeem_points").count() == 5


def test_reversal_and_redemption_of_the_same_points_end_in_one_order_or_the_other() -> None:
    for _ in ROUNDS:
        card = builders.card(100)
        answers = at_once(redeeming(card, 100), reversing(card.transactions.get()))
        ends = {(100, 100): (0, 100), ("insufficient_points", 0): (0, 0)}
        card.refresh_from_db()
        assert (card.points_balance, card.points_owed) == ends[answers[0], answers[1]]


def test_rest_is_reversed_once() -> None:
    for _ in ROUNDS:
        card = builders.card(100)
        answers = at_once(*[reversing(card.transactions.get())] * 4)
        assert Counter(answers) == {0: 1, "already_reversed": 3}


def test_hold_is_captured_or_released_and_not_both() -> None:
    for _ in ROUNDS:
        card = builders.card(100)
        hold = services.hold_points(card, points=60, by=None)
        answers = at_once(*ending(hold))
        ends = {(60, "hold_closed"): (40, "captured"), ("hold_closed", "released"): (100, "released")}
        card.refresh_from_db()
        end = (card.points_balance, PointsHold.objects.get(pk=hold.pk).status)
        assert (end, card.points_held) == (ends[answers[0], answers[1]], 0)


def ending(hold: PointsHold) -> list[Call]:
    return [
        lambda: services.capture_hold(hold, Instruction()).transaction.points_amount,
        lambda: services.release_hold(hold).status,
    ]


def test_points_are_held_once() -> None:
    card = builders.card(100)
    assert Counter(at_once(*[holding(card, 60)] * 8)) == {60: 1, "insufficient_points": 7}


def test_job_and_till_book_an_expiry_once() -> None:
    program = builders.program(expiry_days=1)
    for _ in ROUNDS:
        card = builders.card(100, of=program)
        services.change_program(program, expiry_days=None)
        earn_points(card, Instruction(), points=50)
        services.change_program(program, expiry_days=1)
        two_days_ago(card)
        answers = at_once(services.settle_due, redeeming(card, 40), services.settle_due)
        assert answers[1] == 40
        assert lots(card) == [0, 10]
        assert card.transactions.filter(operation_type="expire_points").count() == 1


def two_days_ago(card: LoyaltyCard) -> None:
    """The card's first lot was made long enough ago to be over: its row, where the trigger is switched off, and it."""
    then = timezone.now() - timedelta(days=2)
    first = card.transactions.order_by("seq").first()
    assert first is not None
    table = PointsTransaction._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_keep")
        PointsTransaction.objects.filter(pk=first.pk).update(created_at=then)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_keep")
    PointsLot.objects.filter(transaction=first).update(expires_at=then + timedelta(days=1))


# --- Customers and programs ----------------------------------------------------------------------------------------


def test_two_tills_that_enrol_one_unknown_phone_make_one_customer_one_card_and_one_welcome() -> None:
    program = builders.program(welcome_points=50)
    tenant = program.business

    def enrolling(phone: str) -> Call:
        def enrol() -> str:
            customer = services.find_or_add_customer(phone, business=tenant, name="Ada Lovelace")
            return services.enroll_customer(customer, program, by=None, source="till").status

        return enrol

    for number in ROUNDS:
        answers = at_once(*[enrolling(f"{prefix}7306 50679{number}") for prefix in ("0", "+44 ") * 2])
        assert Counter(answers) == {"active": 1, "already_enrolled": 3}
    assert Customer.objects.count() == Enrollment.objects.count() == LoyaltyCard.objects.count() == 5
    assert list(PointsTransaction.objects.values_list("operation_type", "points_delta")) == [("welcome_bonus", 50)] * 5


def test_tier_is_right_after_earnings_beside_a_change_of_the_tiers() -> None:
    program = builders.program(name="Main")
    cards = [builders.card(90, of=program) for _ in range(4)]
    for number in ROUNDS:
        answers = at_once(
            *[earning(card, 10) for card in cards],
            changing(program, tiers=tiers(0, 95 + 10 * number, 400)),
            *[redeeming(card, 5) for card in cards],
        )
        assert answers == [10] * 4 + ["Main"] + [5] * 4
        assert services.verify_ledger() is None


def test_tier_of_who_joins_beside_a_change_of_the_tiers_is_right() -> None:
    program = builders.program(name="Main")

    def join(customer: Customer) -> Call:
        return lambda: services.enroll_customer(customer, program, by=None, source="till").status

    for number in ROUNDS:
        answers = at_once(
            *[join(builders.customer()) for _ in range(4)],
            changing(program, tiers=tiers(0, 1000 + number)),
            changing(program, tiers=tiers(0)),
        )
        assert answers == ["active"] * 4 + ["Main"] * 2
        assert services.verify_ledger() is None


def test_proof_beside_whatever_happens_finds_nothing() -> None:
    program = builders.program(name="Main")
    cards = [builders.card(500, of=program) for _ in range(6)]
    for number in ROUNDS:
        answers = at_once(
            changing(program, tiers=tiers(0, 10 + number)),
            *[services.verify_ledger] * 3,
            *[redeeming(card, 5) for card in cards],
            *[holding(card, 5) for card in cards],
        )
        assert answers == ["Main", None, None, None] + [5] * 12


def test_business_has_one_default_program_whoever_changes_it() -> None:
    first, second = builders.program(name="First"), builders.program(name="Second")
    for _ in ROUNDS:
        answers = at_once(
            changing(first, is_default=True),
            changing(second, is_default=True),
            changing(first, is_default=False),
            changing(second, min_order=1),
        )
        assert answers == ["First", "Second", "First", "Second"]
        assert Program.objects.filter(is_default=True).count() == 1


def test_first_programs_made_at_once_end_in_one_default() -> None:
    tenant = builders.business()

    def adding(name: str) -> Call:
        return lambda: services.add_program(tenant, name=name).name

    assert at_once(*[adding(name) for name in "abcd"]) == list("abcd")
    assert Program.objects.filter(is_default=True).count() == 1


# --- Through the API -----------------------------------------------------------------------------------------------


def test_one_key_posted_sixty_four_times_at_once_is_one_effect_and_sixty_four_equal_answers() -> None:
    card = builders.card(1000)
    header = bearer(builders.member("cashier", card.enrollment.program.business))
    body = {"card": card.card_number, "points": 100, "order_total": "25.50"}

    def send() -> tuple[int, str, str]:
        answer = post("/api/customer/loyalty/redeem", body, Idempotency_Key="till-1", **header)
        return answer.status_code, answer.content.decode(), answer.get("Idempotent-Replay", "")

    answers = at_once(*[send] * 64)
    [said] = {(status, text) for status, text, _replay in answers}
    assert said[0] == 200
    assert Counter(replay for _status, _text, replay in answers) == {"": 1, "true": 63}
    assert sums(card) == {"points_balance": 900, "total_points_earned": 1000, "total_points_redeemed": 100}


# --- Questions -------------------------------------------------------------------------------------------------------


def answering(request: ApprovalRequest, *, accept: bool) -> Call:
    return lambda: answer_request(request, accept=accept, by=None).status


def releasing(hold: PointsHold) -> Call:
    return lambda: services.release_hold(hold).status


def test_answers_joining_and_asking_at_the_same_moment_end_in_one_truth() -> None:
    boss = builders.superuser()
    for number in ROUNDS:
        program = builders.program(name=f"Club {number}", welcome_points=50)
        ada = builders.customer(user=builders.plain_user())
        request = services.request_enrollment(ada, program, by=boss, source="till")[1]
        assert request is not None

        def join(ada: Customer = ada, program: Program = program) -> str:
            return services.join_program(ada, program).status

        def ask(ada: Customer = ada, program: Program = program) -> str:
            return services.request_enrollment(ada, program, by=boss, source="scan")[0].status

        answers = at_once(
            answering(request, accept=True),
            answering(request, accept=False),
            join,
            ask,
            answering(request, accept=True),
        )
        known = {"accepted", "declined", "active", "already_answered", "already_enrolled", "enrollment_pending"}
        assert set(answers) <= known | {"declined_recently"}
        # Whoever declines may join after all, but nothing is granted twice.
        enrollment = Enrollment.objects.get(customer=ada)
        cards = LoyaltyCard.objects.filter(enrollment=enrollment)
        assert cards.count() == (enrollment.status == "active") == ("accepted" in answers or "active" in answers)
        assert sum(card.points_balance for card in cards) in (0, 50)


def test_deduction_that_is_accepted_declined_and_withdrawn_at_once_happens_once_or_never() -> None:
    boss = builders.superuser()
    for _ in ROUNDS:
        card = builders.card(100)
        hold = services.ask_to_deduct(card, points=30, reason="Twice.", by=boss)
        request = ApprovalRequest.objects.get(reference_id=hold.pk)
        answers = at_once(
            answering(request, accept=True),
            answering(request, accept=False),
            releasing(hold),
            earning(card, 5),
            redeeming(card, 5),
        )
        assert "crashed" not in answers
        taken = "accepted" in answers
        card.refresh_from_db()
        assert (card.points_balance, card.points_held) == (70 if taken else 100, 0)
