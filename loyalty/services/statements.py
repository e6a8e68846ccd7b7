"""What every movement of points reads and writes, written out for both databases: composing it anew each time takes
the ORM longer than running it takes the database (`make bench`)."""

from typing import Any
from uuid import UUID

from django.db import connection, models

from loyalty.models import LoyaltyCard, PointsTransaction, Program, rules
from loyalty.selectors.accounts import Sides, columns

LEDGER_FIELDS: Any = PointsTransaction._meta.concrete_fields
SUMS = [
    field
    for field in LoyaltyCard._meta.concrete_fields
    if field.name.startswith(("points_", "total_")) or field.name in ("tier_level", "last_seq", "last_activity_at")
]
UUIDS = models.UUIDField()

# Names of tables and columns only.
LOCK_CARD = f"SELECT {columns(LoyaltyCard, 'card')} FROM loyalty_loyaltycard card WHERE card.id = %s"  # noqa: S608
READ_PROGRAM = f"""
SELECT {columns(Program, "program")}, enrollment.status AS enrollment_status, business.currency AS currency,
       business.name AS business_name, customer.id AS customer, customer.email AS email
FROM loyalty_enrollment enrollment
JOIN loyalty_customer customer ON customer.id = enrollment.customer_id
JOIN loyalty_program program ON program.id = enrollment.program_id
JOIN crm_business business ON business.id = program.business_id
WHERE enrollment.id = %s
"""  # noqa: S608
FIND_KEY = f"""
SELECT {columns(PointsTransaction, "ledger")} FROM loyalty_pointstransaction ledger
WHERE ledger.business_id = %s AND ledger.idempotency_key = %s
"""  # noqa: S608
INSERT_ROW = f"""
INSERT INTO loyalty_pointstransaction ({", ".join(field.column for field in LEDGER_FIELDS)})
VALUES ({", ".join(["%s"] * len(LEDGER_FIELDS))})
"""  # noqa: S608
UPDATE_LOT = "UPDATE loyalty_pointslot SET remaining = %s, held = %s, expired = %s WHERE id = %s"
UPDATE_CARD = f"UPDATE loyalty_loyaltycard SET {', '.join(f'{field.column} = %s' for field in SUMS)} WHERE id = %s"  # noqa: S608


def lock_card(pk: UUID) -> LoyaltyCard:
    """The card under its lock. Raises LoyaltyCard.DoesNotExist."""
    lock = " FOR NO KEY UPDATE" if connection.features.has_select_for_update else ""
    for card in LoyaltyCard.objects.raw(LOCK_CARD + lock, [_id(pk)]):
        return card
    raise LoyaltyCard.DoesNotExist


def read_program(enrollment: UUID) -> tuple[Program, str, str, Sides]:
    """The program of an enrolment, with the enrolment's status, the business's currency, and who the two are."""
    found: Any = Program.objects.raw(READ_PROGRAM, [_id(enrollment)])[0]
    # SQLite knows no ids, and gives their text.
    sides = Sides(UUID(str(found.customer)), found.email, found.business_name)
    return found, found.enrollment_status, found.currency, sides


def find_key(business: UUID, key: str) -> PointsTransaction | None:
    """The row that has this key."""
    return next(iter(PointsTransaction.objects.raw(FIND_KEY, [_id(business), key])), None)


def insert_row(row: PointsTransaction) -> None:
    """Append to the ledger. Nothing listens to this model's signals."""
    _execute(INSERT_ROW, [field.get_db_prep_save(getattr(row, field.attname), connection) for field in LEDGER_FIELDS])


def update_lot(lot: rules.Lot) -> None:
    """A lot as it is in memory."""
    _execute(UPDATE_LOT, [lot.remaining, lot.held, lot.expired, lot.id])


def update_card(card: LoyaltyCard) -> None:
    """The card's sums as they are in memory."""
    values = [field.get_db_prep_save(getattr(card, field.attname), connection) for field in SUMS]
    _execute(UPDATE_CARD, [*values, _id(card.pk)])


def _execute(sql: str, values: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _id(pk: UUID) -> Any:
    return UUIDS.get_db_prep_value(pk, connection)
