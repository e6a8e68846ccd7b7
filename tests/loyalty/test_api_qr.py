"""Codes through the API: shown, revoked, scanned, and in the place of a phone or card at a till."""

import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from crm.models import IdempotencyKey, User
from loyalty import services
from loyalty.models import Customer, CustomerInteraction, Enrollment, LoyaltyCard, PointsTransaction, QrScan, QrUse
from tests import builders
from tests.door import get, post, refusal, said, send

pytestmark = pytest.mark.django_db
ME, REVOKE, SCAN = "/api/qr/me", "/api/qr/revoke", "/api/qr/scan"
REDEEM, EARN, ENROLL = "/api/customer/loyalty/redeem", "/api/loyalty/earn", "/api/enrollments"


@pytest.fixture
def cashier() -> User:
    return builders.member("cashier", builders.business())


@pytest.fixture
def card() -> LoyaltyCard:
    """With 500 points, of a customer who has a login."""
    person = builders.customer("07306 506797", user=builders.plain_user())
    return builders.card(500, of=builders.program(scan_cooldown_minutes=0, is_default=True), by=person)


def code_of(card: LoyaltyCard, kind: str = "rotating", **kwargs: Any) -> str:
    return services.show_code(card.enrollment.customer, kind, **kwargs).code


def login_of(card: LoyaltyCard) -> User:
    user = card.enrollment.customer.user
    assert user is not None
    return user


def outcomes(purpose: str) -> list[str]:
    """What was written down, oldest first."""
    return list(QrScan.objects.filter(purpose=purpose).order_by("created_at").values_list("outcome", flat=True))


# --- The customer's own --------------------------------------------------------------------------------------------


def test_customer_is_shown_the_code_with_its_picture(card: LoyaltyCard) -> None:
    status, shown = said(get(ME, by=login_of(card)))
    assert (status, list(shown), 1 <= shown["expires_in"] <= 30) == (200, ["code", "expires_in", "svg"], True)
    picture = ET.fromstring(shown["svg"])
    assert (picture.tag, "viewBox" in picture.attrib) == ("{http://www.w3.org/2000/svg}svg", True)
    assert not any(word in shown["svg"] for word in ("style", "<?xml", "<script"))
    assert 'fill="#fff"' in shown["svg"]
    printed = [said(get(f"{ME}?kind=printed", by=login_of(card)))[1] for _ in range(2)]
    assert (printed[0]["expires_in"], printed[0] == printed[1]) == (None, True)


def test_code_may_be_for_one_business(card: LoyaltyCard, cashier: User) -> None:
    builders.business("elsewhere")
    for name in ("elsewhere", str(builders.business("elsewhere").pk)):
        code = said(get(f"{ME}?business={name}", by=login_of(card)))[1]["code"]
        assert refusal(post(SCAN, {"code": code}, by=cashier)) == (404, "not_found")
    assert outcomes("scan") == ["foreign", "foreign"]
    code = said(get(f"{ME}?business=corner-cafe", by=login_of(card)))[1]["code"]
    assert post(SCAN, {"code": code}, by=cashier).status_code == 200
    for unknown in ("nowhere", str(uuid4())):
        assert refusal(get(f"{ME}?business={unknown}", by=login_of(card))) == (404, "not_found")
    assert list(said(get(f"{ME}?kind=other", by=login_of(card)))[1]) == ["kind"]


def test_revoked_code_is_worth_nothing_and_the_next_one_is_good(card: LoyaltyCard, cashier: User) -> None:
    old = said(get(f"{ME}?kind=printed", by=login_of(card)))[1]["code"]
    assert said(post(REVOKE, {"kind": "printed"}, by=login_of(card))) == (200, {"kind": "printed", "revoked": True})
    new = said(get(f"{ME}?kind=printed", by=login_of(card)))[1]["code"]
    assert [post(SCAN, {"code": code}, by=cashier).status_code for code in (old, new)] == [404, 200]
    assert list(said(post(REVOKE, {}, by=login_of(card)))[1]) == ["kind"]


def test_codes_are_shown_to_customers_only(cashier: User) -> None:
    for user in (builders.plain_user(), cashier, builders.superuser()):
        assert refusal(get(ME, by=user)) == (403, "permission_denied")
        assert refusal(post(REVOKE, {"kind": "printed"}, by=user)) == (403, "permission_denied")


# --- Scans ---------------------------------------------------------------------------------------------------------


def test_scan_awards_and_tells_the_cards(card: LoyaltyCard, cashier: User) -> None:
    services.hold_points(card, points=100, by=None)
    status, told = said(post(SCAN, {"code": code_of(card), "business": "corner-cafe"}, by=cashier))
    program, customer = card.enrollment.program, card.enrollment.customer
    assert (status, told) == (
        200,
        {
            "outcome": "points_awarded",
            "points_awarded": 10,
            "customer": {"id": str(customer.pk), "masked_name": "Ada L."},
            "cards": [
                {
                    "id": str(card.pk),
                    "card_number": card.card_number,
                    "program": {"id": str(program.pk), "name": program.name},
                    "points_balance": 510,
                    "points_available": 410,
                    "tier_level": "silver",
                }
            ],
            "scan_id": str(QrScan.objects.get().pk),
        },
    )
    row = PointsTransaction.objects.order_by("seq").last()
    assert row is not None
    assert (row.staff_member, row.points_delta) == (cashier, 10)


def test_scan_under_a_key_awards_once_for_ever(card: LoyaltyCard, cashier: User) -> None:
    sent = {"code": code_of(card, "printed")}
    answers = [post(SCAN, sent, by=cashier, Idempotency_Key="s")]
    answers.append(post(SCAN, sent, by=cashier, Idempotency_Key="s"))
    IdempotencyKey.objects.all().delete()
    answers.append(post(SCAN, sent, by=cashier, Idempotency_Key="s"))
    assert [answer.get("Idempotent-Replay") for answer in answers] == [None, "true", "true"]
    assert {answer.content for answer in answers} == {answers[0].content}
    IdempotencyKey.objects.all().delete()
    for path, other in ((SCAN, {"code": "A" * 24}), (REDEEM, {"card": card.card_number, "points": 1})):
        assert refusal(post(path, other, by=cashier, Idempotency_Key="s")) == (422, "idempotency_key_reused")
    card.refresh_from_db()
    assert (card.points_balance, QrScan.objects.count()) == (510, 1)


def test_scan_of_a_stranger_asks_them(cashier: User) -> None:
    builders.program()
    person = builders.customer(user=builders.plain_user())
    code = services.show_code(person, "printed").code
    answers = [said(post(SCAN, {"code": code}, by=cashier))[1] for _ in range(2)]
    assert [(told["outcome"], told["points_awarded"], told["cards"]) for told in answers] == [
        ("enrollment_requested", 0, []),
        ("enrollment_pending", 0, []),
    ]


def test_worthless_codes_answer_alike_and_are_logged_truly(card: LoyaltyCard, cashier: User) -> None:
    revoked, foreign = code_of(card, "printed"), code_of(card, business=builders.business("elsewhere"))
    services.revoke_codes(card.enrollment.customer, "printed")
    used = code_of(card)
    assert post(SCAN, {"code": used}, by=cashier).status_code == 200
    answers = [post(SCAN, {"code": code}, by=cashier) for code in ("x", "A" * 24, foreign, revoked, used)]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * 5
    assert {answer.content for answer in answers} == {answers[0].content}
    assert outcomes("scan")[1:] == ["unknown", "unknown", "foreign", "revoked", "replayed"]


def test_scans_are_for_tills(card: LoyaltyCard, cashier: User) -> None:
    sent = {"code": code_of(card), "business": "corner-cafe"}
    assert refusal(post(SCAN, sent)) == (401, "not_authenticated")
    assert refusal(post(SCAN, sent, by=login_of(card))) == (404, "not_found")
    assert refusal(post(SCAN, sent, by=builders.staff())) == (403, "permission_denied")
    foreign = builders.program(builders.business("elsewhere"))
    for wrong in ({"business": "elsewhere"}, {"program": str(foreign.pk)}, {"program": str(uuid4())}):
        assert refusal(post(SCAN, {**sent, **wrong}, by=cashier)) == (404, "not_found")
    assert QrScan.objects.count() == 0
    assert post(SCAN, sent, by=builders.staff("loyalty.redeem_points")).status_code == 200
    for body, name in (({}, "code"), ({"code": []}, "code"), ({**sent, "x": 1}, "x")):
        assert list(said(post(SCAN, body, by=cashier))[1]) == [name]


@pytest.mark.parametrize(
    "text", ["", " ", "é" * 24, "=" * 24, "A" * 200, "A" * 201, "'; --", "%00", "🏆", "0x41", "-" * 24]
)
def test_hostile_text_is_told_in_its_shape(card: LoyaltyCard, cashier: User, text: str) -> None:
    for body in ({"code": text}, {"code": "A" * 24, "business": text}, {"code": "A" * 24, "program": text}):
        assert post(SCAN, body, by=cashier).status_code in (400, 404)
    for path in (REDEEM, EARN):
        assert post(path, {"qr": text, "points": 1}, by=cashier).status_code in (400, 404)
    assert get(f"{ME}?{urlencode({'business': text, 'kind': 'rotating'})}", by=login_of(card)).status_code in (
        200,
        404,
        400,
    )
    assert post(REVOKE, {"kind": text}, by=login_of(card)).status_code == 400


# --- In the place of a phone or card -------------------------------------------------------------------------------


def test_code_redeems_and_earns_once_each(card: LoyaltyCard, cashier: User) -> None:
    sent = {"qr": code_of(card), "points": 100}
    dry = [said(post(REDEEM, {**sent, "dry_run": True}, by=cashier)) for _ in range(2)]
    assert [(status, told["points_balance_after"]) for status, told in dry] == [(200, 400)] * 2
    assert post(REDEEM, sent, by=cashier).status_code == 200
    assert refusal(post(REDEEM, sent, by=cashier)) == (404, "not_found")
    assert post(EARN, {"qr": sent["qr"], "points": 7}, by=cashier).status_code == 201
    assert refusal(post(EARN, {"qr": sent["qr"], "points": 7}, by=cashier)) == (404, "not_found")
    card.refresh_from_db()
    assert (card.points_balance, outcomes("redeem"), outcomes("earn")) == (407, ["replayed"], ["replayed"])


def test_same_key_replays_before_the_code_is_looked_at(card: LoyaltyCard, cashier: User) -> None:
    sent = {"qr": code_of(card), "points": 100}
    answers = [post(REDEEM, sent, by=cashier, Idempotency_Key="till-1") for _ in range(2)]
    put = [
        send(
            "PUT",
            REDEEM,
            {"qr": code_of(card, business=builders.business()), "points": 1, "redemption_id": "p"},
            by=cashier,
        )
    ] * 2
    assert (answers[0].content, answers[1].get("Idempotent-Replay")) == (answers[1].content, "true")
    assert [answer.status_code for answer in put] == [200, 200]
    card.refresh_from_db()
    assert (card.points_balance, outcomes("redeem")) == (399, [])


def test_key_is_known_to_the_ledger_when_code_and_answer_are_forgotten(card: LoyaltyCard, cashier: User) -> None:
    sent = {"qr": code_of(card), "points": 100}
    post(REDEEM, sent, by=cashier, Idempotency_Key="till-1")
    IdempotencyKey.objects.all().delete()
    again = post(REDEEM, sent, by=cashier, Idempotency_Key="till-1")
    assert (again.status_code, again.get("Idempotent-Replay")) == (200, "true")
    assert refusal(post(REDEEM, {**sent, "points": 1}, by=cashier, Idempotency_Key="till-1"))[0] == 422


def test_same_order_by_its_reference_gets_its_first_answer(card: LoyaltyCard, cashier: User) -> None:
    sent = {"qr": code_of(card), "order_total": "25.50", "transaction_reference": "order-1"}
    first, again = (post(EARN, sent, by=cashier) for _ in range(2))
    assert (first.status_code, again.status_code, first.content) == (201, 200, again.content)
    assert refusal(post(EARN, {**sent, "order_total": "9.00"}, by=cashier)) == (409, "reference_conflict")
    card.refresh_from_db()
    assert card.points_balance == 525


@pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "till-1"}])
def test_refusal_gives_the_code_back(card: LoyaltyCard, cashier: User, key: dict[str, str]) -> None:
    sent = {"qr": code_of(card), "points": 501}
    assert refusal(post(REDEEM, sent, by=cashier, **key)) == (409, "insufficient_points")
    assert QrUse.objects.count() == 0
    assert post(REDEEM, {**sent, "points": 500}, by=cashier, **key).status_code == 200


def test_printed_code_earns_but_never_redeems(card: LoyaltyCard, cashier: User) -> None:
    printed = code_of(card, "printed")
    for dry_run in (True, False):
        sent = {"qr": printed, "points": 1, "dry_run": dry_run}
        assert refusal(post(REDEEM, sent, by=cashier)) == (409, "identify_only")
    put = send("PUT", REDEEM, {"qr": printed, "points": 1, "redemption_id": "p"}, by=cashier)
    assert refusal(put) == (409, "identify_only")
    assert [post(EARN, {"qr": printed, "points": 5}, by=cashier).status_code for _ in range(2)] == [201, 201]
    assert outcomes("redeem") == ["identify_only"] * 3


def test_code_stands_for_the_card_of_the_program(card: LoyaltyCard, cashier: User) -> None:
    other = builders.card(of=builders.program(name="Other"), by=card.enrollment.customer)
    sent = {"qr": code_of(card, "printed"), "points": 5, "program": str(other.enrollment.program_id)}
    assert post(EARN, sent, by=cashier).status_code == 201
    third = builders.program(name="Third")
    assert refusal(post(EARN, {**sent, "program": str(third.pk)}, by=cashier)) == (404, "not_found")
    other.refresh_from_db()
    assert other.points_balance == 5


def test_customers_redeem_nothing_by_code(card: LoyaltyCard) -> None:
    sent = {"qr": code_of(card), "points": 1, "business": "corner-cafe"}
    assert refusal(post(REDEEM, sent, by=login_of(card))) == (404, "not_found")
    assert QrScan.objects.count() == QrUse.objects.count() == 0


def test_code_enrols_once_by_asking(cashier: User) -> None:
    person: Customer = builders.customer(user=builders.plain_user())
    program, other = builders.program(), builders.program(name="Other")
    sent = {"qr": services.show_code(person, "rotating").code, "program": str(program.pk)}
    assert said(post(ENROLL, sent, by=cashier))[1]["status"] == "pending"
    assert refusal(post(ENROLL, {**sent, "program": str(other.pk)}, by=cashier)) == (404, "not_found")
    assert (Enrollment.objects.get().customer, outcomes("enroll")) == (person, ["replayed"])
    assert refusal(post(ENROLL, {**sent, "qr": "ABC"}, by=cashier)) == (404, "not_found")
    assert outcomes("enroll") == ["replayed", "unknown"]


# --- In the admin --------------------------------------------------------------------------------------------------


def shown(client: Client, name: str, **query: str) -> tuple[int, str]:
    """How many rows a list shows, and the page."""
    page = client.get(f"/admin/loyalty/{name}/", query).content.decode()
    return page.count('class="field-moment'), page


def test_lists_show_members_their_own_rows_and_mask_strangers(card: LoyaltyCard, cashier: User) -> None:
    elsewhere, stranger = builders.business("elsewhere"), builders.customer("07306 506798", first_name="Zoe")
    services.scan_code(code_of(card), builders.business(), by=cashier)
    services.scan_code(services.show_code(stranger, "printed").code, builders.business(), by=cashier)
    services.scan_code(code_of(card), elsewhere, by=builders.superuser())
    client = Client()
    client.force_login(cashier)
    # Joining was an interaction too.
    for name, rows, found in (("qrscan", 2, 1), ("customerinteraction", 3, 2)):
        count, page = shown(client, name)
        assert (count, "Ada Lovelace" in page, "Zoe L." in page, "Zoe Lovelace" in page) == (rows, True, True, False)
        assert [shown(client, name, q=text)[0] for text in ("07306 506797", "Zoe", "07306 506798")] == [found, 0, 0]
    assert [shown(client, "qrscan", kind=kind)[0] for kind in ("rotating", "printed", "none")] == [1, 1, 0]
    scan, foreign = QrScan.objects.get(customer=stranger), QrScan.objects.get(business=elsewhere)
    facts = client.get(f"/admin/loyalty/qrscan/{scan.pk}/change/").content.decode()
    assert ("Customer identified" in facts, "Zoe L." in facts, "Lovelace" in facts) == (True, True, False)
    assert client.get(f"/admin/loyalty/qrscan/{foreign.pk}/change/").status_code == 404
    for row in CustomerInteraction.objects.filter(business=scan.business):
        assert client.get(f"/admin/loyalty/customerinteraction/{row.pk}/change/").status_code == 200


def test_staff_see_everybody_and_look_only(card: LoyaltyCard, cashier: User, staff_client: Client) -> None:
    stranger = builders.customer(first_name="Zoe")
    services.scan_code(services.show_code(stranger, "printed").code, builders.business("elsewhere"), by=cashier)
    count, page = shown(staff_client, "qrscan", q="Zoe")
    assert (count, "Zoe Lovelace" in page) == (1, True)
    assert staff_client.get("/admin/loyalty/qrscan/add/").status_code == 403
    assert staff_client.post(f"/admin/loyalty/qrscan/{QrScan.objects.get().pk}/change/").status_code == 403


@pytest.mark.parametrize("name", ["qrscan", "customerinteraction"])
def test_lists_ask_as_much_for_three_rows_as_for_one(name: str, cashier: User) -> None:
    client, asked = Client(), []
    client.force_login(cashier)
    for number in range(3):
        services.scan_code(services.show_code(builders.customer(), "printed").code, builders.business(), by=cashier)
        with CaptureQueriesContext(connection) as queries:
            assert shown(client, name)[0] == number + 1
        asked.append(len(queries))
    assert asked[1:] == [asked[1]] * 2
