"""The proof of the ledger finds whatever somebody does to a card behind the services' back."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from loyalty import services, tasks
from loyalty.models import LedgerProof, LoyaltyCard
from loyalty.services import Instruction
from tests import builders
from tests.loyalty.test_ledger import adjust, earn, redeem
from tests.nominations.test_decision_log import run_sql

pytestmark = pytest.mark.django_db

LEDGER = "loyalty_pointstransaction"
OTHER_CARD = "(SELECT id FROM loyalty_loyaltycard WHERE card_number = 'COR00000000')"


@pytest.fixture
def card() -> LoyaltyCard:
    """One of two cards: six rows, 80 left of a lot of 100, of which 20 are held, and 30 of one of 40."""
    program = builders.program(welcome_points=100, expiry_days=30)
    builders.card(of=program)
    run_sql("UPDATE loyalty_loyaltycard SET card_number = 'COR00000000'")
    card = builders.card(of=program)
    redeem(card, 30)
    earn(card, "40")
    adjust(card, -10)
    services.reverse_transaction(card.transactions.get(seq=2), Instruction(), reason="Returned.", points=20)
    services.reverse_transaction(card.transactions.get(seq=3), Instruction(), reason="Returned.", points=10)
    services.hold_points(card, points=20, by=None)
    assert services.verify_ledger() is None
    return card


def found(card: LoyaltyCard) -> str:
    """What is wrong with this very card."""
    proof = services.verify_ledger()
    assert proof is not None
    assert proof[0] == card
    return proof[1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("points_balance = points_balance + 1", "Balance less owed: 111, but the rows say 110."),
        ("points_balance = points_balance + 1, points_owed = 1", "Balance in its lots: 111, but the rows say 110."),
        ("points_held = points_held - 1", "Held points: 19, but the rows say 20."),
        ("points_owed = 1", "Balance less owed: 109, but the rows say 110."),
        ("total_points_earned = total_points_earned + 1", "Earned points: 131, but the rows say 130."),
        ("total_points_redeemed = 0", "Redeemed points: 0, but the rows say 10."),
        ("tier_level = 'diamond'", "Tier: diamond, but the rows say bronze."),
        ("last_seq = last_seq + 1", "Last row: 7, but the rows say 6."),
    ],
)
def test_changed_sum_of_a_card_is_found(card: LoyaltyCard, change: str, problem: str) -> None:
    run_sql(f"UPDATE loyalty_loyaltycard SET {change} WHERE card_number = %s", card.card_number)
    assert found(card) == problem


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("pointslot SET remaining = remaining - 1 WHERE remaining = 80", "Lot "),
        ("pointslot SET expired = 1 WHERE remaining = 80", "Expired of lot "),
        ("pointslot SET points = points + 1 WHERE remaining = 80", "Making of lot "),
        ("pointslot SET expires_at = NULL WHERE remaining = 80", "Making of lot "),
        ("pointslot SET held = 0 WHERE held = 20", "Held of lot "),
        ("pointslot SET held = 1 WHERE remaining = 30", "Held of lot "),
        ("pointshold SET points = 19", "Held points: "),
        ("pointshold SET status = 'released', closed_at = created_at", "Held points: "),
        ("pointshold SET takings = '[]'", "Held of lot "),
        (f"pointslot SET card_id = {OTHER_CARD} WHERE remaining = 30", "Row 6: lot "),
    ],
)
def test_changed_lot_or_hold_is_found(card: LoyaltyCard, change: str, problem: str) -> None:
    run_sql(f"UPDATE loyalty_{change}")
    if OTHER_CARD in change:
        # It shows at either card, whichever comes first.
        assert services.verify_ledger() is not None
    else:
        assert found(card).startswith(problem)


def test_deleted_lot_and_hold_are_found(card: LoyaltyCard) -> None:
    run_sql("DELETE FROM loyalty_pointshold")
    assert found(card).startswith("Held points: ")
    run_sql("UPDATE loyalty_loyaltycard SET points_held = 0 WHERE points_held > 0")
    assert found(card).startswith("Held of lot ")
    run_sql("DELETE FROM loyalty_pointslot WHERE remaining = 80")
    assert found(card).startswith("Row 1: balance 100 less 0 owed, but")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "UPDATE {} SET points_delta = 41, points_amount = 41 WHERE seq = 3 AND {}",
            "Row 3: balance 110 less 0 owed, but the rows add up to 111 less 0.",
        ),
        ("UPDATE {} SET balance_after = 7 WHERE seq = 4 AND {}", "Row 4: balance 7 less 0 owed, but"),
        ("UPDATE {} SET owed_after = 7 WHERE seq = 4 AND {}", "Row 4: balance 100 less 7 owed, but"),
        (
            "UPDATE {} SET owed_after = 7, balance_after = 117 WHERE seq = 6 AND {}",
            "Row 6: balance 117 less 7 owed, but",
        ),
        ("UPDATE {} SET seq = 7 WHERE seq = 6 AND {}", "Row 7: expected number 6."),
        ("UPDATE {} SET operation_type = 'adjust_points' WHERE seq = 2 AND {}", "Redeemed points: 10, but"),
        ("UPDATE {} SET operation_type = 'redeem_points' WHERE seq = 4 AND {}", "Redeemed points: 10, but"),
        ("UPDATE {} SET operation_type = 'expire_points' WHERE seq = 4 AND {}", "Expired of lot "),
        ("UPDATE {} SET created_at = '2020-01-01 00:00:00+00:00' WHERE seq = 3 AND {}", "Making of lot "),
        ("DELETE FROM {} WHERE seq = 6 AND {}", "Last row: 6, but the rows say 5."),
        ("DELETE FROM {} WHERE seq = 4 AND {}", "Row 5: expected number 4."),
    ],
)
def test_changed_row_is_found_where_the_triggers_were_dropped(card: LoyaltyCard, change: str, problem: str) -> None:
    without_triggers()
    run_sql(change.format(LEDGER, f"card_id = '{card.pk if connection.vendor == 'postgresql' else card.pk.hex}'"))
    assert found(card).startswith(problem)


def test_row_moved_to_another_business_or_card_is_found(card: LoyaltyCard) -> None:
    other = builders.business("other")
    without_triggers()
    own = card.transactions.filter(seq=4)
    own.update(business=other)
    assert found(card) == "Row 4: it belongs to another business."
    own.update(business=card.enrollment.program.business, card=LoyaltyCard.objects.get(card_number="COR00000000"))
    assert services.verify_ledger() is not None


def test_changed_takings_are_found(card: LoyaltyCard) -> None:
    without_triggers()
    row = card.transactions.get(seq=4)
    row.operation_details["lots"] = [[row.operation_details["lots"][0][0], 9]]
    row.save()
    assert found(card) == "Row 4: balance 100 less 0 owed, but the rows add up to 101 less 1."


def without_triggers() -> None:
    """Somebody with the rights to do so has switched them off."""
    if connection.vendor == "postgresql":
        connection.check_constraints()
        run_sql(f"ALTER TABLE {LEDGER} DISABLE TRIGGER {LEDGER}_keep")
        # Foreign keys are of no interest here.
        run_sql("SET LOCAL session_replication_role = replica")
    else:
        for change in ("update", "delete"):
            run_sql(f"DROP TRIGGER {LEDGER}_no_{change}")


# --- Command and job -----------------------------------------------------------------------------------------------


def test_command_says_how_many_cards_agree(card: LoyaltyCard) -> None:
    out = StringIO()
    call_command("verify_ledger", stdout=out)
    assert out.getvalue() == "2 cards agree with the ledger.\n"


def test_command_names_the_first_card_that_differs_and_exits_1(card: LoyaltyCard) -> None:
    LoyaltyCard.objects.filter(pk=card.pk).update(points_owed=1)
    errors = StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("verify_ledger", stderr=errors)
    assert caught.value.code == 1
    assert errors.getvalue() == f"Card {card.card_number}: Balance less owed: 109, but the rows say 110.\n"


def test_empty_ledger_is_proven() -> None:
    seen: list[int] = []
    assert services.verify_ledger(seen.append) is None
    assert seen == []


def test_proof_tells_its_progress_and_its_result(card: LoyaltyCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.services.proof.BATCH", 1)
    seen: list[int] = []
    assert services.verify_ledger(seen.append) is None
    assert seen == [1, 2]
    boss = builders.superuser()
    waiting = services.start_proof(by=boss)
    assert (waiting.state, waiting.by, waiting.cards_total, waiting.cards_checked) == ("waiting", boss, 2, 0)
    tasks.prove_ledger(waiting.pk)
    proof = LedgerProof.objects.get()
    assert (proof.state, proof.cards_checked, proof.problem, proof.card) == ("proven", 2, "", None)
    assert proof.finished_at == proof.heard_at is not None


def test_proof_names_the_card_that_differs(card: LoyaltyCard) -> None:
    LoyaltyCard.objects.filter(pk=card.pk).update(points_owed=1)
    proof = services.run_proof(services.start_proof(by=None))
    assert (proof.state, proof.card) == ("broken", card)
    assert proof.problem == "Balance less owed: 109, but the rows say 110."
    again = services.run_proof(proof)
    assert (again.state, LedgerProof.objects.count()) == ("broken", 1)


def test_one_proof_runs_at_a_time_unless_it_has_died() -> None:
    first = services.start_proof(by=None)
    assert services.start_proof(by=builders.superuser()) == first
    LedgerProof.objects.update(state="running", heard_at=timezone.now() - timedelta(minutes=6))
    second = services.start_proof(by=None)
    assert second != first
    services.run_proof(second)
    assert services.start_proof(by=None) != second


def test_nightly_proof_runs_by_itself(card: LoyaltyCard) -> None:
    tasks.prove_nightly()
    proof = LedgerProof.objects.get()
    assert (proof.state, proof.by) == ("proven", None)
