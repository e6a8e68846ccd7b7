"""The till in the admin: who is found, what is shown before anything happens, and that it happens once."""

import re
import uuid
from datetime import timedelta
from decimal import Decimal
from html import unescape
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm.models import Membership, User
from loyalty import services
from loyalty.models import Customer, Enrollment, LoyaltyCard, PointsHold, PointsTransaction, RewardTier
from loyalty.services import Instruction
from tests import builders

pytestmark = pytest.mark.django_db
TILL, CORRECT = "loyalty.redeem_points", "loyalty.adjust_points"
ADMIN = "/admin/loyalty"
PHONE = "+447306506797"
SPELLINGS = ["+447306506797", "07306 506797", "+44 (0)7306 506797", "0044 7306 506797", "07306-506-797"]


def at_till(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def cashier(**of: Any) -> Client:
    return at_till(builders.member("cashier", *(of.values() or [builders.business()])))


def manager() -> Client:
    return at_till(builders.member("manager", builders.business()))


def staff(*permissions: str) -> Client:
    return at_till(builders.staff(*(permissions or (TILL, CORRECT))))


def address(move: str, card: LoyaltyCard) -> str:
    return f"{ADMIN}/{move}/?card={card.pk}"


def reversal(row: PointsTransaction) -> str:
    return f"{ADMIN}/transaction/{row.pk}/reverse/"


def text_of(response: Any) -> str:
    """What is read on the page, without tags, in one line."""
    main = response.content.decode().partition('<div id="content"')[2].partition('<footer id="footer"')[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


def figures(response: Any, within: str) -> dict[str, str]:
    """The large figures of the preview or the result, by their units."""
    part = response.content.decode().partition(f'id="{within}"')[2].partition("</ul>")[0]
    pairs = re.findall(r"<strong>(.*?)</strong>(.*?)</li>", part, re.S)
    return {unescape(unit).strip(): unescape(value).strip() for value, unit in pairs}


def problems(response: Any) -> list[str]:
    part = response.content.decode().partition('<ul class="till-problems">')[2].partition("</ul>")[0]
    return [unescape(text) for text in re.findall(r"<li[^>]*>(.*?)</li>", part)]


def focused(response: Any) -> list[str]:
    """What has the focus when the page is there."""
    tags = re.findall(r"<(?:input|button|a|textarea)\b[^>]*\bautofocus[^>]*>", response.content.decode())
    return [found for tag in tags for found in re.findall(r'\sid="([^"]*)"', tag)]


def preview(client: Client, url: str, **values: Any) -> Any:
    return client.post(url, {"token": str(uuid.uuid4()), "_preview": "1", **values})


def confirm(client: Client, url: str, token: str = "", **values: Any) -> Any:
    return client.post(url, {"token": token or str(uuid.uuid4()), "_confirm": "1", **values})


def money_and_points() -> list[Any]:
    """Everything that a movement of points would change."""
    tables = (LoyaltyCard, PointsTransaction, PointsHold, Enrollment, Customer, LogEntry)
    return [list(model._base_manager.order_by("pk").values_list()) for model in tables]


# Finding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SPELLINGS)
def test_find_by_phone_in_any_spelling(text: str) -> None:
    card = builders.card(by=builders.customer(PHONE))
    builders.card()
    assert cashier().get(f"{ADMIN}/redeem/", {"q": text})["Location"] == address("redeem", card)


def test_find_by_card_number_in_any_case_and_with_spaces() -> None:
    card = builders.card()
    number = card.card_number
    for text in (number, number.lower(), f" {number[:3]} {number[3:7]} {number[7:]} "):
        assert cashier().get(f"{ADMIN}/redeem/", {"q": text})["Location"] == address("redeem", card)


def test_find_keeps_the_move() -> None:
    card = builders.card(by=builders.customer(PHONE))
    assert cashier().get(f"{ADMIN}/award/", {"q": PHONE})["Location"] == address("award", card)


def test_find_by_name_offers_at_most_ten() -> None:
    cards = [builders.card(by=builders.customer(first_name="Grace", last_name=f"Hopper{n:02}")) for n in range(12)]
    client = cashier()
    response = client.get(f"{ADMIN}/redeem/", {"q": "grace hopper"})
    assert "The first 10 for “grace hopper”. Type more to narrow it." in text_of(response)
    offered = re.findall(r'href="(/admin/loyalty/redeem/\?card=[^"]+)"', response.content.decode())
    assert offered == [address("redeem", card) for card in cards[:10]]
    assert client.get(f"{ADMIN}/redeem/", {"q": "hopper11"})["Location"] == address("redeem", cards[11])


def test_find_opens_the_default_program_and_offers_the_others() -> None:
    first, second = builders.program(name="Points"), builders.program(name="Club")
    customer = builders.customer(PHONE)
    club, points = builders.card(of=second, by=customer), builders.card(of=first, by=customer)
    client = cashier()
    response = client.get(f"{ADMIN}/redeem/", {"q": PHONE}, follow=True)
    assert response.redirect_chain == [(address("redeem", points), 302)]
    html = response.content.decode()
    assert f'href="?card={points.pk}"' in html
    assert f'href="?card={club.pk}"' in html


@pytest.mark.parametrize("text", ["Nobody", "KJ4XP2QT", "☃", "%", "'; --", "0", "x " * 400])
def test_nothing_found_is_said_in_words(text: str) -> None:
    builders.program()
    response = cashier().get(f"{ADMIN}/redeem/", {"q": text})
    assert response.status_code == 200
    assert "Nothing found for" in text_of(response)
    assert "Enrol this phone" not in text_of(response)


def test_phone_of_another_business_is_nothing_found() -> None:
    builders.program()
    other = builders.business("rival")
    builders.card(of=builders.program(other), by=builders.customer(PHONE, of=other, last_name="Secret"))
    for text in (PHONE, "Secret", "Ada", LoyaltyCard.objects.get().card_number):
        response = cashier().get(f"{ADMIN}/redeem/", {"q": text})
        assert "Nothing found for" in text_of(response)
        assert "Secret" not in text_of(response).replace("“Secret”", "")


# Scope -----------------------------------------------------------------------------------------------------------


def test_member_of_one_business_is_never_asked_which() -> None:
    builders.program()
    builders.business("rival")
    assert "till_business" not in cashier().get(f"{ADMIN}/redeem/").content.decode()


def test_business_is_chosen_once_and_remembered() -> None:
    one, two = builders.business("ash"), builders.business("birch")
    builders.program(one)
    card = builders.card(of=builders.program(two), by=builders.customer(PHONE, of=two))
    client = cashier(one=one, two=two)
    assert '<option value="ash" selected>' in options(client.get(f"{ADMIN}/redeem/"))
    found = client.get(f"{ADMIN}/redeem/", {"q": PHONE, "business": "birch"})
    assert found["Location"] == address("redeem", card)
    client.get(found["Location"])
    assert '<option value="birch" selected>' in options(client.get(f"{ADMIN}/award/"))
    assert client.get(f"{ADMIN}/redeem/", {"q": PHONE})["Location"] == address("redeem", card)


def options(response: Any) -> str:
    return " ".join(response.content.decode().split()).replace(" >", ">")


def test_staff_choose_among_all_businesses() -> None:
    builders.business("ash")
    card = builders.card(of=builders.program(builders.business("birch")))
    client = staff()
    assert client.get(f"{ADMIN}/redeem/", {"q": card.card_number})["Location"] == address("redeem", card)
    html = options(client.get(address("redeem", card)))
    assert '<option value="ash">' in html
    assert '<option value="birch" selected>' in html


@pytest.mark.parametrize("method", ["get", "post"])
def test_foreign_cards_and_rows_are_missing(method: str) -> None:
    builders.program()
    card = builders.card(100, of=builders.program(builders.business("rival")))
    row = PointsTransaction.objects.get()
    client = manager()
    before = money_and_points()
    urls = [address(move, card) for move in ("redeem", "award", "adjust")]
    urls += [f"{ADMIN}/redeem/?card={card.card_number}", f"{ADMIN}/redeem/?card={uuid.uuid4()}", reversal(row)]
    urls += [f"{ADMIN}/redeem/?card=", f"{ADMIN}/redeem/?business=rival", f"{ADMIN}/enrol/?business=rival"]
    for url in urls:
        data = {"token": str(uuid.uuid4()), "_confirm": "1", "points": "10", "reason": "Mine.", "phone": PHONE}
        assert (url, getattr(client, method)(url, data if method == "post" else {}).status_code) == (url, 404)
    assert money_and_points() == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_cashier_may_not_correct_and_sees_no_way_to(method: str) -> None:
    card = builders.card(100)
    row = PointsTransaction.objects.get()
    client = cashier()
    for url in (address("adjust", card), reversal(row)):
        data = {"token": str(uuid.uuid4()), "_confirm": "1", "points": "10", "reason": "Mine."}
        assert getattr(client, method)(url, data if method == "post" else {}).status_code == 403
    html = client.get(address("redeem", card)).content.decode()
    assert "/award/" in html
    assert "/adjust/" not in html
    assert "/reverse/" not in html
    assert client.get(f"{ADMIN}/adjust/").status_code == 403
    assert PointsTransaction.objects.count() == 1


def test_manager_of_one_business_is_a_cashier_in_another() -> None:
    one, two = builders.business("ash"), builders.business("birch")
    user = builders.member("manager", one)
    Membership.objects.create(user=user, business=two, role="cashier")
    cards = [builders.card(of=builders.program(tenant)) for tenant in (one, two)]
    client = at_till(user)
    assert [client.get(address("adjust", card)).status_code for card in cards] == [200, 403]
    assert [client.get(address("redeem", card)).status_code for card in cards] == [200, 200]
    assert "birch" not in options(client.get(f"{ADMIN}/adjust/"))


@pytest.mark.parametrize(
    ("permissions", "statuses"),
    [
        ((), [403, 403, 403, 403]),
        (("loyalty.view_loyaltycard",), [403, 403, 403, 403]),
        ((TILL,), [200, 200, 403, 403]),
        ((CORRECT,), [403, 403, 200, 200]),
        ((TILL, CORRECT), [200, 200, 200, 200]),
    ],
)
def test_staff_need_the_permission(permissions: tuple[str, ...], statuses: list[int]) -> None:
    card = builders.card(100)
    client = at_till(builders.staff(*permissions))
    urls = [address(move, card) for move in ("redeem", "award", "adjust")] + [
        reversal(PointsTransaction.objects.get())
    ]
    assert [client.get(url).status_code for url in urls] == statuses


def test_till_without_any_business_says_what_to_do() -> None:
    response = staff().get(f"{ADMIN}/redeem/")
    assert response["Location"] == "/admin/"
    assert [str(message) for message in get_messages(response.wsgi_request)] == [
        "There is no business yet: add the first one."
    ]


def test_nobody_else_comes_in() -> None:
    card = builders.card()
    for client in (Client(), at_till(builders.plain_user())):
        response = client.get(address("redeem", card))
        assert (response.status_code, response["Location"].partition("?")[0]) == (302, "/admin/login/")


def test_till_stands_in_the_navigation_of_those_who_may_use_it() -> None:
    builders.program()
    for client, is_listed in ((cashier(), True), (staff(TILL), True), (staff("nominations.view_nomination"), False)):
        assert (f'href="{ADMIN}/redeem/"' in client.get("/admin/").content.decode()) is is_listed


# The card --------------------------------------------------------------------------------------------------------


def test_card_shows_what_a_cashier_needs() -> None:
    program = builders.program(name="Harbour Points", expiry_days=30, redemption_minimum=100)
    RewardTier.objects.create(program=program, points_required=200, reward="Coffee")
    RewardTier.objects.create(program=program, points_required=5000, reward="Hamper")
    card = builders.card(1200, of=program, by=builders.customer(PHONE))
    user = builders.member("cashier", program.business)
    user.first_name = "Cass"
    user.save()
    services.redeem_points(card, Instruction(by=user), points=300, order_total=Decimal("25.50"))
    services.hold_points(card, points=100, by=user)
    response = at_till(user).get(address("redeem", card))
    text = text_of(response)
    expires_on = timezone.localdate() + timedelta(days=30)
    for expected in (
        "Ada Lovelace +44 7306 506797",
        card.card_number,
        "800 points to spend, worth £8.00",
        "Balance 900",
        "Held 100",
        f"Expiring 900 on {expires_on:%-d %b %Y}",
        "Silver 300 to Gold",
        "200 Coffee",
        "800 Most possible",
        "Redeemed £3.00 off, order of £25.50 −300 900 Cass",
        "Earned +1,200 1,200 –",
    ):
        assert expected in text
    assert "Hamper" not in text
    assert "Owed" not in text
    assert focused(response) == ["till_points"]


def test_card_shows_what_is_owed() -> None:
    card = builders.card(100)
    row = PointsTransaction.objects.get()
    services.redeem_points(card, Instruction(), points=80)
    services.reverse_transaction(row, Instruction(), reason="Returned.")
    assert "Owed 80, paid by the next points" in text_of(cashier().get(address("redeem", card)))


def test_card_counts_what_time_has_done_but_nobody_booked_once() -> None:
    program, now = builders.program(expiry_days=10), timezone.now()
    with time_machine.travel(now - timedelta(days=11), tick=False):
        card = builders.card(300, of=program)
    with time_machine.travel(now - timedelta(days=5), tick=False):
        services.earn_points(card, Instruction(), points=200)
    client = cashier()
    assert "200 points to spend" in text_of(client.get(address("redeem", card)))
    response = preview(client, address("redeem", card), points="50")
    assert "200 points to spend" in text_of(response)
    assert figures(response, "till_preview")["points left"] == "150"
    assert LoyaltyCard.objects.get().points_balance == 500


def test_card_shows_the_last_ten_lines() -> None:
    card = builders.card()
    for number in range(1, 13):
        services.earn_points(card, Instruction(reference=f"R{number}"), points=number)
    html = cashier().get(address("redeem", card)).content.decode()
    assert re.findall(r'class="sub">(R\d+)<', html) == [f"R{number}" for number in range(12, 2, -1)]


@pytest.mark.parametrize("role", ["cashier", "manager"])
def test_card_needs_the_same_queries_for_one_line_and_for_ten(role: str) -> None:
    cards = [builders.card(1), builders.card(1)]
    for _ in range(9):
        services.earn_points(cards[1], Instruction(by=builders.superuser()), points=5)
    client = at_till(builders.member(role, builders.business()))
    client.get(address("redeem", cards[0]))
    counts = []
    for card in cards:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            client.get(address("redeem", card))
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_looking_changes_nothing() -> None:
    program = builders.program(expiry_days=10)
    with time_machine.travel(timezone.now() - timedelta(days=11), tick=False):
        card = builders.card(300, of=program, by=builders.customer(PHONE))
    client = manager()
    before = money_and_points()
    for url in [address(move, card) for move in ("redeem", "award", "adjust")]:
        assert client.get(url).status_code == 200
    for url in (f"{ADMIN}/redeem/", f"{ADMIN}/redeem/?q={PHONE[1:]}", f"{ADMIN}/redeem/?q=07306506999"):
        client.get(url)
    client.get(reversal(PointsTransaction.objects.get()))
    client.get(f"{ADMIN}/enrol/?phone=07306506999")
    assert money_and_points() == before


def test_card_says_why_nothing_is_possible() -> None:
    card = builders.card(100)
    services.change_program(builders.program(), is_active=False)
    client = cashier()
    assert "is switched off: nothing is earned or redeemed." in text_of(client.get(address("redeem", card)))
    Enrollment.objects.update(status="left")
    response = client.get(address("redeem", card))
    assert "Ada Lovelace left" in text_of(response)
    services.change_program(builders.program(), is_active=True)
    again = unescape(re.findall(r'href="(/admin/loyalty/enrol/[^"]+)"', response.content.decode())[0])
    assert 'value="+447306' in client.get(again).content.decode()


# Redeem ----------------------------------------------------------------------------------------------------------


def test_preview_shows_discount_order_and_balance_and_moves_nothing() -> None:
    card = builders.card(500)
    client = cashier()
    before = money_and_points()
    response = preview(client, address("redeem", card), points="200", order_total="£25.50")
    assert figures(response, "till_preview") == {
        "points": "−200",
        "off": "£2.00",
        "to pay": "£23.50",
        "points left": "300",
    }
    assert "Redeem 200 points" in text_of(response)
    assert focused(response) == ["till_confirm"]
    assert money_and_points() == before


def test_preview_by_a_fragment_says_only_what_is_complete() -> None:
    card = builders.card(500)
    client = cashier()
    typed = client.post(address("redeem", card), {"order_total": "3.00"}, headers={"HX-Request": "true"})
    assert (problems(typed), focused(typed)) == ([], ["till_points"])
    assert "300 Most possible" in text_of(typed)
    asked = preview(client, address("redeem", card), order_total="3.00")
    assert problems(asked) == ["Type the points to redeem."]


def test_first_enter_never_redeems() -> None:
    card = builders.card(500)
    response = cashier().post(address("redeem", card), {"points": "200", "token": str(uuid.uuid4())})
    assert response.status_code == 200
    assert PointsTransaction.objects.count() == 1


def test_redeem_leads_to_the_result_in_one_glance() -> None:
    card = builders.card(500)
    user = builders.member("cashier", builders.business())
    client = at_till(user)
    response = confirm(client, address("redeem", card), points="200", order_total="25.50")
    row = PointsTransaction.objects.get(operation_type="redeem_points")
    assert response["Location"] == f"{address('redeem', card)}&done={row.pk}"
    assert (row.points_delta, row.balance_after, row.staff_member) == (-200, 300, user)
    page = client.get(response["Location"])
    assert figures(page, "till_result") == {"points": "−200", "off": "£2.00", "to pay": "£23.50", "points left": "300"}
    assert focused(page) == ["till_q"]


@pytest.mark.parametrize(
    ("points", "total"), [("1,200", ""), (" 1200 ", "£1,250.00"), ("1 200", "25,50"), ("1200", "25.5")]
)
def test_numbers_are_read_as_people_write_them(points: str, total: str) -> None:
    card = builders.card(2000)
    confirm(cashier(), address("redeem", card), points=points, order_total=total)
    assert LoyaltyCard.objects.get().points_balance == 800


def test_redeem_twice_with_one_token_happens_once() -> None:
    card = builders.card(500)
    client, token = cashier(), str(uuid.uuid4())
    first = confirm(client, address("redeem", card), token, points="200", order_total="25.50")
    second = confirm(client, address("redeem", card), token, points="200", order_total="25.50")
    assert second["Location"] == f"{first['Location']}&again=1"
    page = client.get(second["Location"])
    assert "Already redeemed" in text_of(page)
    assert "and not a second time." in text_of(page)
    assert figures(page, "till_result")["points left"] == "300"
    assert LoyaltyCard.objects.get().points_balance == 300
    assert LogEntry.objects.count() == 1


def test_used_token_with_other_values_is_refused_in_words_and_can_go_on() -> None:
    card = builders.card(500)
    client, token = cashier(), str(uuid.uuid4())
    confirm(client, address("redeem", card), token, points="200")
    before = money_and_points()
    response = confirm(client, address("redeem", card), token, points="100")
    assert problems(response) == [
        "This form has moved other points already. Nothing was moved now: preview it and confirm again."
    ]
    assert money_and_points() == before
    fresh = re.findall(r'name="token" value="([^"]+)"', response.content.decode())[0]
    assert fresh != token
    confirm(client, address("redeem", card), fresh, points="100")
    assert LoyaltyCard.objects.get().points_balance == 200


def test_used_token_on_another_card_is_refused() -> None:
    cards, token = [builders.card(500), builders.card(500)], str(uuid.uuid4())
    client = cashier()
    seen = [confirm(client, address("redeem", card), token, points="200").status_code for card in cards]
    assert seen == [302, 200]
    assert sorted(LoyaltyCard.objects.values_list("points_balance", flat=True)) == [300, 500]


@pytest.mark.parametrize("token", ["", "nonsense", "0" * 5000])
def test_confirming_without_a_token_is_refused(token: str) -> None:
    card = builders.card(500)
    response = cashier().post(address("redeem", card), {"token": token, "_confirm": "1", "points": "200"})
    assert problems(response) == ["This form is out of date. Preview it and confirm again."]
    assert PointsTransaction.objects.count() == 1


RULES: dict[str, Any] = {"redemption_minimum": 100, "redemption_increment": 50, "max_redeem_percent": 50}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"points": "50"}, "At least 100 points at once."),
        ({"points": "0"}, "At least 100 points at once."),
        ({"points": "-200"}, "At least 100 points at once."),
        ({"points": "125"}, "Points are redeemed in steps of 50: 100 or 150."),
        ({"points": "2000"}, "1,320 points available; at most 1,300."),
        ({"points": "1300", "order_total": "25.00"}, "At most 1,250 on a £25.00 order."),
        ({"points": "200", "order_total": "0.50"}, "Nothing can be redeemed on a £0.50 order."),
        ({"points": ""}, "Type the points to redeem."),
        ({"points": "many"}, "Enter a whole number."),
        ({"points": "1.5"}, "Enter a whole number."),
        ({"points": "9" * 16}, "Ensure this value is less than or equal to 1000000000."),
        ({"points": "200", "order_total": "free"}, "Enter a number."),
        ({"points": "200", "order_total": "NaN"}, "Enter a number."),
        ({"points": "200", "order_total": "-1"}, "Ensure this value is greater than or equal to 0."),
        ({"points": "200", "order_total": "1.005"}, "Ensure that there are no more than 2 decimal places."),
    ],
)
def test_refusals_stand_in_words_before_and_after(values: dict[str, str], words: str) -> None:
    card = builders.card(1320, of=builders.program(**RULES))
    client = cashier()
    before = money_and_points()
    for send in (preview, confirm):
        response = send(client, address("redeem", card), **values)
        assert (response.status_code, problems(response)) == (200, [words])
    assert money_and_points() == before


def test_refused_where_nothing_is_open() -> None:
    card = builders.card(100)
    client = cashier()
    Enrollment.objects.update(status="left")
    assert problems(confirm(client, address("redeem", card), points="50")) == [
        "This customer is not enrolled at the moment."
    ]
    program = services.change_program(builders.program(), is_active=False)
    assert problems(confirm(client, address("redeem", card), points="50")) == [f"{program} is switched off."]


def test_most_possible_follows_the_order() -> None:
    card = builders.card(1320, of=builders.program(**RULES))
    client = cashier()
    assert "1,300 Most possible" in text_of(client.get(address("redeem", card)))
    response = preview(client, address("redeem", card), points="1300", order_total="25.00")
    assert "1,250 Most possible" in text_of(response)
    assert 'data-points="1250"' in response.content.decode()


def test_quick_sum_works_without_javascript() -> None:
    card = builders.card(500)
    html = cashier().get(address("redeem", card) + "&points=200").content.decode()
    assert re.findall(r'<input[^>]*id="till_points"[^>]*>', html)[0].count('value="200"') == 1


def test_card_number_in_the_address_is_enough() -> None:
    card = builders.card(500)
    confirm(cashier(), f"{ADMIN}/redeem/?card={card.card_number.lower()}", points="200")
    assert LoyaltyCard.objects.get().points_balance == 300


def test_each_act_is_logged_once_on_the_card() -> None:
    card = builders.card(500)
    client, token = manager(), str(uuid.uuid4())
    services.change_program(builders.program(), deduction_needs_approval=False)
    for _ in range(2):
        confirm(client, address("redeem", card), token, points="200", order_total="25.50")
    confirm(client, address("award", card), order_total="10.40")
    confirm(client, address("adjust", card), points="−5", reason="Typo.")
    row = PointsTransaction.objects.get(operation_type="redeem_points")
    confirm(client, reversal(row), points="50", reason="Returned.")
    assert list(LogEntry.objects.order_by("pk").values_list("object_id", "change_message")) == [
        (str(card.pk), "Redeemed 200 points for £2.00 off."),
        (str(card.pk), "Awarded 10 points. £10.40 at 1 = 10 points."),
        (str(card.pk), "Adjusted by −5 points: Typo."),
        (str(card.pk), "Reversed +50 points (redeemed): Returned."),
    ]


def test_result_of_a_foreign_row_is_not_shown() -> None:
    builders.card(777, of=builders.program(builders.business("rival")))
    row = PointsTransaction.objects.get()
    card = builders.card()
    for value in (row.pk, "nonsense", ""):
        assert "777" not in text_of(cashier().get(f"{address('redeem', card)}&done={value}&held={value}"))


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
@pytest.mark.parametrize(
    ("move", "wish"), [("redeem", {"points": "200"}), ("adjust", {"points": "-200", "reason": "x"})]
)
def test_double_click_at_the_same_moment_happens_once(move: str, wish: dict[str, str]) -> None:
    card = builders.card(500)
    user, token, gate = builders.member("manager", builders.business()), str(uuid.uuid4()), Barrier(4)
    places: list[str] = []

    def click(client: Client) -> None:
        gate.wait()
        try:
            places.append(confirm(client, address(move, card), token, **wish)["Location"])
        finally:
            connection.close()

    threads = [Thread(target=click, args=[at_till(user)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = min(places, key=len)
    assert sorted(places) == [first, *[f"{first}&again=1"] * 3]
    assert LoyaltyCard.objects.get().points_available == 300
    assert LogEntry.objects.count() == 1


# Award -----------------------------------------------------------------------------------------------------------


def test_award_shows_what_an_order_earns_and_why() -> None:
    card = builders.card(490, of=builders.program(min_order=Decimal(5)))
    client = cashier()
    before = money_and_points()
    response = preview(client, address("award", card), order_total="25.50")
    assert figures(response, "till_preview") == {"points": "+25", "balance": "515", "tier": "Silver"}
    assert "£25.50 at 1 = 25 points." in text_of(response)
    assert money_and_points() == before


def test_award_once_and_show_it() -> None:
    card = builders.card(490)
    client, token = cashier(), str(uuid.uuid4())
    for _ in range(2):
        response = confirm(client, address("award", card), token, order_total="25.50", reference="R-1")
    page = client.get(response["Location"])
    assert "Already awarded" in text_of(page)
    assert figures(page, "till_result") == {"points": "+25", "balance": "515", "tier": "Silver"}
    assert PointsTransaction.objects.filter(transaction_reference="R-1").count() == 1
    assert LogEntry.objects.count() == 1


def test_award_of_the_same_order_number_again_is_the_first_one() -> None:
    card = builders.card()
    client = cashier()
    confirm(client, address("award", card), order_total="25.50", reference="R-1")
    again = confirm(client, address("award", card), order_total="25.50", reference="R-1")
    assert again["Location"].endswith("&again=1")
    other = confirm(client, address("award", card), order_total="90.00", reference="R-1")
    assert problems(other) == ["The reference R-1 was used for another card or other points."]
    assert LoyaltyCard.objects.get().points_balance == 25
    assert LogEntry.objects.count() == 1


def test_award_below_the_minimum_order_offers_no_button_and_moves_nothing() -> None:
    card = builders.card(of=builders.program(min_order=Decimal(5)))
    client = cashier()
    words = "£4.99 is below the minimum order of £5.00: 0 points."
    response = preview(client, address("award", card), order_total="4.99")
    assert words in text_of(response)
    assert "till_confirm" not in response.content.decode()
    response = confirm(client, address("award", card), order_total="4.99")
    assert [str(message) for message in get_messages(response.wsgi_request)] == [words]
    assert PointsTransaction.objects.count() == LogEntry.objects.count() == 0


def test_award_says_what_pays_a_debt() -> None:
    card = builders.card(100)
    row = PointsTransaction.objects.get()
    services.redeem_points(card, Instruction(), points=80)
    services.reverse_transaction(row, Instruction(), reason="Returned.")
    response = preview(cashier(), address("award", card), points="100")
    assert figures(response, "till_preview")["balance"] == "20"
    assert "80 points of it pay what is owed." in text_of(response)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Give the order total, or points."),
        ({"order_total": "5", "points": "5"}, "Give the order total or points, not both."),
        ({"points": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"points": "-5"}, "Ensure this value is greater than or equal to 1."),
        ({"points": "10001"}, "At most 10,000 points at once."),
        ({"points": "5", "reference": "x" * 256}, "Ensure this value has at most 255 characters (it has 256)."),
        ({"points": "5", "reference": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_award_refusals_stand_in_words(values: dict[str, str], words: str) -> None:
    card = builders.card()
    response = confirm(cashier(), address("award", card), **values)
    assert (response.status_code, problems(response)) == (200, [words])
    assert PointsTransaction.objects.count() == 0


def test_visit_is_awarded_without_an_order() -> None:
    card = builders.card(of=builders.program(earn_rule="per_visit", points_per_unit=Decimal(7)))
    confirm(cashier(), address("award", card))
    assert LoyaltyCard.objects.get().points_balance == 7


# Adjust ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "button", "balance"), [("50", "Add 50 points", 150), ("-30", "Take 30 points away", 70)]
)
def test_staff_adjust_at_once(points: str, button: str, balance: int) -> None:
    card = builders.card(100)
    client = staff()
    before = money_and_points()
    response = preview(client, address("adjust", card), points=points, reason="Goodwill.")
    assert button in text_of(response)
    assert figures(response, "till_preview")["balance"] == str(balance)
    assert money_and_points() == before
    page = client.get(confirm(client, address("adjust", card), points=points, reason="Goodwill.")["Location"])
    assert figures(page, "till_result")["balance"] == str(balance)
    assert LoyaltyCard.objects.get().points_balance == balance


def test_manager_who_takes_points_away_asks_first() -> None:
    card = builders.card(100)
    client, token = manager(), str(uuid.uuid4())
    before = money_and_points()
    response = preview(client, address("adjust", card), points="-30", reason="Awarded by mistake.")
    until = f"{timezone.localdate() + timedelta(days=7):%-d %B}"
    assert figures(response, "till_preview") == {"points held": "30", "until": until}
    assert "Hold 30 points and ask" in text_of(response)
    assert money_and_points() == before
    seen = [
        confirm(client, address("adjust", card), token, points="-30", reason="Awarded by mistake.") for _ in range(2)
    ]
    hold = PointsHold.objects.get()
    assert (hold.purpose, hold.points, hold.reason) == ("deduction", 30, "Awarded by mistake.")
    assert [response["Location"] for response in seen] == [
        f"{address('adjust', card)}&held={hold.pk}",
        f"{address('adjust', card)}&held={hold.pk}&again=1",
    ]
    page = client.get(seen[0]["Location"])
    assert f"The customer is asked. Without a yes by {until} the points are free again." in text_of(page)
    assert "Already held" in text_of(client.get(seen[1]["Location"]))
    assert LogEntry.objects.get().change_message == "Held 30 points: Awarded by mistake."
    assert PointsTransaction.objects.count() == 1
    other = confirm(client, address("adjust", card), token, points="-40", reason="Awarded by mistake.")
    assert problems(other)[0].startswith("This form has moved other points already.")


def test_manager_takes_at_once_where_nobody_is_asked() -> None:
    card = builders.card(100, of=builders.program(deduction_needs_approval=False))
    confirm(manager(), address("adjust", card), points="-30", reason="Awarded by mistake.")
    assert (LoyaltyCard.objects.get().points_balance, PointsHold.objects.count()) == (70, 0)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"points": "5"}, ["Say why."]),
        ({"points": "5", "reason": "  "}, ["Say why."]),
        ({"points": "0", "reason": "x"}, ["Type the points to add, or to take away with a minus."]),
        ({"points": "-101", "reason": "x"}, ["100 points available."]),
        ({"points": "10001", "reason": "x"}, ["At most 10,000 points at once."]),
    ],
)
def test_adjust_refusals_stand_in_words(values: dict[str, str], words: list[str]) -> None:
    card = builders.card(100)
    before = money_and_points()
    for client in (staff(), manager()):
        for send in (preview, confirm):
            response = send(client, address("adjust", card), **values)
            assert (response.status_code, problems(response)) == (200, words)
    assert money_and_points() == before


# Reverse ---------------------------------------------------------------------------------------------------------


def redeemed(card: LoyaltyCard, points: int = 200) -> PointsTransaction:
    row = services.redeem_points(card, Instruction(), points=points, order_total=Decimal("25.50")).transaction
    assert row is not None
    return row


def test_reverse_shows_the_line_and_what_is_left() -> None:
    card = builders.card(500)
    row = redeemed(card)
    services.reverse_transaction(row, Instruction(), reason="Part.", points=50)
    text = text_of(manager().get(reversal(row)))
    assert "−200 redeemed £2.00 off, order of £25.50" in text
    assert "Left of it 150" in text
    assert "Or part of the order, £" in text


@pytest.mark.parametrize(
    ("values", "button", "balance"),
    [
        ({}, "Give back 200 points", 500),
        ({"points": "50"}, "Give back 50 points", 350),
        ({"amount": "12.75"}, "Give back 100 points", 400),
    ],
)
def test_reverse_gives_back_what_was_spent(values: dict[str, str], button: str, balance: int) -> None:
    card = builders.card(500)
    row = redeemed(card)
    client, token = manager(), str(uuid.uuid4())
    before = money_and_points()
    response = preview(client, reversal(row), reason="Returned.", **values)
    assert button in text_of(response)
    assert figures(response, "till_preview")["balance"] == str(balance)
    assert money_and_points() == before
    seen = [confirm(client, reversal(row), token, reason="Returned.", **values) for _ in range(2)]
    assert [response["Location"].endswith("&again=1") for response in seen] == [False, True]
    page = client.get(seen[1]["Location"])
    assert "Already reversed" in text_of(page)
    assert figures(page, "till_result")["balance"] == str(balance)
    assert LoyaltyCard.objects.get().points_balance == balance
    assert LogEntry.objects.count() == 1


def test_reverse_shows_what_becomes_owed() -> None:
    card = builders.card(100)
    row = PointsTransaction.objects.get()
    services.redeem_points(card, Instruction(), points=80)
    client = staff()
    response = preview(client, reversal(row), reason="Returned.")
    assert figures(response, "till_preview") == {"points": "−100", "balance": "0", "owed": "80"}
    assert "Take back 100 points" in text_of(response)
    page = client.get(confirm(client, reversal(row), reason="Returned.")["Location"])
    assert figures(page, "till_result") == {"points": "−100", "balance": "0", "owed": "80"}


def test_reverse_says_what_expired_meanwhile() -> None:
    program = builders.program(expiry_days=10)
    with time_machine.travel(timezone.now() - timedelta(days=11), tick=False):
        card = builders.card(300, of=program)
        row = redeemed(card)
    response = preview(manager(), reversal(row), reason="Returned.")
    assert figures(response, "till_preview")["balance"] == "0"
    assert "200 points of it expired meanwhile" in text_of(response)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"reason": ""}, "Say why."),
        ({"reason": "x", "points": "201"}, "Only 200 points can still be reversed."),
        ({"reason": "x", "points": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"reason": "x", "points": "5", "amount": "5"}, "Give points or a part of the order, not both."),
        ({"reason": "x", "amount": "0"}, "Ensure this value is greater than or equal to 0.01."),
        ({"reason": "x", "amount": "25.51"}, "Only £25.50 of £25.50 can still be reversed."),
    ],
)
def test_reverse_refusals_stand_in_words(values: dict[str, str], words: str) -> None:
    row = redeemed(builders.card(500))
    client = manager()
    before = money_and_points()
    for send in (preview, confirm):
        response = send(client, reversal(row), **values)
        assert (response.status_code, problems(response)) == (200, [words])
    assert money_and_points() == before


def test_nothing_left_to_reverse_is_said() -> None:
    row = redeemed(builders.card(500))
    client = manager()
    confirm(client, reversal(row), reason="Returned.")
    page = client.get(reversal(row))
    assert "Left of it Nothing is left to reverse." in text_of(page)
    assert "till-form" not in page.content.decode()
    response = confirm(client, reversal(row), reason="Returned.")
    assert problems(response) == ["Nothing of it is left to reverse."]
    assert LogEntry.objects.count() == 1


def test_lines_link_to_their_reversal_while_something_is_left() -> None:
    card = builders.card(500)
    row = redeemed(card)
    client = manager()

    def linked() -> list[str]:
        return re.findall(
            r'href="(/admin/loyalty/transaction/[^"]+)"', client.get(address("redeem", card)).content.decode()
        )

    earned = PointsTransaction.objects.get(operation_type="earn_points")
    assert linked() == [reversal(row), reversal(earned)]
    services.reverse_transaction(row, Instruction(), reason="Returned.")
    assert linked() == [reversal(earned)]


# Enrol -----------------------------------------------------------------------------------------------------------


def enrol(client: Client, **values: Any) -> Any:
    return client.post(f"{ADMIN}/enrol/", {"phone": PHONE, "name": "", "agreed": "on", **values})


def test_unknown_phone_is_offered_to_be_enrolled() -> None:
    builders.program(name="Harbour Points")
    response = cashier().get(f"{ADMIN}/redeem/", {"q": "07306 506797"})
    assert "Nothing found for “07306 506797”" in text_of(response)
    assert "Enrol this phone" in text_of(response)
    assert 'value="+44 7306 506797"' in response.content.decode()


def test_enrol_comes_back_to_the_card_with_its_welcome() -> None:
    program = builders.program(name="Harbour Points", welcome_points=50)
    user = builders.member("cashier", program.business)
    client = at_till(user)
    response = enrol(client, phone="07306 506797", name="Ada Lovelace")
    card = LoyaltyCard.objects.get()
    assert response["Location"] == address("redeem", card)
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["Enrolled in Harbour Points."]
    enrollment = Enrollment.objects.get()
    assert (enrollment.source, enrollment.by, enrollment.status) == ("till", user, "active")
    assert enrollment.consented_at is not None
    assert (enrollment.customer.phone, enrollment.customer.name) == (PHONE, "Ada Lovelace")
    assert card.points_balance == 50
    assert LogEntry.objects.get().change_message == "Enrolled in Harbour Points at the till; the customer agreed."
    assert "50 points to spend" in text_of(client.get(response["Location"]))


def test_enrol_twice_is_one_card() -> None:
    builders.program(welcome_points=50)
    client = cashier()
    seen = [enrol(client)["Location"] for _ in range(2)]
    assert seen[0] == seen[1]
    assert (LoyaltyCard.objects.count(), LoyaltyCard.objects.get().points_balance) == (1, 50)
    assert LogEntry.objects.count() == 1


def test_enrol_again_whoever_left_keeps_the_card() -> None:
    card = builders.card(70, by=builders.customer(PHONE))
    Enrollment.objects.update(status="left")
    assert enrol(cashier())["Location"] == address("redeem", card)
    assert LoyaltyCard.objects.get().points_balance == 70
    assert Enrollment.objects.get().status == "active"


def test_enrol_in_the_business_that_is_chosen_only() -> None:
    builders.program(name="Ours")
    rival = builders.program(builders.business("rival"), name="Theirs")
    client = cashier()
    client.post(f"{ADMIN}/enrol/?program={rival.pk}", {"phone": PHONE, "agreed": "on"})
    assert Enrollment.objects.get().program.name == "Ours"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"agreed": ""}, "Ask whether they agree, and tick the box."),
        ({"phone": "12"}, "This phone number is too short, too long or not in use."),
        ({"phone": "nobody"}, "Enter a phone number, for example +44 7306 506797."),
    ],
)
def test_enrol_refusals_stand_in_words(values: dict[str, str], words: str) -> None:
    builders.program()
    response = enrol(cashier(), **values)
    assert response.status_code == 200
    assert words in text_of(response)
    assert Customer.objects.count() == Enrollment.objects.count() == 0


def test_enrol_where_nothing_is_open_is_refused_in_words() -> None:
    client = cashier()
    assert "has no points program yet" in text_of(client.get(f"{ADMIN}/redeem/", {"q": PHONE}))
    assert "has no points program yet" in text_of(enrol(client))
    program = builders.program(is_active=False, name="Harbour Points")
    assert f"{program} is switched off." in text_of(enrol(client))
    assert Customer.objects.count() == 0


def test_names_are_escaped_everywhere() -> None:
    evil = "<script>alert(1)</script>"
    builders.card(100, by=builders.customer(PHONE, first_name=evil, last_name="x"))
    builders.card(100, by=builders.customer(first_name=evil, last_name="y"))
    client = manager()
    row = PointsTransaction.objects.first()
    assert row is not None
    for url in (f"{ADMIN}/redeem/?q=alert", f"{ADMIN}/redeem/?q={evil}", address("redeem", row.card), reversal(row)):
        assert evil not in client.get(url).content.decode()
