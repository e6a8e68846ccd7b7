"""Reports: what is outstanding adds up to the balances, and whoever moved points stands beside what they moved."""

import csv
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import Business, User
from loyalty import selectors, services
from loyalty.models import LoyaltyCard, PointsLot
from loyalty.selectors import Movements
from loyalty.services import Instruction
from tests import builders

pytestmark = pytest.mark.django_db
REPORTS = "/admin/loyalty/reports/"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unescape(response.content.decode())))


def sheet(client: Client, name: str, **query: str) -> list[dict[str, str]]:
    """A download, as a spreadsheet reads it."""
    response: Any = client.get(f"{REPORTS}{name}.csv", query)
    assert response.status_code == 200
    return list(csv.DictReader(StringIO(b"".join(response.streaming_content).decode())))


def at(moment: datetime) -> Any:
    return time_machine.travel(moment, tick=False)


# Outstanding -----------------------------------------------------------------------------------------------------


def test_outstanding_points_stand_in_the_month_they_expire() -> None:
    monthly = builders.program(name="Monthly", expiry_days=30, point_value=Decimal("0.015"))
    with at(NOON):
        builders.card(100, of=monthly)
    with at(NOON + timedelta(days=25)):
        builders.card(35, of=monthly)
        services.change_program(monthly, expiry_days=None)
        builders.card(7, of=monthly)
        [found] = selectors.liabilities(Business.objects.all())
    shown = [(str(bucket.expires_on), bucket.points, str(bucket.worth)) for bucket in found.buckets]
    assert shown == [("2026-04-01", 100, "1.50"), ("2026-05-01", 35, "0.52"), ("None", 7, "0.10")]
    # The whole is worth more than its parts, which are rounded down one by one.
    assert (found.points, found.worth, found.cards) == (142, Decimal("2.13"), 3)


def test_totals_equal_the_balances_whatever_happened_to_the_cards() -> None:
    program = builders.program(expiry_days=30, welcome_points=20)
    services.add_program(builders.business("second"), name="Empty")
    first, second = builders.card(0, of=program), builders.card(0, of=program)
    order = services.earn_points(first, Instruction(), order_total=Decimal(300)).transaction
    services.redeem_points(first, Instruction(), points=310)
    assert order is not None
    services.reverse_transaction(order, Instruction(), reason="Returned.")
    services.earn_points(second, Instruction(), points=500)
    services.hold_points(second, points=120, by=None)
    PointsLot.objects.filter(card=second, points=20).update(expires_at=timezone.now() - timedelta(days=1))
    found = {row.program.name: row for row in selectors.liabilities(Business.objects.all())}
    sums = LoyaltyCard.objects.aggregate(
        balance=Sum("points_balance"), held=Sum("points_held"), owed=Sum("points_owed")
    )
    row = found[program.name]
    assert (row.points, row.held, row.owed) == (sums["balance"], sums["held"], sums["owed"])
    assert [(bucket.is_due, bucket.points) for bucket in row.buckets] == [(True, 20), (False, 500)]
    assert (found["Empty"].points, found["Empty"].buckets, found["Empty"].cards) == (0, [], 0)


def test_money_of_different_currencies_is_not_added() -> None:
    builders.card(100)
    euro = builders.business("elsewhere")
    Business.objects.filter(pk=euro.pk).update(currency="EUR")
    euro.refresh_from_db()
    builders.card(300, of=builders.program(euro))
    said = text_of(logged_in(builders.superuser()).get(REPORTS))
    assert "Outstanding 100 points Worth £1.00" in said
    assert "Outstanding 300 points Worth €3.00" in said


def test_liability_sheet_adds_up() -> None:
    program = builders.program(name="=Points", expiry_days=30)
    with at(NOON):
        builders.card(100, of=program)
        rows = sheet(logged_in(builders.superuser()), "liability")
    total = {"Business": "Corner Cafe", "Program": "'=Points", "Points": "100", "Worth": "1.00", "Currency": "GBP"}
    assert rows == [
        {**total, "Expires": "2026-04", "Held": "", "Owed": ""},
        {**total, "Expires": "total", "Held": "0", "Owed": "0"},
    ]


# Movements -------------------------------------------------------------------------------------------------------


def moved(begins: datetime = NOON - timedelta(days=1), ends: datetime = NOON + timedelta(days=1)) -> list[Movements]:
    return selectors.movements(Business.objects.all(), begins, ends)


def test_movements_count_each_kind_apart() -> None:
    with at(NOON):
        cashier, card, other = builders.plain_user(), builders.card(0), builders.card(0)
        by = Instruction(by=cashier)
        order = services.earn_points(card, by, order_total=Decimal("120.50")).transaction
        services.earn_points(other, by, points=60)
        services.redeem_points(card, by, points=50, order_total=Decimal(20))
        services.adjust_points(other, by, points=30, reason="A gift.")
        services.adjust_points(other, by, points=-10, reason="Too much.")
        assert order is not None
        services.reverse_transaction(order, by, reason="Returned.", points=25)
        [found] = moved()
    assert found == Movements(cashier, 1, 120, 60, 50, 30, 10, 25, 2, 90)
    assert found.signs == []


@pytest.mark.parametrize("rule", ["per_visit", "fixed"])
def test_visits_count_as_orders_and_points_by_hand_do_not(rule: str) -> None:
    card = builders.card(0, of=builders.program(earn_rule=rule, points_per_unit=Decimal("7.5")))
    if rule == "per_visit":
        services.earn_points(card, Instruction())
    services.earn_points(card, Instruction(), order_total=Decimal(3))
    services.earn_points(card, Instruction(), points=100)
    [found] = moved(timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1))
    visits = 2 if rule == "per_visit" else 1
    assert (found.orders, found.order_points, found.awarded) == (visits, 7 * visits, 100)


def test_welcome_and_expiry_are_nobodys_doing() -> None:
    program = builders.program(welcome_points=20, expiry_days=1)
    builders.card(0, of=program)
    PointsLot.objects.update(expires_at=timezone.now())
    services.settle_due()
    assert moved(timezone.now() - timedelta(hours=1), timezone.now() + timedelta(hours=1)) == []


def test_period_includes_both_days_and_nothing_beyond() -> None:
    card, cashier = builders.card(0), builders.plain_user()
    for moment in ("2026-03-09 23:59:59", "2026-03-10 00:00:00", "2026-03-11 23:59:59", "2026-03-12 00:00:00"):
        with at(datetime.fromisoformat(moment).replace(tzinfo=UTC)):
            services.earn_points(card, Instruction(by=cashier), points=1)
    client = logged_in(builders.superuser())
    [row] = sheet(client, "movements", from_on="2026-03-10", to_on="2026-03-11")
    assert row["Awarded without an order"] == "2"
    assert "10 Mar 2026 to 11 Mar 2026" in text_of(
        client.get(REPORTS, {"from_on": "2026-03-10", "to_on": "2026-03-11"})
    )


def test_thirty_days_are_shown_unless_others_are_asked_for() -> None:
    client = logged_in(builders.superuser())
    with at(NOON):
        client.force_login(builders.superuser())
        assert "9 Feb 2026 to 10 Mar 2026" in text_of(client.get(REPORTS))


def movements_of(**changes: Any) -> Movements:
    values = {"orders": 10, "order_points": 3000, "awarded": 0, "redeemed": 0, "adjusted_up": 0, "adjusted_down": 0}
    return Movements(**{"staff": None, **values, "reversed": 0, "cards": 9, "most_on_one_card": 0, **changes})


@pytest.mark.parametrize(
    ("changes", "signs"),
    [
        ({}, []),
        ({"awarded": 500, "order_points": 0, "most_on_one_card": 500}, []),
        ({"awarded": 1000, "most_on_one_card": 500}, []),
        ({"awarded": 501, "adjusted_up": 500}, ["25 % of the points given had no order."]),
        ({"awarded": 1000, "most_on_one_card": 501}, ["One card got 501 of the 1,000 points given by hand."]),
        ({"reversed": 750}, []),
        ({"reversed": 751}, ["751 points reversed, against 3,000 given and redeemed."]),
        ({"reversed": 501, "order_points": 0}, ["501 points reversed, against 0 given and redeemed."]),
    ],
)
def test_rule_for_looking_closer(changes: dict[str, int], signs: list[str]) -> None:
    assert movements_of(**changes).signs == signs


def test_what_stands_out_comes_first_and_leads_to_the_rows() -> None:
    business = builders.business()
    honest, generous = (builders.member("cashier", business) for _ in range(2))
    card = builders.card(0)
    services.earn_points(card, Instruction(by=honest), order_total=Decimal(900))
    services.earn_points(card, Instruction(by=generous), points=600)
    client = logged_in(builders.member("manager", business))
    html = unescape(client.get(REPORTS).content.decode())
    assert html.index(generous.email) < html.index(honest.email)
    assert html.count("Look closer</span>") == 1
    assert "100 % of the points given had no order." in html
    [link] = re.findall(rf'<a href="([^"]*)">{re.escape(generous.email)}</a>', html)
    assert link.startswith("/admin/loyalty/pointstransaction/?staff=")
    shown = client.get(link)
    assert shown.status_code == 200
    assert "+600" in text_of(shown)
    assert "+900" not in text_of(shown)
    [first, second] = sheet(client, "movements")
    assert (first["Staff"], first["Look closer"][:5]) == (generous.email, "100 %")
    assert (second["Orders"], second["Points for orders"], second["Look closer"]) == ("1", "900", "")


def test_bars_are_drawn_without_styles() -> None:
    card = builders.card(0)
    services.earn_points(card, Instruction(), order_total=Decimal(300))
    services.adjust_points(card, Instruction(), points=100, reason="A gift.")
    html = logged_in(builders.superuser()).get(REPORTS).content.decode()
    assert '<rect class="bar-order" x="0" width="75.0" height="6" />' in html
    assert '<rect class="bar-hand" x="75.0" width="25.0" height="6" />' in html
    assert "style=" not in html


# Who may ---------------------------------------------------------------------------------------------------------


def test_reports_are_for_managers_and_staff_who_see_the_ledger() -> None:
    business = builders.business()
    builders.card(100)
    may = [builders.member("manager", business), builders.member("owner", business), builders.superuser()]
    may.append(builders.staff("loyalty.view_pointstransaction"))
    may_not = [builders.member("cashier", business), builders.staff(), builders.staff("loyalty.view_loyaltycard")]
    for wanted, users in ((200, may), (403, may_not)):
        for user in users:
            client = logged_in(user)
            pages = (REPORTS, f"{REPORTS}liability.csv", f"{REPORTS}movements.csv")
            assert [client.get(page).status_code for page in pages] == [wanted] * 3
            assert (REPORTS in client.get("/admin/").content.decode()) == (wanted == 200)
    assert "/login/" in Client().get(REPORTS)["Location"]


def test_manager_sees_the_own_business_only() -> None:
    own, foreign = builders.business(), builders.business("elsewhere")
    for business in (own, foreign):
        services.earn_points(builders.card(0, of=builders.program(business)), Instruction(), points=100)
    user = builders.member("manager", own)
    foreign.memberships.create(user=user, role="cashier")
    client = logged_in(user)
    assert foreign.name not in client.get(REPORTS).content.decode()
    assert {row["Business"] for row in sheet(client, "liability")} == {own.name}
    assert [row["Cards"] for row in sheet(client, "movements")] == ["1"]
    refused = client.get(f"{REPORTS}liability.csv", {"business": foreign.slug})
    assert refused.status_code == 200
    assert {row["Business"] for row in sheet(client, "liability", business=foreign.slug)} == {own.name}


def test_one_of_several_businesses_is_chosen() -> None:
    first, second = builders.business("first"), builders.business("second")
    for business in (first, second):
        builders.card(100, of=builders.program(business))
    client = logged_in(builders.member("manager", first, second))
    assert {row["Business"] for row in sheet(client, "liability")} == {"First", "Second"}
    assert {row["Business"] for row in sheet(client, "liability", business=second.slug)} == {"Second"}
    said = text_of(client.get(REPORTS, {"business": "nonsense"}))
    assert "Select a valid choice." in said


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"from_on": "2026-03-02", "to_on": "2026-03-01"}, "The period begins before it ends"),
        ({"from_on": "1990-01-01"}, "The period begins before it ends"),
        ({"from_on": "9999-12-31", "to_on": "9999-12-31"}, "The period begins before it ends"),
        ({"from_on": "yesterday"}, "Enter a valid date."),
    ],
)
def test_period_that_cannot_be_is_told_and_not_downloaded(query: dict[str, str], said: str) -> None:
    client = logged_in(builders.superuser())
    assert said in text_of(client.get(REPORTS, query))
    for name in ("liability", "movements"):
        response = client.get(f"{REPORTS}{name}.csv", query)
        assert response.status_code == 302
        assert said in text_of(client.get(response["Location"]))


def test_reports_without_anything_say_what_to_do() -> None:
    said = text_of(logged_in(builders.superuser()).get(REPORTS))
    assert "There is no program yet. Add the first" in said
    assert "No member of staff moved points in this period." in said


@pytest.mark.parametrize("count", [1, 3])
def test_reports_need_the_same_queries_for_any_number_of_rows(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    businesses = [builders.business(f"shop-{number}") for number in range(3)]
    for business in businesses[:count]:
        card = builders.card(0, of=builders.program(business))
        services.earn_points(card, Instruction(by=builders.plain_user()), points=10)
    client = logged_in(builders.superuser())
    client.get(REPORTS)
    with django_assert_num_queries(10):
        client.get(REPORTS)
