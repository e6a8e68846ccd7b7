"""The two views of the database, and the dashboard that reads them: true the moment something moves."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection, transaction
from django.db.utils import DatabaseError

from loyalty import services
from loyalty.models import Customer, CustomerBusinessView, CustomerLoyaltyCards, LoyaltyCard
from loyalty.selectors import customer_dashboard
from tests import builders
from tests.loyalty.test_ledger import adjust, earn, leave, redeem, switch

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ada() -> Customer:
    """Nobody's customer yet."""
    return builders.customer("07306 506797")


def cards_of(customer: Customer) -> list[tuple[str, str, int, str]]:
    """What the dashboard shows: business, program, points, tier."""
    return [
        (row.business_name, row.program_name, row.points_balance, row.tier_level)
        for row in customer_dashboard(customer)
    ]


def at(card: LoyaltyCard) -> list[tuple[str, str, int, int]]:
    """What the card's business sees of its customers: name, phone, programs, points."""
    found = CustomerBusinessView.objects.filter(business_id=card.enrollment.program.business_id)
    return list(found.order_by("phone").values_list("name", "phone", "programs", "points_balance"))


def test_dashboard_shows_every_card_of_the_customer_and_no_other(ada: Customer) -> None:
    cafe, gym = builders.business("corner-cafe"), builders.business("a-gym")
    for program, points in [
        (builders.program(cafe, name="Coffee"), 600),
        (builders.program(cafe, name="Beans"), 0),
        (builders.program(gym, name="Sport"), 20),
    ]:
        builders.card(points, of=program, by=ada)
        builders.card(7, of=program)
    assert cards_of(ada) == [
        ("A Gym", "Sport", 20, "bronze"),
        ("Corner Cafe", "Beans", 0, "bronze"),
        ("Corner Cafe", "Coffee", 600, "silver"),
    ]


def test_card_view_names_everything_that_belongs_to_the_card(ada: Customer) -> None:
    with time_machine.travel(NOW, tick=False):
        card = builders.card(25, by=ada)
    [row] = CustomerLoyaltyCards.objects.all()
    program = card.enrollment.program
    assert (row.pk, row.card_number, row.customer_id) == (card.pk, card.card_number, ada.pk)
    assert (row.business_id, row.business_name) == (program.business_id, "Corner Cafe")
    assert (row.program_id, row.program_name, row.last_activity_at) == (program.pk, program.name, NOW)


def test_business_sees_one_row_for_a_customer_over_all_its_programs(ada: Customer) -> None:
    cafe = builders.business()
    with time_machine.travel(NOW, tick=False) as clock:
        card = builders.card(600, of=builders.program(cafe, name="Coffee"), by=ada)
        clock.shift(60)
        builders.card(25, of=builders.program(cafe, name="Beans"), by=ada)
        builders.card(9, of=builders.program(builders.business("other")), by=ada)
    assert at(card) == [("Ada Lovelace", "+447306506797", 2, 625)]
    row = CustomerBusinessView.objects.get(business_id=cafe.pk)
    assert row.last_activity_at is not None
    assert (row.last_activity_at - NOW).seconds == 60
    assert CustomerBusinessView.objects.count() == 2


@pytest.mark.parametrize(
    ("names", "shown"),
    [({"first_name": "Ada", "last_name": ""}, "Ada"), ({"first_name": "", "last_name": ""}, "")]
    + [({"first_name": "", "last_name": "Lovelace"}, "Lovelace")],
)
def test_business_sees_the_name_as_it_is(ada: Customer, names: dict[str, str], shown: str) -> None:
    card = builders.card(by=ada)
    Customer.objects.filter(pk=ada.pk).update(**names)
    assert at(card) == [(shown, "+447306506797", 1, 0)]


def test_views_follow_every_movement_without_a_refresh(ada: Customer) -> None:
    card = builders.card(by=ada)
    moves: list[tuple[Callable[[], object], int]] = [
        (lambda: earn(card, "100"), 100),
        (lambda: redeem(card, 30), 70),
        (lambda: adjust(card, 5), 75),
        (lambda: services.hold_points(card, points=50, by=None), 75),
        (lambda: services.reverse_transaction(card.transactions.get(seq=2), services.Instruction(), reason="x"), 105),
    ]
    for move, points in moves:
        move()
        assert [row[2] for row in cards_of(ada)] == [row[3] for row in at(card)] == [points]


def test_views_show_who_takes_part_now(ada: Customer) -> None:
    card = builders.card(50, by=ada)
    leave(card)
    assert (cards_of(ada), at(card)) == ([], [])
    services.enroll_customer(ada, card.enrollment.program, by=None, source="till")
    switch(card, is_active=False)
    assert len(cards_of(ada)) == len(at(card)) == 1


def test_views_have_the_columns_of_the_contract() -> None:
    columns = []
    with connection.cursor() as cursor:
        for view in ("customer_business_view", "customer_loyalty_cards"):
            cursor.execute(f"SELECT * FROM {view}")
            columns.append([column[0] for column in cursor.description])
    assert columns == [
        ["business_id", "customer_id", "name", "phone", "programs", "points_balance", "last_activity_at"],
        ["card_id", "card_number", "customer_id", "business_id", "business_name"]
        + ["program_id", "program_name", "points_balance", "tier_level", "last_activity_at"],
    ]


@pytest.mark.parametrize("view", [CustomerBusinessView, CustomerLoyaltyCards])
def test_views_cannot_be_written(ada: Customer, view: type[CustomerBusinessView | CustomerLoyaltyCards]) -> None:
    builders.card(50, by=ada)
    with pytest.raises(DatabaseError), transaction.atomic():
        view.objects.update(points_balance=1_000_000)
