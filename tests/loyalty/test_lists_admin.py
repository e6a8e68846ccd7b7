"""Customers, cards, enrolments, holds and the ledger in the admin: what they show, and to whom."""

import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import Business, User
from loyalty import services
from loyalty.admin import ledger
from loyalty.models import Customer, Enrollment, LoyaltyCard, PointsHold, PointsLot, PointsTransaction, Program
from loyalty.services import Instruction
from tests import builders

pytestmark = pytest.mark.django_db
ADMIN = "/admin/loyalty/"
LISTS = ("customer", "enrollment", "loyaltycard", "pointshold", "pointstransaction")


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    """What a reader sees, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unescape(response.content.decode())))


def rows(client: Client, name: str, **query: str) -> int:
    """How many rows a list shows."""
    response = client.get(f"{ADMIN}{name}/", query)
    assert response.status_code == 200
    return response.content.decode().count('class="action-checkbox"') or len(
        re.findall(r"<tr><th class=|<tr><td class=", response.content.decode())
    )


def page(row: Any) -> str:
    return f"{ADMIN}{row._meta.model_name}/{row.pk}/change/"


def busy_card(of: Program | None = None, by: Customer | None = None) -> LoyaltyCard:
    """A card with some of everything."""
    card = builders.card(500, of=of, by=by)
    services.redeem_points(card, Instruction(reference=f"R-{card.card_number}"), points=100, order_total=Decimal(20))
    services.hold_points(card, points=50, by=None, reason="For tomorrow.")
    return card


@pytest.fixture
def elsewhere() -> Program:
    """A program of another business."""
    return builders.program(builders.business("elsewhere"))


@pytest.mark.parametrize("name", LISTS)
def test_member_sees_the_rows_of_their_business_and_no_others(name: str, elsewhere: Program) -> None:
    here = busy_card()
    busy_card(elsewhere)
    client = logged_in(builders.member("cashier", here.enrollment.program.business))
    total = rows(logged_in(builders.superuser()), name)
    assert total > 1
    assert rows(client, name) == total / 2


def test_foreign_pages_are_missing_ones(elsewhere: Program) -> None:
    own, foreign = busy_card(), busy_card(elsewhere)
    client = logged_in(builders.member("owner", own.enrollment.program.business))
    for card in (own, foreign):
        wanted = 200 if card is own else 404
        things = [card, card.enrollment, card.enrollment.customer, card.holds.get(), card.transactions.latest("seq")]
        assert [client.get(page(thing)).status_code for thing in things] == [wanted] * 5
    for name in LISTS:
        assert client.get(f"{ADMIN}{name}/{uuid4()}/change/").status_code == 404
        assert client.get(f"{ADMIN}{name}/nonsense/change/").status_code == 404
        assert client.get(f"{ADMIN}{name}/add/").status_code == 403


def test_staff_need_the_permission_of_each_list() -> None:
    card = busy_card()
    viewer = logged_in(builders.staff("loyalty.view_loyaltycard"))
    assert viewer.get(f"{ADMIN}loyaltycard/").status_code == 200
    assert viewer.get(page(card)).status_code == 200
    assert b"Redeem points" not in viewer.get(page(card)).content
    assert viewer.get(f"{ADMIN}pointstransaction/").status_code == 403
    assert viewer.get(f"{ADMIN}customer/").status_code == 403


@pytest.mark.parametrize("name", ["customer", "enrollment", "loyaltycard", "pointshold"])
@pytest.mark.parametrize("many", [1, 3])
def test_lists_need_the_same_queries_for_any_number_of_rows(
    name: str, many: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(many):
        busy_card()
    client = logged_in(builders.superuser())
    client.get(f"{ADMIN}{name}/")
    with django_assert_num_queries(7):
        assert client.get(f"{ADMIN}{name}/").status_code == 200


@pytest.mark.parametrize("many", [1, 3])
def test_ledger_needs_the_same_queries_for_any_number_of_rows(
    many: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(many):
        busy_card()
    for user, count in ((builders.superuser(), 7), (builders.member("cashier", builders.business()), 11)):
        client = logged_in(user)
        client.get(f"{ADMIN}pointstransaction/")
        with django_assert_num_queries(count):
            client.get(f"{ADMIN}pointstransaction/")


@pytest.mark.parametrize("many", [1, 3])
def test_card_page_needs_the_same_queries_for_any_number_of_rows(
    many: int, staff_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    card = builders.card(500)
    for _ in range(many):
        services.earn_points(card, Instruction(), points=10)
        services.hold_points(card, points=5, by=None)
    staff_client.get(page(card))
    with django_assert_num_queries(8):
        staff_client.get(page(card))


# Search and filters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["07306 506797", "+447306506797", "+44 (0)7306 506797", "0044 7306 506797", "506797", "Lovelace", "ada love"],
)
@pytest.mark.parametrize("name", LISTS)
def test_search_finds_a_phone_in_any_spelling_and_names(name: str, text: str) -> None:
    known = busy_card(by=builders.customer("07306 506797", email="ada@example.org"))
    stranger = builders.customer("07700 900123", first_name="Bob", last_name="Babbage")
    busy_card(by=stranger)
    client = logged_in(builders.member("cashier", known.enrollment.program.business))
    assert rows(client, name, q=text) == rows(client, name) / 2
    assert rows(client, name, q="no such thing") == 0


def test_search_finds_addresses_card_numbers_and_references() -> None:
    known, other = busy_card(by=builders.customer(email="ada@example.org")), busy_card()
    client = logged_in(builders.member("cashier", known.enrollment.program.business))
    assert rows(client, "customer", q="ADA@example.org") == 1
    assert rows(client, "customer", q=known.card_number) == 1
    assert rows(client, "loyaltycard", q=f" {known.card_number.lower()} ") == 1
    assert rows(client, "pointstransaction", q=f"R-{other.card_number}") == 1
    assert rows(client, "pointshold", q=other.card_number) == 1
    assert rows(client, "enrollment", q="ada@example.org") == 1


def test_search_says_nothing_of_cards_elsewhere(elsewhere: Program) -> None:
    shared = builders.customer()
    own, foreign = busy_card(by=shared), busy_card(elsewhere, by=shared)
    client = logged_in(builders.member("cashier", own.enrollment.program.business))
    for name in LISTS:
        assert rows(client, name, q=foreign.card_number) == 0


@pytest.mark.parametrize("text", ["a " * 3000, "é" * 5000, "%", "_", "\\", "'", "+", "0", "٣"])
def test_odd_searches_are_answered(staff_client: Client, text: str) -> None:
    busy_card()
    for name in (*LISTS, "program", "ledgerproof"):
        assert staff_client.get(f"{ADMIN}{name}/", {"q": text}).status_code == 200


def test_filters_narrow_and_name_nothing_foreign(elsewhere: Program) -> None:
    first = busy_card()
    second = busy_card(builders.program(first.enrollment.program.business, name="Second"))
    busy_card(elsewhere)
    client = logged_in(builders.member("manager", first.enrollment.program.business))
    for name in LISTS:
        html = client.get(f"{ADMIN}{name}/").content.decode()
        assert elsewhere.name not in html
        assert rows(client, name, program=str(second.enrollment.program.pk)) == rows(client, name) / 2
        for unknown in (str(elsewhere.pk), "nonsense"):
            assert rows(client, name, program=unknown) == 0


def test_ledger_is_filtered_by_who_did_it(elsewhere: Program) -> None:
    card = builders.card(0)
    cashier = builders.member("cashier", card.enrollment.program.business)
    stranger = builders.member("cashier", elsewhere.business)
    services.earn_points(card, Instruction(by=cashier), points=10)
    services.earn_points(card, Instruction(), points=10)
    client = logged_in(builders.member("manager", card.enrollment.program.business))
    assert rows(client, "pointstransaction", staff=str(cashier.pk)) == 1
    assert rows(client, "pointstransaction", staff="nobody") == 1
    assert rows(client, "pointstransaction", staff=str(stranger.pk)) == 0
    assert stranger.email not in client.get(f"{ADMIN}pointstransaction/").content.decode()


def test_cards_are_filtered_by_tier_and_status(staff_client: Client) -> None:
    builders.card(600)
    card = builders.card(10)
    Enrollment.objects.filter(pk=card.enrollment_id).update(status="left")
    assert rows(staff_client, "loyaltycard", tier="silver") == 1
    assert rows(staff_client, "loyaltycard", tier="ruby") == 0
    assert rows(staff_client, "loyaltycard", enrollment__status__exact="left") == 1


def test_ledger_stops_counting_and_says_so(staff_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    busy_card()
    assert "long before the ledger does" not in text_of(staff_client.get(f"{ADMIN}pointstransaction/"))
    monkeypatch.setattr(ledger, "MOST_COUNTED", 2)
    said = text_of(staff_client.get(f"{ADMIN}pointstransaction/"))
    assert "long before the ledger does" in said


@pytest.mark.parametrize("name", LISTS)
def test_pages_follow_each_other_without_a_query_more(
    staff_client: Client, name: str, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        busy_card()
    whole = re.findall(rf"/{name}/([0-9a-f-]{{36}})/change/", staff_client.get(f"{ADMIN}{name}/").content.decode())
    whole = list(dict.fromkeys(whole))
    monkeypatch.setattr("notifications.admin.StaffModelAdmin.list_per_page", 2)
    parts = []
    for number in range(1, (len(whole) + 1) // 2 + 1):
        with django_assert_num_queries(7):
            html = staff_client.get(f"{ADMIN}{name}/", {"p": number}).content.decode()
        parts += list(dict.fromkeys(re.findall(rf"/{name}/([0-9a-f-]{{36}})/change/", html)))
    assert parts == whole


@pytest.mark.parametrize("name", LISTS)
def test_empty_list_says_what_to_do(staff_client: Client, name: str) -> None:
    assert re.search("appears? here|is made when", text_of(staff_client.get(f"{ADMIN}{name}/")))


# Pages -----------------------------------------------------------------------------------------------------------


def test_card_shows_how_it_stands_now_and_not_as_it_was_booked() -> None:
    card = builders.card(0, of=builders.program(expiry_days=10))
    services.earn_points(card, Instruction(), points=1200)
    services.hold_points(card, points=200, by=None, lasts=timedelta(days=20), reason="For tomorrow.")
    client = logged_in(builders.member("cashier", card.enrollment.program.business))
    said = text_of(client.get(page(card)))
    assert "Available 1,000 worth £10.00 Balance 1,200 Held 200 Owed 0" in said
    assert "1,200 of 1,200, 200 held" in said
    assert "For tomorrow." in said
    PointsHold.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    said = text_of(client.get(page(card)))
    assert "Available 1,200 worth £12.00 Balance 1,200 Held 0" in said
    assert "Held now" not in said


def test_card_links_to_the_till_and_the_statement() -> None:
    card = builders.card(100)
    html = logged_in(builders.member("manager", card.enrollment.program.business)).get(page(card)).content.decode()
    assert f'href="/admin/loyalty/redeem/?card={card.card_number}"' in html
    assert f'href="/api/loyalty/cards/{card.pk}/statement.csv"' in html


def test_hold_is_released_by_the_till_and_logged() -> None:
    card = busy_card()
    hold = card.holds.get()
    client = logged_in(builders.member("cashier", card.enrollment.program.business))
    response = client.post(f"{ADMIN}pointshold/{hold.pk}/release/")
    assert response["Location"] == page(card)
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["Released: 50 points are free again."]
    assert LoyaltyCard.objects.get(pk=card.pk).points_held == 0
    assert LogEntry.objects.get().object_id == str(hold.pk)
    again = client.post(f"{ADMIN}pointshold/{hold.pk}/release/")
    assert "The hold is released already." in {str(message) for message in get_messages(again.wsgi_request)}
    assert LogEntry.objects.count() == 1


def test_release_is_not_for_everybody(elsewhere: Program) -> None:
    card = busy_card()
    release = f"{ADMIN}pointshold/{card.holds.get().pk}/release/"
    assert logged_in(builders.member("owner", elsewhere.business)).post(release).status_code == 404
    assert logged_in(builders.staff("loyalty.view_pointshold")).post(release).status_code == 403
    assert logged_in(builders.superuser()).get(release).status_code == 405
    assert PointsHold.objects.get().status == "open"


def test_deduction_is_released_by_a_manager_only() -> None:
    card = builders.card(100)
    business = card.enrollment.program.business
    hold = services.ask_to_deduct(card, points=40, reason="Twice.", by=builders.member("manager", business))
    cashier, manager = (logged_in(builders.member(role, business)) for role in ("cashier", "manager"))
    assert b"Release" not in cashier.get(page(hold)).content
    assert cashier.post(f"{ADMIN}pointshold/{hold.pk}/release/").status_code == 403
    assert b"Release" in manager.get(page(hold)).content
    assert manager.post(f"{ADMIN}pointshold/{hold.pk}/release/").status_code == 302
    assert PointsHold.objects.get().status == "released"


def test_holds_stand_open_first_with_the_time_they_lapse(staff_client: Client) -> None:
    card = builders.card(100)
    first, second = (services.hold_points(card, points=points, by=None) for points in (10, 20))
    services.release_hold(second)
    html = staff_client.get(f"{ADMIN}pointshold/").content.decode()
    assert html.index(str(first.pk)) < html.index(str(second.pk))
    assert first.expires_at.isoformat() in html
    PointsHold.objects.filter(pk=first.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    assert "Lapsed" in text_of(staff_client.get(f"{ADMIN}pointshold/"))


def test_ledger_row_is_told_in_words(staff_client: Client) -> None:
    program = builders.program(expiry_days=365, min_order=5, max_redeem_percent=50, welcome_points=30)
    card = builders.card(0, of=program)
    earned = services.earn_points(card, Instruction(reference="A-1"), order_total=Decimal("25.50")).transaction
    redeemed = services.redeem_points(card, Instruction(), points=40, order_total=Decimal("25.50")).transaction
    assert earned is not None
    assert redeemed is not None
    reversal = services.reverse_transaction(earned, Instruction(), reason="Returned.", points=20).transaction
    said = [text_of(staff_client.get(page(row))) for row in (earned, redeemed, reversal)]
    for text in (
        "Operation Earned Points +25 Balance after 55 points",
        "Reference A-1 How £25.50 at 1 = 25 points. Order total £25.50",
        "Reversed 20 points on",
        "1 point for each £1.00, from an order of £5.00. Points expire after 365 days. ",
        "Redeemed from 1 point, in steps of 1. 100 points are worth £1.00, up to 50 % of an order.",
    ):
        assert text in said[0]
    assert "Order total £25.50 Discount £0.40 Left to pay £25.10" in said[1]
    assert "Taken from 30 points of those given as a welcome on" in said[1]
    assert "Reason Returned. Reverses +25 earned" in said[2]
    assert "Owed after 5 points" in said[2]
    assert not any("{" in text.split("Operation")[1] for text in said)


@pytest.mark.parametrize("rule", ["per_amount", "per_visit", "fixed"])
def test_every_kind_of_row_has_a_page(staff_client: Client, rule: str) -> None:
    program = builders.program(welcome_points=10, expiry_days=1, earn_rule=rule, deduction_needs_approval=False)
    card = builders.card(0, of=program)
    services.earn_points(card, Instruction(), points=100)
    services.earn_points(card, Instruction(), order_total=Decimal(20))
    services.adjust_points(card, Instruction(), points=50, reason="A gift.")
    services.adjust_points(card, Instruction(), points=-5, reason="Too much.")
    services.capture_hold(services.hold_points(card, points=30, by=None), Instruction(), points=10)
    first = card.transactions.get(seq=2)
    services.reverse_transaction(first, Instruction(), reason="Twice.")
    PointsLot.objects.update(expires_at=timezone.now())
    services.settle_due()
    found = list(PointsTransaction.objects.order_by("seq"))
    assert {row.operation_type for row in found} == set(PointsTransaction.Operation.values)
    for row in found:
        assert staff_client.get(page(row)).status_code == 200
    assert staff_client.get(page(card.holds.get())).status_code == 200


# Customers -------------------------------------------------------------------------------------------------------


def test_customer_of_two_businesses_shows_each_its_own_cards(elsewhere: Program) -> None:
    shared = builders.customer()
    own, foreign = busy_card(by=shared), busy_card(elsewhere, by=shared)
    client = logged_in(builders.member("manager", own.enrollment.program.business))
    for address in (f"{ADMIN}customer/", page(shared)):
        html = client.get(address).content.decode()
        assert own.card_number in html
        assert foreign.card_number not in html
        assert elsewhere.name not in html
    both = logged_in(builders.superuser()).get(page(shared)).content.decode()
    assert own.card_number in both
    assert foreign.card_number in both


def test_who_has_not_joined_is_not_shown_to_members() -> None:
    program = builders.program()
    asked = builders.customer()
    Enrollment.objects.create(customer=asked, program=program, status="pending", source="scan")
    client = logged_in(builders.member("owner", program.business))
    assert client.get(page(asked)).status_code == 404
    assert rows(client, "customer") == 0
    assert rows(client, "enrollment") == 0
    assert rows(logged_in(builders.superuser()), "enrollment") == 1
    Enrollment.objects.update(source="till")
    assert rows(client, "enrollment") == 1


def test_who_left_is_still_known() -> None:
    card = builders.card(10)
    Enrollment.objects.update(status="left")
    client = logged_in(builders.member("cashier", card.enrollment.program.business))
    assert rows(client, "customer") == 1
    assert "Left" in text_of(client.get(page(card.enrollment.customer)))


def details(**changes: str) -> dict[str, str]:
    named = {"first_name": "Ada", "last_name": "Lovelace", "phone": "07306 506797", "email": "", "login": ""}
    return {**named, **changes}


def test_staff_correct_a_customer() -> None:
    customer = builders.customer("07306 506797")
    login = builders.plain_user()
    client = logged_in(builders.staff("loyalty.view_customer", "loyalty.change_customer"))
    sent = details(first_name="Augusta", phone="+44 (0)7700 900123", email=" ADA@Example.org", login=login.email)
    assert client.post(page(customer), sent).status_code == 302
    customer.refresh_from_db()
    assert (customer.first_name, customer.phone, customer.phone_raw) == (
        "Augusta",
        "+447700900123",
        "+44 (0)7700 900123",
    )
    assert (customer.email, customer.user) == ("ada@example.org", login)
    assert "login" in LogEntry.objects.get().get_change_message().lower()
    client.post(page(customer), details(phone="+447700900123"))
    customer.refresh_from_db()
    assert customer.user is None


def test_phone_is_read_as_where_the_customer_joined() -> None:
    business = builders.business("boulangerie")
    Business.objects.filter(pk=business.pk).update(default_region="FR")
    business.refresh_from_db()
    customer = builders.card(0, of=builders.program(business)).enrollment.customer
    client = logged_in(builders.superuser())
    client.post(page(customer), details(phone="06 12 34 56 78"))
    customer.refresh_from_db()
    assert customer.phone == "+33612345678"


def test_phone_of_another_customer_is_refused_in_words() -> None:
    builders.customer("07700 900123")
    customer = builders.customer("07306 506797")
    client = logged_in(builders.superuser())
    said = text_of(client.post(page(customer), details(phone="07700 900123")))
    assert "Another customer has this phone: Ada Lovelace." in said
    assert "Enter a phone number" in text_of(client.post(page(customer), details(phone="call me")))


def test_login_must_exist_and_be_free() -> None:
    taken = builders.plain_user()
    builders.customer(user=taken)
    customer = builders.customer("07306 506797")
    client = logged_in(builders.superuser())
    said = text_of(client.post(page(customer), details(login="nobody@example.org")))
    assert "There is no login with this address." in said
    assert "This login belongs to another customer." in text_of(
        client.post(page(customer), details(login=taken.email))
    )


def test_members_do_not_correct_customers() -> None:
    card = builders.card(10)
    customer = card.enrollment.customer
    client = logged_in(builders.member("owner", card.enrollment.program.business))
    assert client.post(page(customer), details(first_name="Eve")).status_code == 403
    html = client.get(page(customer)).content.decode()
    assert 'name="phone"' not in html
    assert "login" not in text_of(client.get(page(customer))).lower().replace("log out", "")
