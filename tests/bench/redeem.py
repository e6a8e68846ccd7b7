"""A redemption against its own statements, written by hand."""

import json
import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from itertools import count
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection

from loyalty import services
from loyalty.models import LoyaltyCard, PointsLot, PointsTransaction
from notifications.models import Notification
from tests import builders
from tests.bench.table import Row

CARDS, LOTS, BLOCKS = 200, 3, 12
ORDER = Decimal("25.50")
CARD, LOT, ROW, TOLD = (
    [str(field.column) for field in model._meta.concrete_fields]
    for model in (LoyaltyCard, PointsLot, PointsTransaction, Notification)
)
_keys = count(1)


def against_psycopg() -> list[Row]:
    """The service's redemptions a second ÷ those of the very same statements sent by psycopg, in turns."""
    cards = prepare()
    by_hand = ByHand(cards[0])
    sides: list[Callable[[LoyaltyCard], None]] = [redeem, by_hand.redeem]
    times: list[list[float]] = [[], []]
    for block in range(-1, BLOCKS):
        for side, taken in zip(sides, times, strict=True):
            started = time.perf_counter()
            for card in cards:
                side(card)
            if block >= 0:  # the first one warms up
                taken.append(time.perf_counter() - started)
    by_hand.connection.close()
    assert services.verify_ledger() is None
    service, hand = (statistics.median(taken) for taken in times)
    note = f"{CARDS / service:.0f}/s and {CARDS / hand:.0f}/s, medians of {BLOCKS} blocks of {CARDS}"
    return [Row("redeem service ÷ the same statements by hand", hand / service, 0.4, True, note)]


def prepare() -> list[LoyaltyCard]:
    """Cards with a few lots each, more than all blocks take."""
    program = builders.program(builders.business("bench"), name="Bench", expiry_days=30, max_points_per_day=None)
    cards = [builders.card(of=program) for _ in range(CARDS)]
    for card in cards:
        for _ in range(LOTS):
            services.earn_points(card, services.Instruction(), points=1000)
    return cards


def redeem(card: LoyaltyCard) -> None:
    """By the service."""
    key = services.Instruction(key=f"service-{next(_keys)}")
    services.redeem_points(card, key, points=1, order_total=ORDER)


@cache
def set_by(update: str) -> list[str]:
    """The columns that an update names, in order."""
    return re.findall(r"(\w+) = %s", update)


class ByHand:
    """The statements that the service sends, with no more around them than it takes to fill them in."""

    def __init__(self, card: LoyaltyCard) -> None:
        given = connection.settings_dict
        self.connection = psycopg.connect(
            dbname=given["NAME"], host=given["HOST"], user=given["USER"], port=given["PORT"]
        )
        recorded: list[str] = []

        def record(execute: Any, sql: str, *rest: Any) -> Any:
            recorded.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(record):
            redeem(card)
        # As many as a redemption takes: were it another number, the two sides would not do the same.
        self.lock, self.program, self.lots, self.key, self.insert, self.update_lot, self.update_card, *told = recorded
        self.change, self.wishes, self.tell, again = told
        assert again == self.change
        row = PointsTransaction.objects.filter(card=card).latest("seq")
        self.business, self.details = row.business_id, row.operation_details
        self.told = Notification.objects.get(reference_id=row.pk)

    def redeem(self, card: LoyaltyCard) -> None:
        """The same as the service, for one point of a lot that has more."""
        key = f"hand-{next(_keys)}"
        with self.connection.transaction(), self.connection.cursor() as cursor:
            found = cursor.execute(self.lock, [card.pk]).fetchone()
            assert found is not None
            sums = dict(zip(CARD, found, strict=True))
            cursor.execute(self.program, [sums["enrollment_id"]]).fetchone()
            lots = [dict(zip(LOT, lot, strict=True)) for lot in cursor.execute(self.lots, [card.pk]).fetchall()]
            assert cursor.execute(self.key, [self.business, key]).fetchone() is None
            lot = lots[0] | {"remaining": lots[0]["remaining"] - 1}
            now = datetime.now(UTC)
            sums |= {"points_balance": sums["points_balance"] - 1, "last_seq": sums["last_seq"] + 1}
            sums |= {"total_points_redeemed": sums["total_points_redeemed"] + 1, "last_activity_at": now}
            row = self.row(card, sums, now) | {"idempotency_key": key}
            row["operation_details"] = json.dumps(self.details | {"lots": [[lot["id"], 1]]})
            cursor.execute(self.insert, [row.get(column) for column in ROW])
            cursor.execute(self.update_lot, [lot[column] for column in set_by(self.update_lot)])
            cursor.execute(self.update_card, [sums[column] for column in set_by(self.update_card)])
            customer = self.told.customer_id
            cursor.execute(self.change, [customer, self.business, "card", card.pk, "updated", now])
            cursor.execute(self.wishes, [customer]).fetchone()
            told = self.notification(row["id"], sums["points_balance"], now)
            cursor.execute(self.tell, [told[column] for column in TOLD])
            cursor.execute(self.change, [customer, None, "notification", told["id"], "created", now])

    def notification(self, row: Any, balance: int, now: datetime) -> dict[str, Any]:
        """What the customer is told of it."""
        values = {column: getattr(self.told, column) for column in TOLD}
        return values | {
            "id": uuid4(),
            "message": f"Your balance is {balance:,} points.",
            "data": json.dumps(self.told.data | {"balance": balance}),
            "reference_id": row,
            "dedupe_key": f"points_redeemed:{row}",
            "created_at": now,
        }

    def row(self, card: LoyaltyCard, sums: dict[str, Any], now: datetime) -> dict[str, Any]:
        """The ledger row of one point."""
        return {
            "id": uuid4(),
            "business_id": self.business,
            "card_id": card.pk,
            "seq": sums["last_seq"],
            "operation_type": "redeem_points",
            "points_delta": -1,
            "points_amount": 1,
            "balance_after": sums["points_balance"],
            "owed_after": sums["points_owed"],
            "fingerprint": "",
            "created_at": now,
        }
