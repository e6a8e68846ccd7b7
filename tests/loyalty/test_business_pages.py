"""A business's own pages and the live table of the staff site, as a browser without a script gets them."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import Business, RateGate
from crm.services import count_here
from loyalty import services
from loyalty.models import Customer, Enrollment, LoyaltyCard, QrScan
from loyalty.services.codes import show_code
from tests import builders
from tests.config.test_routes import contents

pytestmark = pytest.mark.django_db
CUSTOMERS, SCAN, LIVE = "/business/customers", "/business/scan", "/admin/loyalty/customers/live/"
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def cafe() -> Business:
    """With a program that gives 10 points for a scan."""
    return builders.program().business


@pytest.fixture
def cashier(cafe: Business) -> Client:
    """The browser at the till."""
    return builders.logged_in(builders.member("cashier", cafe))


@pytest.fixture
def ada() -> Customer:
    """Somebody who shows a code."""
    return builders.customer("07306 506797", user=builders.plain_user())


def text_of(response: Any) -> str:
    """What a reader sees, without what is for machines."""
    body = re.sub(r"<(script|template|style|head)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def opened(client: Client, path: str) -> str:
    """The text of a page that is there."""
    response = client.get(path)
    assert response.status_code == 200, response.status_code
    return text_of(response)


def scanned(client: Client, code: str, **sent: Any) -> str:
    """What stands there after a code was sent, without the list of last scans."""
    response = client.post(SCAN, {"code": code, **sent})
    assert response.status_code == 302
    return opened(client, response["Location"]).partition("Your last scans")[0]


# Who may ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CUSTOMERS, SCAN, LIVE])
def test_nobody_reads_without_a_login_and_comes_back_after_it(path: str) -> None:
    response = Client().get(f"{path}?q=a")
    assert response.status_code == 302
    assert "login" in response["Location"]
    assert f"next={path}%3Fq%3Da".replace("/", "%2F") in response["Location"].replace("/", "%2F")


@pytest.mark.parametrize("path", [CUSTOMERS, SCAN, LIVE])
def test_only_members_and_staff_with_the_permission_read(cafe: Business, ada: Customer, path: str) -> None:
    permission = "loyalty.redeem_points" if path == SCAN else "loyalty.view_loyaltycard"
    allowed = [builders.member("cashier", cafe), builders.staff(permission), builders.superuser()]
    refused = [builders.staff(), *([builders.plain_user(), ada.user] if path != LIVE else [])]
    assert [builders.logged_in(user).get(path).status_code for user in allowed] == [200, 200, 200]
    assert [builders.logged_in(user).get(path).status_code for user in refused if user] == [403] * len(refused)


@pytest.mark.parametrize("path", [CUSTOMERS, SCAN, LIVE])
def test_another_business_is_a_missing_one(cashier: Client, path: str) -> None:
    builders.business("other")
    assert [cashier.get(f"{path}?business={name}").status_code for name in ("other", "nowhere", uuid4())] == [404] * 3


@pytest.mark.parametrize("path", [CUSTOMERS, SCAN])
def test_pages_are_kept_nowhere(cashier: Client, path: str) -> None:
    assert "no-store" in cashier.get(path)["Cache-Control"]


# Customers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CUSTOMERS, LIVE])
def test_customer_in_three_programs_stands_there_once(
    cashier: Client, cafe: Business, ada: Customer, path: str
) -> None:
    for name, points in (("Beans", 600), ("Cups", 0)):
        builders.card(points, of=builders.program(cafe, name=name), by=ada)
    builders.card(11, by=ada)
    response = cashier.get(path)
    assert response.content.decode().count(f'data-id="{ada.pk}"') == 1
    shown = text_of(response)
    assert "Customers 1 New in 7 days 1 Points outstanding 611 Worth £6.11" in shown
    assert "Ada Lovelace +44 7306 506797 611 bronze 611 0 3 Today" in shown


@pytest.mark.parametrize("path", [CUSTOMERS, LIVE])
def test_search_paging_and_sorting_need_no_script(cashier: Client, monkeypatch: Any, path: str) -> None:
    monkeypatch.setattr("loyalty.pages.board.PAGE_SIZE", 2)
    for points, name in ((5, "Ada"), (9, "Grace"), (7, "Linus")):
        builders.card(points, by=builders.customer(first_name=name, last_name="X"))

    def who(query: str) -> list[str]:
        return re.findall(r'data-field="name">(\w+) X</a>\s*</th>', cashier.get(f"{path}?{query}").content.decode())

    assert [who("ordering=-points_balance"), who("ordering=-points_balance&page=2")] == [["Grace", "Linus"], ["Ada"]]
    assert [who(""), who("page=99"), who("q=grace")] == [["Linus", "Grace"], ["Ada"], ["Grace"]]
    assert "Page 2 of 2" in opened(cashier, f"{path}?page=2")
    assert "Nobody found for “nemo”" in opened(cashier, f"{path}?q=nemo")


def test_empty_business_is_told_what_to_do(cashier: Client) -> None:
    shown = opened(cashier, CUSTOMERS)
    assert "Corner Cafe has no customers yet" in shown
    assert "Nobody has been scanned in the last 7 days." in shown


def test_page_counts_scans_and_names_strangers_no_more_than_it_must(cashier: Client, ada: Customer) -> None:
    scanned(cashier, show_code(ada, "rotating").code)
    scanned(cashier, "NONSENSE")
    shown = opened(cashier, CUSTOMERS)
    assert "Scans 1 People 1 Points given 0 Asked to join 1 Refused codes No such code 1" in shown
    assert "Ada L." in shown
    assert "Lovelace" not in shown
    assert "506797" not in shown


@pytest.mark.parametrize(("path", "queries"), [(CUSTOMERS, 14), (LIVE, 14), (SCAN, 8)])
def test_pages_cost_the_same_for_three_rows(
    cashier: Client, path: str, queries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for made in (1, 2):
        for _ in range(made):
            code = show_code(builders.card(5).enrollment.customer, "printed").code
            scanned(cashier, code)
        with django_assert_num_queries(queries):
            cashier.get(path)


# Live ----------------------------------------------------------------------------------------------------


def test_table_tells_its_script_where_to_go_on(cashier: Client, cafe: Business) -> None:
    builders.card(5)
    page = cashier.get(f"{LIVE}?q=ada").content.decode()
    url = unescape(re.findall(r'data-changes="([^"]+)"', page)[0])
    [cursor] = re.findall(r'data-cursor="([^"]+)"', page)
    assert cashier.get(f"{url}&after={cursor}").json() == {"changed": False, "cursor": cursor}
    builders.card(7)
    [row] = cashier.get(f"{url}&after={cursor}").json()["results"]
    assert row["points_balance"] == 7
    totals = unescape(re.findall(r'data-totals="([^"]+)"', page)[0])
    assert cashier.get(totals).json() == {"customers": "2", "joined": "2", "points": "12", "worth": "£0.12"}


def test_more_than_twenty_open_screens_ask_half_as_often(cashier: Client) -> None:
    screens = [uuid4() for _ in range(21)]

    def here(screen: object) -> int:
        response = cashier.post(f"{LIVE}here", {"screen": screen})
        assert response.status_code == 200
        return int(response.json()["interval"])

    with time_machine.travel(NOON) as clock:
        assert [here(screen) for screen in screens] == [5] * 20 + [10]
        assert here(screens[0]) == 10
        clock.shift(timedelta(seconds=91))
        assert here(screens[0]) == 5


def test_screens_are_counted_only_by_those_who_may_see_and_by_post(cafe: Business, ada: Customer) -> None:
    screen = {"screen": str(uuid4())}
    assert builders.logged_in(builders.staff()).post(f"{LIVE}here", screen).status_code == 403
    cashier = builders.logged_in(builders.member("cashier", cafe))
    assert cashier.get(f"{LIVE}here").status_code == 405
    assert cashier.post(f"{LIVE}here", {"screen": "x" * 300}).status_code == 400
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(builders.member("cashier", cafe))
    assert careful.post(f"{LIVE}here", screen).status_code == 403
    assert not RateGate.objects.filter(name__startswith="live:").exists()


def test_reading_the_pages_changes_nothing(cashier: Client, ada: Customer) -> None:
    builders.card(5, by=ada)
    scanned(cashier, show_code(ada, "rotating").code)
    before = contents()
    for path in (CUSTOMERS, SCAN, f"{SCAN}?scan={QrScan.objects.get().pk}", LIVE, f"{LIVE}totals", f"{LIVE}here"):
        cashier.get(path)
    assert contents() == before


def test_screens_of_other_groups_do_not_count() -> None:
    assert (count_here("a", "1", seconds=60), count_here("b", "1", seconds=60)) == (1, 1)
    assert [count_here("a", "1", seconds=60), count_here("a", "2", seconds=60)] == [1, 2]


# Scan ----------------------------------------------------------------------------------------------------


def test_scan_awards_and_leads_to_the_till_with_the_card(cashier: Client, ada: Customer) -> None:
    card = builders.card(500, by=ada)
    shown = scanned(cashier, show_code(ada, "rotating").code)
    assert "Ada Lovelace +10 points For the visit" in shown
    assert "510 points to spend, worth £5.10" in shown
    page = cashier.get(f"{SCAN}?scan={QrScan.objects.get().pk}").content.decode()
    for move in ("redeem", "award"):
        [address] = re.findall(rf'href="(/admin/loyalty/{move}/[^"]+)"', page)
        assert card.card_number in cashier.get(address).content.decode()


def test_second_scan_within_the_hour_and_a_second_click_award_nothing(cashier: Client, ada: Customer) -> None:
    builders.card(by=ada)
    with time_machine.travel(NOON) as clock:
        code = show_code(ada, "rotating").code
        first = scanned(cashier, code)
        assert scanned(cashier, code) == first
        clock.shift(60)
        later = scanned(cashier, show_code(ada, "rotating").code)
    assert "Already scanned This visit's points were given before. Again from 13:00 UTC." in later
    assert LoyaltyCard.objects.get().points_balance == 10


@pytest.mark.parametrize("code", ["NONSENSE", "A" * 24, "x" * 300, "ſ" * 24, "<b>"])
def test_bad_code_is_told_as_one_and_books_nothing(cashier: Client, ada: Customer, code: str) -> None:
    builders.card(by=ada)
    assert "Not a good code Nothing was booked." in scanned(cashier, code)
    assert LoyaltyCard.objects.get().points_balance == 0


def test_code_of_long_ago_is_no_better_than_a_guess(cashier: Client, ada: Customer) -> None:
    builders.card(by=ada)
    with time_machine.travel(timezone.now() - timedelta(minutes=5)):
        code = show_code(ada, "rotating").code
    shown = scanned(cashier, code)
    assert "Not a good code" in shown
    assert "Ada" not in shown


def test_stranger_is_asked_and_shown_by_half_a_name(cashier: Client, ada: Customer) -> None:
    with time_machine.travel(NOON) as clock:
        first = scanned(cashier, show_code(ada, "rotating").code)
        clock.shift(60)
        second = scanned(cashier, show_code(ada, "rotating").code)
    assert "Ada L. Request sent" in first
    assert "Ada L. Waiting for an answer" in second
    assert Enrollment.objects.get().status == "pending"


def test_stranger_without_a_login_is_sent_to_the_till(cashier: Client) -> None:
    somebody = builders.customer()
    assert "Not a member yet Ask for their phone number" in scanned(cashier, show_code(somebody, "printed").code)


def test_program_is_chosen_where_there_are_several(cashier: Client, cafe: Business, ada: Customer) -> None:
    beans = builders.program(cafe, name="Beans", scan_points=3)
    for program in (builders.program(), beans):
        builders.card(of=program, by=ada)
    response = cashier.post(SCAN, {"code": show_code(ada, "rotating").code, "program": beans.pk})
    assert f"program={beans.pk}" in response["Location"]
    assert "+3 points For the visit, in Beans." in opened(cashier, response["Location"])
    other = builders.program(builders.business("other"))
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        shown = scanned(cashier, show_code(ada, "rotating").code, program=other.pk)
    assert "+10 points" in shown


def test_nobody_reads_what_another_scanned(cashier: Client, cafe: Business, ada: Customer) -> None:
    builders.card(by=ada)
    scan = services.scan_code(show_code(ada, "rotating").code, cafe, program=None, by=builders.member("cashier", cafe))
    for wanted in (scan.pk, uuid4(), "x"):
        shown = opened(cashier, f"{SCAN}?scan={wanted}")
        assert "Ready. Scan a customer's code." in shown
        assert "Ada" not in shown


def test_empty_field_does_nothing(cashier: Client) -> None:
    assert "Ready. Scan a customer's code." in scanned(cashier, "  ")
    assert not QrScan.objects.exists()
