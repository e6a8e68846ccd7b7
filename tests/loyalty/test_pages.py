"""The customers' own pages, through the front door."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from crm.models import User
from loyalty import services
from loyalty.models import Customer, Enrollment, LoyaltyCard, Program, QrKey
from loyalty.services.asking import ask_to_deduct, request_enrollment
from notifications.models import ApprovalRequest, Notification
from notifications.services import notify
from tests import builders

pytestmark = pytest.mark.django_db
PAGES = ["/cards", "/qr", "/qr/printed", "/qr/replace/rotating", "/notifications", "/notifications/preferences"]
HTMX = {"HX-Request": "true"}


def somebody(phone: str = "07306 506797") -> tuple[Customer, Client]:
    """A customer with a login, and their browser."""
    customer = builders.customer(phone, user=builders.plain_user())
    assert customer.user
    return customer, builders.logged_in(customer.user)


def text_of(client: Client, path: str, **headers: str) -> str:
    """What the page says, on one line."""
    page = client.get(path, headers=headers)
    assert page.status_code == 200
    return " ".join(re.sub(r"<[^>]*>", " ", page.content.decode()).split())


def version_of(client: Client, path: str) -> str:
    """The address at which the page asks whether there is something new."""
    found = re.search(r'id="live"\s+hx-get="([^"]*)"', client.get(path).content.decode())
    assert found
    return found[1].replace("&amp;", "&")


def invited(customer: Customer, program: Program | None = None) -> ApprovalRequest:
    """A till asks whether they want to join."""
    at = program or builders.program(welcome_points=25)
    asked = request_enrollment(customer, at, by=builders.superuser(), source="till")[1]
    assert asked
    return asked


def answer(client: Client, question: ApprovalRequest, decision: str = "accept", **fields: str) -> Any:
    """A click on one of the buttons, and the page after it."""
    sent: Any = {"decision": decision, **fields}
    return client.post(f"/notifications/{question.notification_id}/answer", sent, follow=True)


@pytest.mark.parametrize("path", [*PAGES, "/cards/COR00000000"])
def test_pages_ask_for_a_login_and_come_back(path: str) -> None:
    assert Client().get(f"{path}?a=1")["Location"] == f"/login?{urlencode({'next': f'{path}?a=1'})}"


def test_page_that_asks_by_itself_goes_to_the_login_as_a_whole() -> None:
    answer = Client().get("/cards", headers={**HTMX, "HX-Current-URL": "http://testserver/cards?business=a"})
    assert (answer.status_code, answer["HX-Redirect"]) == (200, "/login?next=%2Fcards%3Fbusiness%3Da")


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/notifications"])
def test_who_is_no_customer_is_told_so(path: str) -> None:
    page = builders.logged_in(builders.plain_user()).get(path)
    assert (page.status_code, "No cards belong to this login" in page.content.decode()) == (403, True)


def test_pages_are_kept_nowhere() -> None:
    client = somebody()[1]
    kept = {client.get(path)["Cache-Control"] for path in [*PAGES, "/notifications/bell"]}
    assert kept == {"no-store, no-cache, must-revalidate, private"}


def test_nobody_sees_the_cards_or_answers_the_questions_of_another() -> None:
    customer, own = somebody()
    other = somebody("07306 506798")[1]
    number = builders.card(10, by=customer).card_number
    question = invited(customer, builders.program(name="Club"))
    assert own.get(f"/cards/{number.lower()}").status_code == 200
    assert other.get(f"/cards/{number}").status_code == 404
    assert answer(other, question).status_code == 404
    assert other.post("/notifications/read", {"id": question.notification_id}).status_code == 404
    assert number not in text_of(other, "/cards")
    question.refresh_from_db()
    assert question.status == "pending"


def test_cards_say_what_they_hold() -> None:
    customer, client = somebody()
    program = builders.program(name="O'Brien's", expiry_days=30, point_value="0.02")
    card = builders.card(1250, of=program, by=customer)
    services.hold_points(card, points=50, by=None)
    with time_machine.travel(timezone.now(), tick=False):
        goes_on = f"{timezone.now() + timedelta(days=30):%-d %B %Y}"
        text = text_of(client, "/cards")
    for words in (
        "O&#x27;Brien&#x27;s 1,200 points worth £24.00",
        "Silver 250 more to Gold",
        f"1,250 points expire on {goes_on}",
        "50 set aside",
        "Earned Corner Cafe",
        "+1,250 balance 1,250",
    ):
        assert words in text


def test_card_of_zero_points_and_a_customer_without_any() -> None:
    customer, client = somebody()
    assert "No cards yet Show your QR code at a till" in text_of(client, "/cards")
    builders.card(0, by=customer)
    text = text_of(client, "/cards")
    assert "0 points worth £0.00 Bronze 500 more to Silver" in text
    assert "Nothing has moved yet" in text


@pytest.mark.parametrize("path", ["/cards", "/notifications"])
def test_page_asks_the_same_for_one_card_and_for_three(
    path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    customer, client = somebody()
    for count in range(3):
        program = builders.program(name=f"Club {count}", expiry_days=30)
        services.hold_points(builders.card(10, of=program, by=customer), points=5, by=None)
        invited(customer, builders.program(name=f"Other {count}"))
        if count != 1:
            with django_assert_num_queries(10 if path == "/cards" else 6):
                client.get(path)


@pytest.mark.parametrize(("path", "queries"), [("/cards", 4), ("/notifications", 3), ("/notifications/bell", 3)])
def test_page_that_asks_by_itself_gets_an_answer_only_when_something_changed(
    path: str, queries: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    customer, client = somebody()
    card = builders.card(10, by=customer)
    version = re.sub("^[^?]*", path, version_of(client, "/notifications"))
    with django_assert_num_queries(queries):
        assert client.get(version, headers=HTMX).status_code == 204
    assert client.get(version).status_code == 200
    services.earn_points(card, services.Instruction(), points=5)
    assert client.get(version, headers=HTMX).status_code == 200


def test_statement_shows_the_days_that_are_asked_for() -> None:
    customer, client = somebody()
    with time_machine.travel("2026-03-31T23:59:59Z"):
        card = builders.card(100, by=customer)
    with time_machine.travel("2026-04-01T00:00:00Z"):
        services.redeem_points(card, services.Instruction(), points=30)
        assert "Before 1 Jan 2026 0 At the end of 1 Apr 2026 70" in text_of(client, f"/cards/{card.card_number}")
        path = f"/cards/{card.card_number}?from=2026-04-01&to=2026-04-30"
        text, page = text_of(client, path), client.get(path).content.decode()
    assert "Before 1 Apr 2026 100 At the end of 30 Apr 2026 70 Redeemed £0.30 off" in text
    assert "+100" not in text
    csv = re.search('href="([^"]*statement.csv[^"]*)"', page)
    assert csv
    sheet: Any = client.get(csv[1].replace("&amp;", "&"))
    assert len(b"".join(sheet.streaming_content).splitlines()) == 2


@pytest.mark.parametrize("query", ["from=2026-04-02&to=2026-04-01", "from=x&to=2026-04-01", "from=2026-04-01"])
def test_statement_says_which_day_is_wrong(query: str) -> None:
    customer, client = somebody()
    page = client.get(f"/cards/{builders.card(1, by=customer).card_number}?{query}")
    assert (page.status_code, "_error" in page.content.decode()) == (400, True)


def test_customer_joins_what_a_business_offers() -> None:
    customer, client = somebody()
    program = builders.program(name="Club", welcome_points=25)
    builders.program(name="Old", is_active=False)
    text = text_of(client, "/cards?business=corner-cafe")
    assert ("Club 25 points as a welcome. Join" in text, "Old" in text) == (True, False)
    assert "Join at" not in text_of(client, "/cards")
    sent = {"program": program.pk, "next": "/cards?business=corner-cafe"}
    pages = [client.post("/cards/join", sent, follow=True).content.decode() for _ in range(2)]
    assert "You have joined Club at Corner Cafe." in pages[0]
    assert "enrolled already" in pages[1]
    assert LoyaltyCard.objects.get(enrollment__customer=customer).points_balance == 25
    assert [client.post("/cards/join", {"program": wrong}).status_code for wrong in (uuid4(), "x", "")] == [404] * 3


def test_invitation_is_accepted_from_the_page_once() -> None:
    customer, client = somebody()
    question = invited(customer)
    assert "invites you to join" in text_of(client, "/cards")
    page = answer(client, question, next="/cards")
    assert page.redirect_chain == [("/cards", 302)]
    assert "Accepted: " in page.content.decode()
    assert Enrollment.objects.get(customer=customer).status == "active"
    again = answer(client, question, "decline").content.decode()
    assert "You have answered this already" in again
    assert "You accepted" in again
    assert Enrollment.objects.get(customer=customer).status == "active"


def test_answer_that_comes_too_late_is_told() -> None:
    customer, client = somebody()
    question = invited(customer)
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert "invites you to join" not in text_of(client, "/cards")
        assert "The time to answer is over" in text_of(client, "/notifications")
        assert "The time to answer is over. Nothing was booked." in answer(client, question).content.decode()


def test_deduction_is_declined_and_the_points_are_free_again() -> None:
    customer, client = somebody()
    card = builders.card(100, by=customer)
    ask_to_deduct(card, points=40, reason="Typed by mistake.", by=builders.superuser())
    assert "Typed by mistake." in text_of(client, "/cards")
    page = answer(client, ApprovalRequest.objects.get(), "decline").content.decode()
    assert "Declined: " in page
    card.refresh_from_db()
    assert (card.points_balance, card.points_held) == (100, 0)


def test_only_accept_and_decline_are_answers_and_only_questions_are_asked() -> None:
    customer, client = somebody()
    question = invited(customer)
    assert answer(client, question, "maybe").status_code == 400
    told = notify("points_earned", title="Told", dedupe_key="a", customer=customer.pk)
    assert told
    assert client.post(f"/notifications/{told.pk}/answer", {"decision": "accept"}).status_code == 404


def test_members_read_what_their_business_is_told_and_answer_nothing() -> None:
    customer = somebody()[0]
    member = builders.logged_in(builders.member("cashier", builders.business()))
    invited(customer)
    notify("enrollment_accepted", title="Ada joined", dedupe_key="b", business=builders.business().pk)
    text = text_of(member, "/notifications")
    assert ("Ada joined" in text, "invites you to join" in text, "Accept" in text, "Preferences" in text) == (
        True,
        False,
        False,
        False,
    )
    assert "Customers Scan Notifications , 1 unread" in text


def test_unread_come_first_and_are_counted_until_they_are_read() -> None:
    customer, client = somebody()
    for number in range(30):
        notify("points_earned", title=f"Fact {number:02}", dedupe_key=f"f{number}", customer=customer.pk)
    first = Notification.objects.get(title="Fact 00")
    Notification.objects.exclude(pk=first.pk).update(read_at=timezone.now())
    text = text_of(client, "/notifications")
    assert text.index("Fact 00") < text.index("Fact 29") < text.index("Fact 28")
    assert ("Page 1 of 2" in text, "Fact 01" in text, ", 1 unread" in text) == (True, False, True)
    assert "Fact 01" in text_of(client, "/notifications?page=2")
    assert "Fact 29" not in text_of(client, "/notifications?unread=1")
    done = client.post("/notifications/read", {"next": "/notifications?unread=1"}, follow=True)
    assert "Nothing unread" in done.content.decode()
    assert not Notification.objects.unread().exists()


def test_preferences_are_kept_and_shown() -> None:
    client = somebody()[1]
    text_of(client, "/notifications/preferences")
    client.post("/notifications/preferences", {"in_app": "on", "email": "on", "points_expiring": "on"})
    page = client.get("/notifications/preferences").content.decode()
    ticked = {re.sub('.*name="([a-z_]*)".*', r"\1", field) for field in re.findall("<input[^>]*checked[^>]*>", page)}
    assert ticked == {"in_app", "email", "points_expiring"}


def test_code_is_shown_large_in_groups_and_is_the_one_that_is_read() -> None:
    customer, client = somebody()
    page = client.get("/qr").content.decode()
    groups = re.findall("<span>([A-Z2-7]{4})</span>", page)
    assert (len(groups), page.count("<svg")) == (6, 1)
    scan = builders.logged_in(builders.member("cashier", builders.business())).post(
        "/api/qr/scan", {"code": " ".join(groups), "business": "corner-cafe"}, content_type="application/json"
    )
    assert scan.json()["customer"]["id"] == str(customer.pk)
    assert re.search('<noscript>\\s*<meta http-equiv="refresh" content="[0-9]+">', page)


def test_replacing_a_code_says_what_it_means_and_needs_a_click() -> None:
    customer, client = somebody()
    before = re.findall("<span>([A-Z2-7]{4})</span>", client.get("/qr/printed").content.decode())
    text_of(client, "/qr/replace/printed")
    assert QrKey.objects.good().get(customer=customer, kind="printed").revoked_at is None
    after = client.post("/qr/replace/printed", follow=True).content.decode()
    assert "The old one no longer works anywhere" in after
    assert before != re.findall("<span>([A-Z2-7]{4})</span>", after)
    assert client.get("/qr/replace/other").status_code == 404


def test_a_person_may_be_a_customer_and_a_member() -> None:
    customer, client = somebody()
    assert customer.user
    assert "Cards QR code Notifications Sign out" in text_of(client, "/cards")
    customer.user.memberships.create(business=builders.business(), role="cashier")
    client = builders.logged_in(User.objects.get(pk=customer.user.pk))
    assert "Cards QR code Customers Scan Notifications Admin Sign out" in text_of(client, "/cards")
