"""What the database itself refuses, whoever asks: changes of the ledger, and rows that cannot be."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import F, ProtectedError, UniqueConstraint
from django.db.utils import DatabaseError

from loyalty import services
from loyalty.models import (
    LedgerProof,
    LoyaltyCard,
    PointsTransaction,
    QrScan,
    QrUse,
    RewardTier,
    SignInLink,
)
from loyalty.services import Instruction
from tests import builders
from tests.loyalty.test_ledger import adjust, earn, redeem, rows
from tests.nominations.test_decision_log import run_sql

LEDGER = "loyalty_pointstransaction"
COLUMNS = [str(field.column) for field in PointsTransaction._meta.concrete_fields]
FIRST_ROW = f"(SELECT id FROM {LEDGER} WHERE seq = 1 ORDER BY id LIMIT 1)"
# Each constraint, and what breaks just this one: an UPDATE, or for the ledger the columns of one more row.
UPDATES = [
    ("program_name_once", "loyalty_program SET name = 'First'"),
    ("program_one_default_per_business", "loyalty_program SET is_default = TRUE"),
    ("program_earn_rule", "loyalty_program SET earn_rule = 'per_moon'"),
    ("program_not_negative", "loyalty_program SET points_per_unit = -1"),
    ("program_not_negative", "loyalty_program SET min_order = -1"),
    ("program_not_negative", "loyalty_program SET point_value = -1"),
    ("program_redeem_percent", "loyalty_program SET max_redeem_percent = 101"),
    ("program_expiry_days", "loyalty_program SET expiry_days = 0"),
    ("reward_once", "loyalty_rewardtier SET points_required = 100"),
    ("reward_costs_points", "loyalty_rewardtier SET points_required = 0"),
    ("customer_email_normal", "loyalty_customer SET email = 'Ada@Example.org'"),
    ("customer_phone_e164", "loyalty_customer SET phone = '07306506797'"),
    ("customer_has_a_phone", "loyalty_customer SET phone = ''"),
    ("loyalty_customer_phone", "loyalty_customer SET phone = '+447306506797'"),
    ("loyalty_customer_user_id", "loyalty_customer SET user_id = (SELECT MIN(id) FROM crm_user)"),
    ("enrollment_once", "loyalty_enrollment SET customer_id = (SELECT id FROM loyalty_customer ORDER BY id LIMIT 1)"),
    ("enrollment_status", "loyalty_enrollment SET status = 'gone'"),
    ("enrollment_active_with_consent", "loyalty_enrollment SET consented_at = NULL"),
    ("enrollment_active_with_consent", "loyalty_enrollment SET activated_at = NULL"),
    ("loyalty_loyaltycard_card_number", "loyalty_loyaltycard SET card_number = 'SAME'"),
    (
        "loyalty_loyaltycard_enrollment_id",
        "loyalty_loyaltycard SET enrollment_id = (SELECT id FROM loyalty_enrollment ORDER BY id LIMIT 1)",
    ),
    ("card_held_not_negative", "loyalty_loyaltycard SET points_held = -1"),
    ("card_held_within_balance", "loyalty_loyaltycard SET points_balance = points_held - 1"),
    ("card_owed_not_negative", "loyalty_loyaltycard SET points_owed = -1"),
    ("card_totals_not_negative", "loyalty_loyaltycard SET total_points_earned = -1"),
    ("card_totals_not_negative", "loyalty_loyaltycard SET total_points_redeemed = -1"),
    ("loyalty_pointslot_transaction_id", f"loyalty_pointslot SET transaction_id = {FIRST_ROW}"),
    ("lot_held_not_negative", "loyalty_pointslot SET held = -1"),
    ("lot_held_within_remaining", "loyalty_pointslot SET remaining = held - 1"),
    ("lot_remaining_within_points", "loyalty_pointslot SET remaining = points + 1"),
    ("lot_expired_not_negative", "loyalty_pointslot SET expired = -1"),
    ("hold_of_something", "loyalty_pointshold SET points = 0"),
    ("hold_status", "loyalty_pointshold SET status = 'gone' WHERE status = 'released'"),
    ("hold_captured_with_its_row", "loyalty_pointshold SET status = 'captured' WHERE status = 'released'"),
    ("hold_captured_with_its_row", f"loyalty_pointshold SET transaction_id = {FIRST_ROW} WHERE status = 'released'"),
    ("hold_captured_with_its_row", "loyalty_pointshold SET transaction_id = NULL WHERE status = 'captured'"),
    ("hold_closed_at_its_time", "loyalty_pointshold SET closed_at = NULL WHERE status = 'released'"),
    ("hold_closed_at_its_time", "loyalty_pointshold SET closed_at = created_at WHERE status = 'open'"),
    (
        "loyalty_pointshold_transaction_id",
        f"loyalty_pointshold SET status = 'captured', closed_at = created_at, transaction_id = {FIRST_ROW}",
    ),
    ("proof_state", "loyalty_ledgerproof SET state = 'guessed'"),
    ("qr_key_one_good", "loyalty_qrkey SET kind = 'printed'"),
    ("qr_key_kind", "loyalty_qrkey SET kind = 'tattoo'"),
    ("loyalty_qrkey_handle", "loyalty_qrkey SET handle = 'same'"),
    ("qr_code_used_once", "loyalty_qruse SET digest = 'same'"),
    ("scan_outcome", "loyalty_qrscan SET outcome = 'lost'"),
    ("loyalty_signinlink_token_hash", "loyalty_signinlink SET token_hash = 'same'"),
]
INSERTS: list[tuple[str, dict[str, str]]] = [
    ("ledger_seq_once", {"seq": "1"}),
    ("ledger_key_once", {"idempotency_key": "'k'"}),
    ("ledger_reference_once", {"transaction_reference": "'order-1'"}),
    ("ledger_seq_from_one", {"seq": "0"}),
    ("ledger_amount_is_absolute", {"points_amount": "99"}),
    ("ledger_moves_something", {"points_amount": "-100"}),
    ("ledger_moves_something", {"operation_type": "'adjust_points'", "points_amount": "0", "points_delta": "0"}),
    ("ledger_sign_of_operation", {"points_delta": "-100"}),
    ("ledger_sign_of_operation", {"operation_type": "'welcome_bonus'", "points_delta": "-100"}),
    ("ledger_sign_of_operation", {"operation_type": "'redeem_points'"}),
    ("ledger_sign_of_operation", {"operation_type": "'expire_points'"}),
    ("ledger_sign_of_operation", {"operation_type": "'gift'"}),
    ("ledger_reverses_a_row", {"operation_type": "'reverse_points'"}),
    ("ledger_reverses_a_row", {"reverses_id": "id"}),
    ("ledger_not_negative", {"balance_after": "-1"}),
    ("ledger_not_negative", {"owed_after": "-1"}),
]


MODELS = [model for model in apps.get_app_config("loyalty").get_models() if model._meta.managed]
FIELDS: dict[str, list[Any]] = {model._meta.db_table: list(model._meta.concrete_fields) for model in MODELS}
UNIQUE = {
    f"{table}_{field.column}": [f"{table}.{field.column}"]
    for table, fields in FIELDS.items()
    for field in fields
    if field.unique and not field.primary_key
} | {
    str(constraint.name): [
        f"{table}.{field.column}" for name in constraint.fields for field in FIELDS[table] if field.name == name
    ]
    for table, model in zip(FIELDS, MODELS, strict=True)
    for constraint in model._meta.constraints
    if isinstance(constraint, UniqueConstraint)
}


@pytest.fixture
def card(db: None) -> LoyaltyCard:
    """One of two cards with some history, beside rows of every other kind."""
    program = builders.program(name="First")
    builders.program(name="Second")
    for points in (100, 200):
        RewardTier.objects.create(program=program, points_required=points, reward="A coffee")
    LedgerProof.objects.create()
    builders.card(10, of=program, by=builders.customer(user=builders.superuser()))
    card = builders.card(of=program)
    for digest in ("one", "two"):
        QrUse.objects.create(business=program.business, purpose="scan", digest=digest)
        SignInLink.objects.create(purpose="sign_in", email="ada@example.org")
    QrScan.objects.create(business=program.business, purpose="scan", outcome="unknown")
    earn(card, "100", instruction=Instruction(key="k", reference="order-1"))
    redeem(card, 10)
    adjust(card, 5)
    services.reverse_transaction(card.transactions.get(seq=2), Instruction(), reason="Returned.")
    for end in (services.release_hold, lambda hold: services.capture_hold(hold, Instruction())):
        end(services.hold_points(card, points=10, by=None))
    for _ in range(2):
        services.hold_points(card, points=10, by=None)
    return card


def test_no_column_of_a_ledger_row_can_be_changed(card: LoyaltyCard) -> None:
    before = rows(card)
    for column in COLUMNS:
        for change in (f"{column} = NULL", f"{column} = {column}", f"{column} = {column} WHERE seq = 1"):
            with pytest.raises(DatabaseError, match="the ledger is append-only"):
                run_sql(f"UPDATE {LEDGER} SET {change}")
    assert rows(card) == before


def test_no_ledger_row_can_be_deleted(card: LoyaltyCard) -> None:
    before = rows(card)
    for statement in (f"DELETE FROM {LEDGER}", f"DELETE FROM {LEDGER} WHERE seq = 1"):
        with pytest.raises(DatabaseError, match="the ledger is append-only"):
            run_sql(statement)
    assert rows(card) == before


def save(row: PointsTransaction) -> None:
    row.balance_after = 1_000_000
    row.save()


def bulk(row: PointsTransaction) -> None:
    row.balance_after = 1_000_000
    PointsTransaction.objects.bulk_update([row], ["balance_after"])


def upsert(row: PointsTransaction) -> None:
    row.balance_after = 1_000_000
    PointsTransaction.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["id"], update_fields=["balance_after"]
    )


def test_orm_changes_the_ledger_no_more_than_sql(card: LoyaltyCard) -> None:
    before = rows(card)
    # An adjustment, to which nothing else points.
    row = card.transactions.get(operation_type="adjust_points")
    row.lot.delete()
    alone = PointsTransaction.objects.filter(pk=row.pk)
    changes: list[Callable[[], object]] = [
        lambda: save(row),
        lambda: bulk(row),
        lambda: upsert(row),
        lambda: alone.update(points_delta=F("points_delta")),
        row.delete,
        alone.delete,
    ]
    for change in changes:
        with pytest.raises(DatabaseError, match="the ledger is append-only"), transaction.atomic():
            change()
    assert rows(card) == before


def test_what_the_ledger_speaks_of_cannot_be_deleted(card: LoyaltyCard) -> None:
    enrollment = card.enrollment
    for thing in (card, enrollment, enrollment.customer, enrollment.program, enrollment.program.business):
        with pytest.raises(ProtectedError):
            thing.delete()
    for table in ("loyalty_loyaltycard", "loyalty_enrollment", "loyalty_customer", "loyalty_program", "crm_business"):
        with pytest.raises(IntegrityError):
            delete_all(table)


def delete_all(table: str) -> None:
    """With the foreign keys looked at, as at the end of a transaction."""
    with transaction.atomic():
        run_sql(f"DELETE FROM {table}")
        connection.check_constraints()


def named(constraint: str) -> str:
    """As the database names what was broken: SQLite names the columns of a unique one."""
    if connection.vendor != "sqlite":
        return constraint
    columns = UNIQUE.get(constraint)
    if columns is None:
        return f"CHECK constraint failed: {constraint}$"
    return f"UNIQUE constraint failed: {', '.join(columns)}$"


def test_database_refuses_a_row_that_cannot_be(card: LoyaltyCard) -> None:
    for constraint, change in UPDATES:
        with pytest.raises(IntegrityError, match=named(constraint)):
            run_sql(f"UPDATE {change}")


def one_more(card: LoyaltyCard, **columns: Any) -> None:
    """The card's first row once more, as another program would write it, but for these columns."""
    free = {"id": f"'{uuid4().hex}'", "seq": "99", "idempotency_key": "NULL", "transaction_reference": "NULL"}
    values = [{**free, **columns}.get(column, column) for column in COLUMNS]
    first = f"SELECT {', '.join(values)} FROM {LEDGER} WHERE seq = 1 AND idempotency_key = 'k'"
    run_sql(f"INSERT INTO {LEDGER} ({', '.join(COLUMNS)}) {first}")


def test_database_refuses_a_ledger_row_that_cannot_be(card: LoyaltyCard) -> None:
    for constraint, columns in INSERTS:
        with pytest.raises(IntegrityError, match=named(constraint)):
            one_more(card, **columns)
    one_more(card)
    assert rows(card)[-1] == ("earn_points", 100, 100)


def test_every_constraint_is_tried() -> None:
    checked = {constraint.name for model in MODELS for constraint in model._meta.constraints}
    assert {constraint for constraint, _ in [*UPDATES, *INSERTS]} == checked | set(UNIQUE)
