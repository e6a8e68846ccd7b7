"""The customers of a business, each once: in the list, in what has changed, and in the view."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from crm.models import Business, User
from loyalty import selectors, services
from loyalty.models import Customer, CustomerBusinessView, LoyaltyCard
from loyalty.services import Instruction
from notifications.services import note_change
from tests import builders
from tests.door import bearer, get, refusal, said
from tests.loyalty.test_ledger import earn, leave, redeem

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
CUSTOMERS = "/api/admin/customers"


@pytest.fixture
def cafe() -> Business:
    """Where everything happens."""
    return builders.business()


@pytest.fixture
def cashier(cafe: Business) -> User:
    """Somebody at the till."""
    return builders.member("cashier", cafe)


@pytest.fixture
def ada(cafe: Business) -> Customer:
    """In three programs, one of which is the default, with 30 + 600 + 0 points, 100 of them redeemed."""
    ada = builders.customer("07306 506797", email="ada@example.org")
    builders.card(30, of=builders.program(cafe, name="Default"), by=ada)
    redeem(builders.card(700, of=builders.program(cafe, name="Beans"), by=ada), 100)
    builders.card(0, of=builders.program(cafe, name="Cups"), by=ada)
    builders.card(9, of=builders.program(builders.business("other")), by=ada)
    return ada


def answered(by: User, **asked: Any) -> Any:
    """The body of a good answer."""
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    status, body = said(get(f"{CUSTOMERS}?{query}", by=by))
    assert status == 200, body
    return body


def names(by: User, **asked: Any) -> list[str]:
    """Who is answered, in order."""
    return [row["name"] for row in answered(by, **asked)["results"]]


def default_card(customer: Customer) -> LoyaltyCard:
    """Of the café's default program."""
    return LoyaltyCard.objects.complete().get(
        enrollment__customer=customer,
        enrollment__program__is_default=True,
        enrollment__program__business__slug="corner-cafe",
    )


def test_three_programs_are_one_row_with_the_true_sum(cashier: User, ada: Customer) -> None:
    with time_machine.travel(NOON, tick=False):
        earn(default_card(ada), points=1)
    body = answered(cashier)
    assert body == {
        "count": 1,
        "next": None,
        "previous": None,
        "results": [
            {
                "id": str(ada.pk),
                "name": "Ada Lovelace",
                "phone": "+447306506797",
                "email": "ada@example.org",
                "points_balance": 631,
                "tier_level": "bronze",
                "total_points_earned": 731,
                "total_points_redeemed": 100,
                "programs": 3,
                "updated_at": body["results"][0]["updated_at"],
            }
        ],
        "cursor": body["cursor"],
        "changed": True,
    }


def test_one_and_ten_are_eleven_everywhere(cashier: User, cafe: Business) -> None:
    card = builders.card()
    cursor = answered(cashier)["cursor"]
    for points in (1, 10):
        earn(card, points=points)
    [listed], [changed] = answered(cashier)["results"], answered(cashier, after=cursor)["results"]
    [viewed] = CustomerBusinessView.objects.filter(business_id=cafe.pk)
    assert (listed["points_balance"], changed["points_balance"], viewed.points_balance) == (11, 11, 11)
    assert (listed, selectors.totals_of(cafe).points) == (changed, 11)


def test_tier_is_the_default_programs_else_that_of_the_card_with_most(cashier: User, ada: Customer) -> None:
    tiers = [answered(cashier)["results"][0]["tier_level"]]
    leave(default_card(ada))
    assert [*tiers, answered(cashier)["results"][0]["tier_level"]] == ["bronze", "silver"]


def test_last_activity_is_told_else_when_they_joined(cashier: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        builders.card()
        clock.shift(60)
        builders.card(5)
    assert [row["updated_at"] for row in answered(cashier)["results"]] == [
        "2026-05-20T12:01:00Z",
        "2026-05-20T12:00:00Z",
    ]


@pytest.mark.parametrize(
    "q", ["love", "ada lovelace", "07306506797", "07306 506797", "%2B44 7306 506797", "0044 7306 506797", "DA@EXAMPLE"]
)
def test_search_finds_by_name_phone_and_address_and_sums_all_cards(cashier: User, ada: Customer, q: str) -> None:
    builders.card(5, by=builders.customer(first_name="Grace", last_name="Hopper"))
    assert [(row["name"], row["points_balance"]) for row in answered(cashier, q=q)["results"]] == [
        ("Ada Lovelace", 630)
    ]


def test_search_finds_by_any_card_number_and_sums_all_cards(cashier: User, ada: Customer) -> None:
    builders.card(5, by=builders.customer(first_name="Grace", last_name="Hopper"))
    number = LoyaltyCard.objects.get(enrollment__program__name="Cups").card_number
    assert [row["points_balance"] for row in answered(cashier, q=number.lower())["results"]] == [630]
    assert answered(cashier, q="nobody")["results"] == []


def test_list_is_paged_and_sorted_in_the_database(cashier: User) -> None:
    for points, name in ((5, "Ada"), (9, "Grace"), (7, "Linus")):
        builders.card(points, by=builders.customer(first_name=name, last_name="X"))
    assert names(cashier, ordering="-points_balance", page_size=2) == ["Grace X", "Linus X"]
    assert names(cashier, ordering="-points_balance", page_size=2, page=2) == ["Ada X"]
    assert names(cashier, ordering="name") == ["Ada X", "Grace X", "Linus X"]
    assert names(cashier, ordering="nonsense") == ["Linus X", "Grace X", "Ada X"]
    assert said(get(f"{CUSTOMERS}?page=2", by=cashier))[0] == 404


def test_after_tells_only_what_has_changed(cashier: User, ada: Customer) -> None:
    grace = builders.card(5, by=builders.customer(first_name="Grace", last_name="Hopper"))
    cursor = answered(cashier)["cursor"]
    assert answered(cashier, after=cursor) == {"changed": False, "cursor": cursor}
    earn(grace, points=10)
    body = answered(cashier, after=cursor)
    assert (body["changed"], [row["points_balance"] for row in body["results"]], "removed" in body) == (
        True,
        [15],
        False,
    )
    assert answered(cashier, after=body["cursor"]) == {"changed": False, "cursor": body["cursor"]}
    assert answered(cashier, after=cursor, q="ada")["results"] == []


@pytest.mark.parametrize(
    "move",
    [
        lambda card: redeem(card, 10),
        lambda card: services.adjust_points(card, Instruction(), points=-5, reason="x"),
        lambda card: services.reverse_transaction(card.transactions.get(seq=1), Instruction(), reason="x"),
        lambda card: builders.card(of=builders.program(name="Another"), by=card.enrollment.customer),
    ],
)
def test_whatever_moves_a_row_tells_it(cashier: User, move: Callable[[LoyaltyCard], object]) -> None:
    card = builders.card(100)
    cursor = answered(cashier)["cursor"]
    move(card)
    body = answered(cashier, after=cursor)
    assert body["results"] == answered(cashier)["results"]
    assert body["changed"] is True


def test_points_that_expire_tell_their_row(cashier: User) -> None:
    with time_machine.travel(NOON) as clock:
        builders.card(100, of=builders.program(expiry_days=10))
        cursor = answered(cashier)["cursor"]
        clock.shift(timedelta(days=11))
        services.settle_due()
        assert [row["points_balance"] for row in answered(cashier, after=cursor)["results"]] == [0]


def test_whoever_leaves_is_removed_and_whoever_comes_back_is_there_once(cashier: User, ada: Customer) -> None:
    cursor = answered(cashier)["cursor"]
    for card in LoyaltyCard.objects.filter(
        enrollment__customer=ada, enrollment__program__business__slug="corner-cafe"
    ).select_related("enrollment__program"):
        leave(card)
        note(card)
    body = answered(cashier, after=cursor)
    assert (body["results"], body["removed"]) == ([], [str(ada.pk)])
    assert answered(cashier)["count"] == 0
    services.enroll_customer(ada, default_card(ada).enrollment.program, by=None, source="till")
    again = answered(cashier, after=body["cursor"])
    assert ([row["points_balance"] for row in again["results"]], "removed" in again) == ([30], False)


def note(card: LoyaltyCard) -> None:
    """What the service that ends an enrolment would say."""
    enrollment = card.enrollment
    note_change(
        "enrollment",
        enrollment.pk,
        action="updated",
        customer=enrollment.customer_id,
        business=enrollment.program.business_id,
    )


def test_more_changes_than_fit_are_paged_on_by_the_cursor(cashier: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loyalty.selectors.customers.MOST_CHANGES", 2)
    cursor = answered(cashier)["cursor"]
    made = {str(builders.card().enrollment.customer_id) for _ in range(5)}
    seen: set[str] = set()
    while (body := answered(cashier, after=cursor))["changed"]:
        seen |= {row["id"] for row in body["results"]}
        cursor = body["cursor"]
    assert seen == made


@pytest.mark.parametrize("after", ["x", "1", "1.", "-1.2", "1.2.3", "9" * 40, "9999999999999999999.1"])
def test_what_is_no_cursor_is_refused_by_name(cashier: User, after: str) -> None:
    assert said(get(f"{CUSTOMERS}?after={after}", by=cashier)) == (
        400,
        {"after": ["This is no cursor that was given out."]},
    )


def test_no_tenant_sees_another(ada: Customer, cashier: User) -> None:
    stranger = builders.member("owner", builders.business("third"))
    earn(default_card(ada), points=5)
    assert answered(stranger)["results"] == []
    assert answered(stranger, after="0.0") == {"changed": False, "cursor": "0.0"}
    for wanted in ("corner-cafe", "nowhere", uuid4()):
        assert refusal(get(f"{CUSTOMERS}?business={wanted}", by=stranger)) == (404, "not_found")
    [row] = answered(builders.member("cashier", builders.business("other")))["results"]
    assert (row["points_balance"], row["programs"]) == (9, 1)


def test_staff_name_the_business_and_need_the_permission(ada: Customer) -> None:
    assert names(builders.staff("loyalty.view_loyaltycard"), business="other") == ["Ada Lovelace"]
    assert get(f"{CUSTOMERS}?business=other", by=builders.staff()).status_code == 403


def test_list_costs_the_same_for_three_rows_and_silence_costs_least(
    cashier: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = bearer(cashier)
    for made in (1, 2):
        for _ in range(made):
            builders.card(5)
        with django_assert_num_queries(6):  # two for the token, the business, the cursor, the count, the page
            cursor = said(get(CUSTOMERS, **token))[1]["cursor"]
    with django_assert_num_queries(4):  # two for the token, the business, the feed
        get(f"{CUSTOMERS}?after={cursor}", **token)
    with django_assert_num_queries(5):
        get(f"{CUSTOMERS}?after=0.0", **token)


def test_answers_are_kept_nowhere(cashier: User) -> None:
    assert "no-store" in get(CUSTOMERS, by=cashier)["Cache-Control"]


def test_totals_count_each_customer_once_and_value_points_by_program(cafe: Business, ada: Customer) -> None:
    with time_machine.travel(NOON):
        builders.card(5, of=builders.program(cafe, name="Dear", point_value="0.10"))
    found = selectors.totals_of(cafe)
    assert (found.customers, found.joined, found.points, found.worth) == (2, 1, 635, Decimal("6.80"))
    nobody = selectors.totals_of(builders.business("third"))
    assert (nobody.customers, nobody.joined, nobody.points, nobody.worth) == (0, 0, 0, Decimal(0))
