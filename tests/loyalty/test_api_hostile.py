"""Whatever a caller sends to the points' API, it is told what was wrong, and nothing moves by half."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty import services
from loyalty.models import LoyaltyCard, PointsTransaction
from tests import builders
from tests.config.test_hostile import texts, values
from tests.door import get, post, said, send

pytestmark = pytest.mark.django_db
QUIET = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
REDEEM, EARN = "/api/customer/loyalty/redeem", "/api/loyalty/earn"
TIER = {"level": "a", "from_points": 0, "multiplier": 1}
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/customer/loyalty/redeem": {"points": 1, "order_total": 5, "order_id": "a", "dry_run": False},
    "PUT /api/customer/loyalty/redeem": {"points": 1, "redemption_id": "k", "phone": "07306 506797"},
    "POST /api/loyalty/earn": {"order_total": "5.00", "transaction_reference": "r", "program": None, "qr": "A"},
    "POST /api/loyalty/adjust": {"points": 1, "reason": "Why", "business": "corner-cafe"},
    "POST /api/loyalty/transactions/{row}/reverse": {"points": 1, "amount": "1", "reason": "Why"},
    "POST /api/loyalty/holds": {"points": 1},
    "POST /api/loyalty/holds/{hold}/capture": {"points": 1},
    "POST /api/loyalty/holds/{hold}/release": {},
    "POST /api/enrollments": {"phone": "07306 506797", "name": "Ada", "customer": "x", "program": "x"},
    "POST /api/loyalty/programs": {"name": "New", "tiers": [TIER], "point_value": "0.01", "expiry_days": 5},
    "PATCH /api/loyalty/programs/{program}": {"tiers": [TIER], "name": "New", "max_points_per_day": 5},
}


def world() -> dict[str, str]:
    """A card with a row and a hold, and another program, by id."""
    card = builders.card(500)
    hold = services.hold_points(card, points=10, by=None)
    row = PointsTransaction.objects.filter(card=card).first()
    assert row is not None
    return {
        "card": str(card.pk),
        "row": str(row.pk),
        "hold": str(hold.pk),
        "program": str(builders.program(name=f"For {card}").pk),
    }


def is_told(response: HttpResponse) -> bool:
    """A success, or a 4xx in JSON."""
    json.loads(response.content)
    return response.status_code < 500


def adds_up(card: str) -> bool:
    """Whether the card's sum is what its rows and lots say."""
    found = LoyaltyCard.objects.get(pk=card)
    lots = sum(found.lots.values_list("remaining", flat=True))
    rows = sum(found.transactions.values_list("points_delta", flat=True))
    return found.points_balance == lots == rows + found.points_owed


@pytest.mark.parametrize("operation", BODIES)
@QUIET
@given(data=st.data())
def test_hostile_json_is_never_500(operation: str, data: st.DataObject) -> None:
    known = world()
    method, path = operation.format(**known).split()
    body = {"card": known["card"]} if path in (REDEEM, EARN, "/api/loyalty/adjust", "/api/loyalty/holds") else {}
    body |= BODIES[operation]
    body |= data.draw(st.dictionaries(st.sampled_from([*body, "card", "phone"]), values, max_size=2))
    by = builders.member("owner", builders.business())
    assert is_told(send(method, path, json.dumps(body).encode(), by=by))
    assert adds_up(known["card"])


HUGE: list[Any] = [
    10**30,
    -(10**30),
    10**400,
    1e308,
    -1,
    0,
    1.5,
    5.0,
    "5",
    "1e3",
    True,
    False,
    None,
    [],
    {},
    [[]],
    "٥",
    "",
]


@pytest.mark.parametrize("points", HUGE)
@pytest.mark.parametrize("path", [REDEEM, EARN, "/api/loyalty/holds", "/api/loyalty/transactions/{row}/reverse"])
def test_points_that_are_none_are_named(path: str, points: Any) -> None:
    known = world()
    sent: dict[str, Any] = {"points": points}
    sent |= {"reason": "Why"} if "row" in path else {"card": known["card"]}
    answer = post(path.format(**known), sent, by=builders.member("owner", builders.business()))
    assert (answer.status_code, list(said(answer)[1])) == (400, ["points"])


MONEY: list[Any] = [
    -1,
    "-0.01",
    "0.001",
    1e10,
    "10000000000",
    "NaN",
    "sNaN",
    "Infinity",
    1e308,
    "1e999999999",
    "x",
    "",
]


@pytest.mark.parametrize("total", [*MONEY, True, None, [], {}, "1" * 2000, 0.1 + 0.2])
@pytest.mark.parametrize("path", [REDEEM, EARN])
def test_money_that_is_none_is_named(path: str, total: Any) -> None:
    sent = {"card": world()["card"], "order_total": total} | ({"points": 1} if path == REDEEM else {})
    answer = post(path, sent, by=builders.member("owner", builders.business()))
    assert (answer.status_code, list(said(answer)[1])) == (400, ["order_total"])


@pytest.mark.parametrize(
    "text", ['{"points": NaN}', '{"points": Infinity}', '{"points": 1', "[]", '{"a":' * 60 + "1" + "}" * 60]
)
@pytest.mark.parametrize("path", [REDEEM, EARN, "/api/loyalty/adjust", "/api/loyalty/programs", "/api/enrollments"])
def test_what_is_no_json_is_400(path: str, text: str) -> None:
    answer = post(path, text.encode(), by=builders.member("owner", builders.business()))
    assert (is_told(answer), answer.status_code) == (True, 400)


@pytest.mark.parametrize(
    "path", ["/api/loyalty/phone-lookup", "/api/loyalty/cards", "/api/loyalty/programs", "{card}"]
)
@QUIET
@given(data=st.data())
def test_hostile_query_is_never_500(path: str, data: st.DataObject) -> None:
    names = ["phone", "business", "program", "q", "ordering", "page", "page_size", "from", "to"]
    name, text = data.draw(st.sampled_from(names)), data.draw(texts)
    quoted = "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    path = path.format(card=f"/api/loyalty/cards/{world()['card']}/statement")
    assert is_told(get(f"{path}?{name}={quoted}", by=builders.member("owner", builders.business())))


@pytest.mark.parametrize("text", ["%00", "%ff", "x" * 5000, "%F0%9F%8F%86", "'; --", "{}", "urn:uuid:x", "%2e%2e"])
@pytest.mark.parametrize("rest", ["", "/statement", "/statement.csv"])
def test_hostile_card_number_is_never_500(text: str, rest: str) -> None:
    answer = get(f"/api/loyalty/cards/{text}{rest}", by=builders.member("owner", builders.business()))
    assert (is_told(answer), answer.status_code in (400, 404)) == (True, True)


def test_hostile_path_is_missing() -> None:
    by = builders.member("owner", builders.business())
    for path in ("holds/x/capture", "holds/1/release", "transactions/x/reverse", "programs/x", "programs/", "cards/"):
        for method in ("GET", "POST"):
            assert send(method, f"/api/loyalty/{path}", {}, by=by).status_code == 404


def test_largest_numbers_are_told_in_full() -> None:
    rule: dict[str, Any] = {"point_value": "999999.9999", "points_per_unit": "999999.9999"}
    rule |= {"max_points_per_transaction": None, "max_points_per_day": None}
    card = builders.card(of=builders.program(**rule))
    by = builders.member("owner", builders.business())
    refused = post(EARN, {"card": str(card.pk), "order_total": "9999999999.99"}, by=by)
    assert refused.status_code == 400
    for _ in range(3):
        assert post(EARN, {"card": str(card.pk), "points": 1_000_000_000}, by=by).status_code == 201
    assert said(get(f"/api/loyalty/cards/{card.pk}", by=by))[1]["money_value"] == "2999999999700000.00"
    spent = said(post(REDEEM, {"card": str(card.pk), "points": 1_000_000_000}, by=by))[1]
    assert spent["discount"] == "999999999900000.00"
