"""Looking a customer up by phone: what a till is told, and what it can never learn."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from crm.models import RateGate, User
from loyalty import services
from loyalty.models import LoyaltyCard
from loyalty.services import Instruction
from tests import builders
from tests.door import bearer, get, refusal, said

pytestmark = pytest.mark.django_db
LOOKUP = "/api/loyalty/phone-lookup"
PHONE, UNKNOWN = "07306 506797", "07306 000000"
SPELLINGS = ["+447306506797", PHONE, "+44 (0)7306 506797", "0044 7306 506797", "447306506797"]


@pytest.fixture
def cashier() -> User:
    """Somebody at the till."""
    return builders.member("cashier", builders.business())


def look_up(phone: str, **kwargs: Any) -> Any:
    """GET the look-up."""
    more = "".join(f"&{name}={kwargs.pop(name)}" for name in ("business", "program") if name in kwargs)
    return get(f"{LOOKUP}?phone={quote(phone)}{more}", **kwargs)


def known(holding: int = 0, **settings: Any) -> LoyaltyCard:
    """A card of somebody with that phone."""
    of = builders.program(is_default=True, **settings) if settings else None
    return builders.card(holding, by=builders.customer(PHONE), of=of)


def test_till_is_told_what_it_needs(cashier: User) -> None:
    card = known(820)
    services.redeem_points(card, Instruction(), points=320)
    services.hold_points(card, points=50, by=None)
    assert said(look_up(PHONE, by=cashier)) == (
        200,
        {
            "customer": {
                "id": str(card.enrollment.customer_id),
                "name": "Ada Lovelace",
                "phone": "+447306506797",
                "display_phone": "+44 7306 506797",
                "card_number": card.card_number,
                "points_balance": 500,
                "points_available": 450,
                "total_points_earned": 820,
                "total_points_redeemed": 320,
                "tier_level": "silver",
                "next_tier_points": 680,
                "money_value": "4.50",
                "enrollment_status": "active",
            }
        },
    )


def test_nothing_is_left_to_reach_at_the_top(cashier: User) -> None:
    known(5000)
    assert said(look_up(PHONE, by=cashier))[1]["customer"]["next_tier_points"] == 0


def test_expired_points_and_lapsed_holds_are_gone_although_nobody_booked_it(cashier: User) -> None:
    card = known(100, expiry_days=1)
    services.hold_points(card, points=40, by=None)
    with time_machine.travel(timezone.now() + timedelta(days=1, hours=1)):
        customer = said(look_up(PHONE, by=cashier))[1]["customer"]
    assert (customer["points_balance"], customer["points_available"], customer["money_value"]) == (0, 0, "0.00")
    card.refresh_from_db()
    assert (card.points_balance, card.points_held) == (100, 40)


@pytest.mark.parametrize("phone", SPELLINGS)
def test_phone_is_one_in_any_spelling(cashier: User, phone: str) -> None:
    card = known()
    assert said(look_up(phone, by=cashier))[1]["customer"]["card_number"] == card.card_number


def test_plus_that_nobody_quoted_is_understood(cashier: User) -> None:
    known()
    assert get(f"{LOOKUP}?phone=+447306506797", by=cashier).status_code == 200


@pytest.mark.parametrize("phone", ["12", "phone", "+", "0" * 30, "+999999999999"])
def test_impossible_phone_is_named(cashier: User, phone: str) -> None:
    status, answer = said(look_up(phone, by=cashier))
    assert (status, list(answer)) == (400, ["phone"])


def test_phone_must_be_there(cashier: User) -> None:
    for query in ("", "?phone=", "?phone=%20"):
        assert list(said(get(f"{LOOKUP}{query}", by=cashier))[1]) == ["phone"]


def test_whoever_left_is_told_as_such(cashier: User) -> None:
    card = known(100)
    card.enrollment.status = "left"
    card.enrollment.save()
    assert said(look_up(PHONE, by=cashier))[1]["customer"]["enrollment_status"] == "left"


def test_program_chooses_the_card(cashier: User) -> None:
    card = known()
    other = builders.program(name="Other")
    second = builders.card(by=card.enrollment.customer, of=other)
    numbers = [
        said(look_up(PHONE, by=cashier, **named))[1]["customer"]["card_number"]
        for named in ({}, {"program": other.pk}, {"program": card.enrollment.program_id})
    ]
    assert numbers == [card.card_number, second.card_number, card.card_number]
    foreign = builders.program(builders.business("elsewhere"))
    answers = [look_up(PHONE, by=cashier, program=pk) for pk in (foreign.pk, uuid4())]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 2
    assert answers[0].content == answers[1].content
    assert said(look_up(PHONE, by=cashier, program="x")) == (400, {"program": ["Must be a valid UUID."]})


# --- what it does not tell -----------------------------------------------------------------------------------------
def unknown_and_foreign() -> tuple[str, str]:
    """A phone that nobody has, and one that is known elsewhere only."""
    builders.card(500, by=builders.customer(PHONE), of=builders.program(builders.business("elsewhere")))
    builders.card(500)
    return UNKNOWN, PHONE


def test_phone_known_elsewhere_is_answered_as_one_that_nobody_has(cashier: User) -> None:
    answers = [look_up(phone, by=cashier) for phone in unknown_and_foreign()]
    assert [said(answer) for answer in answers] == [
        (
            404,
            {
                "detail": "This phone has no card here.",
                "code": "not_found",
                "can_join": True,
                "formatted_phone": shown,
            },
        )
        for shown in ("+44 7306 000000", "+44 7306 506797")
    ]
    assert dict(answers[0].items()) == dict(answers[1].items())


def test_both_cost_the_same(
    cashier: User, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    phones = unknown_and_foreign()
    for rate, queries in (("", 4), ("60/min", 13)):
        settings.THROTTLE_RATES = {"lookup": rate}
        header = bearer(cashier)
        look_up(UNKNOWN, **header)
        for phone in phones:
            # The token, its user, the business, the card; with a rate a look at one gate and turns at both.
            with django_assert_num_queries(queries):
                look_up(phone, **header)


def test_answer_is_kept_nowhere(cashier: User) -> None:
    known()
    for phone in (PHONE, UNKNOWN):
        answer = look_up(phone, by=cashier)
        assert answer["Cache-Control"] == "no-store, no-cache, must-revalidate, private"


# --- how often -----------------------------------------------------------------------------------------------------
@pytest.fixture
def still(settings: Settings) -> Any:
    """The default rate, on a clock that stands still."""
    settings.THROTTLE_RATES = {"lookup": "60/min"}
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def statuses(phone: str, count: int, by: User) -> list[int]:
    """Of that many look-ups."""
    header = bearer(by)
    return [look_up(phone, **header).status_code for _ in range(count)]


def test_sixty_look_ups_a_minute(still: Any, cashier: User) -> None:
    known()
    assert statuses(PHONE, 61, cashier) == [200] * 60 + [429]
    answer = look_up(PHONE, by=cashier)
    assert (refusal(answer), answer["Retry-After"]) == ((429, "throttled"), "1")
    still.shift(timedelta(seconds=1))
    assert statuses(PHONE, 2, cashier) == [200, 429]


def test_ten_that_find_nothing_and_then_none_at_all(still: Any, cashier: User) -> None:
    known()
    assert statuses(UNKNOWN, 11, cashier) == [404] * 10 + [429]
    answer = look_up(PHONE, by=cashier)
    assert (refusal(answer), answer["Retry-After"]) == ((429, "throttled"), "6")
    still.shift(timedelta(seconds=5))
    assert statuses(PHONE, 1, cashier) == [429]
    still.shift(timedelta(seconds=1))
    assert statuses(PHONE, 3, cashier) == [200] * 3
    assert statuses(UNKNOWN, 2, cashier) == [404, 429]


def test_rate_is_the_users_own(still: Any, cashier: User) -> None:
    statuses(UNKNOWN, 11, cashier)
    assert statuses(UNKNOWN, 1, builders.member("cashier", builders.business())) == [404]


def test_what_is_refused_anyway_is_not_counted(still: Any, cashier: User) -> None:
    header = bearer(cashier)
    for _ in range(12):
        look_up(PHONE, business="elsewhere", **header)
    assert statuses(UNKNOWN, 1, cashier) == [404]


def test_impossible_phones_find_out_nothing_and_are_no_misses(still: Any, cashier: User) -> None:
    assert statuses("12", 12, cashier) == [400] * 12
    assert statuses(UNKNOWN, 1, cashier) == [404]


def test_empty_rate_switches_both_off(cashier: User) -> None:
    assert statuses(UNKNOWN, 12, cashier) == [404] * 12
    assert RateGate.objects.count() == 0


# --- who -----------------------------------------------------------------------------------------------------------
def test_roles(cashier: User) -> None:
    card = known()
    tenant = builders.business().slug
    customer = card.enrollment.customer
    customer.user = builders.plain_user()
    customer.save()
    assert refusal(look_up(PHONE)) == (401, "not_authenticated")
    for role in ("cashier", "manager", "owner"):
        assert look_up(PHONE, by=builders.member(role, builders.business())).status_code == 200
    for user in (builders.plain_user(), customer.user):
        assert refusal(look_up(PHONE, by=user)) == (403, "permission_denied")
        assert refusal(look_up(PHONE, by=user, business=tenant)) == (404, "not_found")
    for user in (builders.staff(), builders.staff("loyalty.view_loyaltycard")):
        assert refusal(look_up(PHONE, by=user, business=tenant)) == (403, "permission_denied")
    for user in (builders.staff("loyalty.redeem_points"), builders.superuser()):
        assert list(said(look_up(PHONE, by=user))[1]) == ["business"]
        assert look_up(PHONE, by=user, business=tenant).status_code == 200
