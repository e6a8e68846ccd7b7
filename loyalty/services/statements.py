"""What every movement of points reads and writes, on both databases, without the ORM's time (`make bench`)."""

from typing import Any
from uuid import UUID

from django.db import connection, models

from loyalty.models import LoyaltyCard, PointsLot, PointsTransaction, Program, rules
from loyalty.selectors.prepared import Prepared

CARD, LOT, LEDGER = (model._meta.db_table for model in (LoyaltyCard, PointsLot, PointsTransaction))
LEDGER_FIELDS = PointsTransaction._meta.concrete_fields
SUMS = [
    field
    for field in LoyaltyCard._meta.concrete_fields
    if field.name.startswith(("points_", "total_")) or field.name in ("tier_level", "last_seq", "last_activity_at")
]
UUIDS = models.UUIDField()

CARD_BY_ID = Prepared(LoyaltyCard, "card", f"FROM {CARD} card WHERE card.id = %s")
PROGRAM_OF = Prepared(
    Program,
    "program",
    ", enrollment.status, business.currency FROM loyalty_enrollment enrollment "
    "JOIN loyalty_program program ON program.id = enrollment.program_id "
    "JOIN crm_business business ON business.id = program.business_id WHERE enrollment.id = %s",
)
ROW_BY_KEY = Prepared(
    PointsTransaction, "ledger", f"FROM {LEDGER} ledger WHERE ledger.business_id = %s AND ledger.idempotency_key = %s"
)
# Names of tables and columns only.
INSERT_ROW = f"INSERT INTO {LEDGER} ({', '.join(str(field.column) for field in LEDGER_FIELDS)}) VALUES "  # noqa: S608
INSERT_ROW += f"({', '.join(['%s'] * len(LEDGER_FIELDS))})"
UPDATE_LOT = f"UPDATE {LOT} SET remaining = %s, held = %s, expired = %s WHERE id = %s"  # noqa: S608
UPDATE_CARD = f"UPDATE {CARD} SET {', '.join(f'{field.column} = %s' for field in SUMS)} WHERE id = %s"  # noqa: S608


def lock_card(pk: UUID) -> LoyaltyCard:
    """The card under its lock. Raises LoyaltyCard.DoesNotExist."""
    for card, _ in CARD_BY_ID.fetch(_id(pk), lock=True):
        return card
    raise LoyaltyCard.DoesNotExist


def read_program(enrollment: UUID) -> tuple[Program, str, str]:
    """The program of an enrolment, with the enrolment's status and the business's currency."""
    [(program, (status, currency))] = PROGRAM_OF.fetch(_id(enrollment))
    return program, status, currency


def find_key(business: UUID, key: str) -> PointsTransaction | None:
    """The row that has this key."""
    return next((row for row, _ in ROW_BY_KEY.fetch(_id(business), key)), None)


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
