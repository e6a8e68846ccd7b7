"""Customers' codes and what a scan brings about, as the services tell it."""

import base64
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.models import Business, User
from loyalty import services
from loyalty.models import (
    Customer,
    CustomerInteraction,
    Enrollment,
    LoyaltyCard,
    PointsTransaction,
    QrKey,
    QrScan,
    QrUse,
)
from loyalty.selectors import masked_name, scan_figures
from loyalty.services.codes import read_code
from notifications.models import ApprovalRequest, Notification
from notifications.services import answer_request
from tests import builders
from tests.loyalty.crowd import at_once

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def code_of(customer: Customer, kind: str = "rotating", **kwargs: Any) -> str:
    return services.show_code(customer, kind, **kwargs).code


def read(code: str, business: Business | None = None) -> str:
    """Why it is worth nothing, or nothing."""
    return read_code(code, business or builders.business()).refusal


def cashier() -> User:
    return builders.member("cashier", builders.business())


def scan(customer: Customer, **kwargs: Any) -> tuple[str, int]:
    """A scan of a code that was not shown before: its outcome and points."""
    found = services.scan_code(code_of(customer, "printed"), builders.business(), by=cashier(), **kwargs)
    return found.outcome, found.points_awarded


def logged_in_customer() -> Customer:
    return builders.customer(user=builders.plain_user())


# --- What a code is ------------------------------------------------------------------------------------------------


def test_code_is_opaque_and_nothing_in_it_stays_from_step_to_step() -> None:
    person = builders.customer("07306 506797")
    with time_machine.travel(NOON, tick=False) as clock:
        seen = []
        for _ in range(40):
            seen.append(code_of(person))
            clock.shift(30)
    key = QrKey.objects.get(kind="rotating")
    assert all(re.fullmatch(r"[A-Z2-7]{24}", code) for code in seen)
    for code in seen:
        raw = base64.b32decode(code).hex()
        assert not any(part in raw for part in (key.handle, "7306506797", person.pk.hex[:8]))
    # Each of the 24 places takes many values: by chance no place has fewer than 15 of 32.
    assert min(len(set(place)) for place in zip(*seen, strict=True)) > 10
    assert len(set(seen)) == 40


def test_code_lasts_its_step_and_says_how_long() -> None:
    person = builders.customer()
    with time_machine.travel(NOON, tick=False) as clock:
        first = services.show_code(person, "rotating")
        clock.shift(17)
        again = services.show_code(person, "rotating")
    assert (first.expires_in, again.expires_in, first.code == again.code) == (30, 13, True)
    printed = services.show_code(person, "printed")
    assert (printed.expires_in, printed.code == code_of(person, "printed")) == (None, True)


@pytest.mark.parametrize(
    ("seconds", "refusal"),
    [
        (0, ""),
        (29, ""),
        (30, ""),
        (59, ""),
        (60, "expired"),
        (1200, "expired"),
        (1260, "unknown"),
        (-30, ""),
        (-31, "unknown"),
    ],
)
def test_code_is_good_for_a_step_before_and_after(seconds: int, refusal: str) -> None:
    person = builders.customer()
    with time_machine.travel(NOON, tick=False) as clock:
        code = code_of(person)
        clock.shift(seconds)
        assert read(code) == refusal


def test_code_for_a_business_is_foreign_elsewhere() -> None:
    here, there, person = builders.business(), builders.business("elsewhere"), builders.customer()
    bound, free = code_of(person, business=here), code_of(person)
    assert [read(bound, here), read(bound, there)] == ["", "foreign"]
    assert [read(free, here), read(free, there)] == ["", ""]
    printed = code_of(person, "printed", business=here)
    assert (printed == code_of(person, "printed"), read(printed, there)) == (True, "")


def test_revoked_code_is_known_as_such_and_the_next_is_good() -> None:
    person = builders.customer()
    for kind in ("rotating", "printed"):
        old = code_of(person, kind)
        services.revoke_codes(person, kind)
        new = code_of(person, kind)
        assert (new != old, read(old), read(new)) == (True, "revoked", "")
    assert QrKey.objects.good().count() == 2


def test_code_is_read_however_it_is_typed_and_nothing_else_is() -> None:
    code = code_of(builders.customer())
    for typed in (f"  {code}\n", code.lower(), "-".join(code[i : i + 4] for i in range(0, 24, 4)), " ".join(code)):
        assert read(typed) == ""
    for other in ("", "A", code[:-1], code + "A", code[:-1] + "=", code[:-1] + "1", code[:-1] + "é", "\x00" * 24):
        assert read(other) == "unknown"
    assert read(code.replace(code[0], "ſ", 1)) == "unknown"


@settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(["rotating", "printed"]),
    changes=st.dictionaries(st.integers(0, 23), st.sampled_from(ALPHABET), min_size=1),
)
def test_changed_code_is_never_anybodys(kind: str, changes: dict[int, str]) -> None:
    code = code_of(builders.customer("07306 506797"), kind)
    letters = list(code)
    for place, letter in changes.items():
        letters[place] = letter
    assert read("".join(letters)) == ("" if "".join(letters) == code else "unknown")


def test_code_is_found_in_one_query(django_assert_num_queries: Any) -> None:
    code, business = code_of(builders.customer()), builders.business()
    with django_assert_num_queries(1):
        read(code, business)


# --- Taken once ----------------------------------------------------------------------------------------------------


def take(code: str, business: Business, purpose: str) -> str:
    try:
        with services.refusals_logged(), transaction.atomic():
            services.customer_of_code(code, business, purpose, by=None)
    except ValidationError as refusal:
        return str(refusal.code)
    return ""


def test_code_on_a_screen_is_taken_once_for_each_business_and_purpose() -> None:
    here, there, code = builders.business(), builders.business("elsewhere"), code_of(builders.customer())
    assert [take(code, here, purpose) for purpose in ("scan", "redeem", "earn", "enroll")] == [""] * 4
    assert take(code, there, "redeem") == ""
    assert [take(spelling, here, "redeem") for spelling in (code, code.lower())] == ["not_found"] * 2
    assert list(QrScan.objects.values_list("purpose", "outcome", "kind")) == [("redeem", "replayed", "rotating")] * 2


def test_code_on_paper_is_taken_as_often_as_wanted_but_never_to_redeem() -> None:
    here, code = builders.business(), code_of(builders.customer(), "printed")
    assert [take(code, here, "earn"), take(code, here, "earn")] == ["", ""]
    assert take(code, here, "redeem") == "identify_only"
    assert [row.outcome for row in QrScan.objects.all()] == ["identify_only"]


def test_refusal_is_written_down_once_whatever_is_rolled_back() -> None:
    here, by = builders.business(), cashier()
    with pytest.raises(ValidationError), services.refusals_logged(), transaction.atomic():
        services.scan_code("nonsense", here, by=by)
    with pytest.raises(ValidationError), services.refusals_logged():
        services.scan_code("nonsense", here, by=by)
    assert list(QrScan.objects.values_list("outcome", flat=True)) == ["unknown"] * 2


def test_claim_is_undone_with_its_effect_and_forgotten_after_an_hour() -> None:
    here, code = builders.business(), code_of(builders.customer())
    with transaction.atomic():
        services.customer_of_code(code, here, "earn", by=None)
        transaction.set_rollback(True)
    assert take(code, here, "earn") == ""
    services.forget_old_uses()
    assert QrUse.objects.count() == 1
    QrUse.objects.update(used_at=NOON)
    services.forget_old_uses()
    assert QrUse.objects.count() == 0


# --- What a scan brings about --------------------------------------------------------------------------------------


def test_scan_of_a_member_awards_once_in_the_cooldown_and_tells_them() -> None:
    card = builders.card(of=builders.program(scan_points=15, scan_cooldown_minutes=60, is_default=True))
    person = card.enrollment.customer
    with time_machine.travel(NOON, tick=False) as clock:
        seen = [scan(person), scan(person)]
        clock.shift(3599)
        seen.append(scan(person))
        clock.shift(1)
        seen.append(scan(person))
    assert seen == [
        ("points_awarded", 15),
        ("customer_identified", 0),
        ("customer_identified", 0),
        ("points_awarded", 15),
    ]
    card.refresh_from_db()
    row = PointsTransaction.objects.filter(card=card).order_by("seq")[0]
    assert (card.points_balance, row.operation_type, row.staff_member is not None) == (30, "earn_points", True)
    assert services.earning_of(row).points == 15
    told = Notification.objects.filter(customer_id=person.pk, type="qr_scanned")
    assert (told.count(), told[0].title) == (4, "Your QR code was scanned by Corner Cafe")
    assert CustomerInteraction.objects.filter(kind="scanned", customer=person).count() == 4
    assert set(QrScan.objects.values_list("card", "program")) == {(card.pk, card.enrollment.program_id)}


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ({"scan_cooldown_minutes": 0}, [("points_awarded", 10)] * 2),
        ({"scan_points": 0}, [("customer_identified", 0)] * 2),
        ({"max_points_per_transaction": 9}, [("customer_identified", 0)] * 2),
        ({"max_points_per_day": 15, "scan_cooldown_minutes": 0}, [("points_awarded", 10), ("customer_identified", 0)]),
        ({"is_active": False}, [("customer_identified", 0)] * 2),
    ],
)
def test_scan_goes_by_the_programs_rules(rules: dict[str, Any], seen: list[tuple[str, int]]) -> None:
    card = builders.card(of=builders.program(is_default=True))
    services.change_program(card.enrollment.program, **rules)
    assert [scan(card.enrollment.customer) for _ in range(2)] == seen
    card.refresh_from_db()
    assert card.points_balance == sum(points for _outcome, points in seen)


def test_scan_of_a_stranger_asks_once_and_grants_nothing_until_they_accept() -> None:
    program, person = builders.program(welcome_points=50, is_default=True), logged_in_customer()
    assert [scan(person), scan(person)] == [("enrollment_requested", 0), ("enrollment_pending", 0)]
    assert (LoyaltyCard.objects.count(), Enrollment.objects.get().source) == (0, "scan")
    answer_request(ApprovalRequest.objects.get(), accept=True, by=person.user)
    card = LoyaltyCard.objects.get()
    assert (card.points_balance, card.enrollment.status, card.enrollment.program) == (50, "active", program)
    assert scan(person) == ("points_awarded", 10)


def test_scan_of_who_declined_asks_again_after_seven_days() -> None:
    builders.program()
    person = logged_in_customer()
    with time_machine.travel(NOON, tick=False) as clock:
        scan(person)
        answer_request(ApprovalRequest.objects.get(), accept=False, by=person.user)
        assert scan(person) == ("customer_identified", 0)
        clock.shift(timedelta(days=7, seconds=1))
        assert scan(person) == ("enrollment_requested", 0)
    assert LoyaltyCard.objects.count() == 0


def test_scan_only_identifies_who_cannot_answer_and_where_there_is_no_program() -> None:
    tenant = builders.business()
    assert scan(logged_in_customer()) == ("customer_identified", 0)
    program = builders.program(tenant)
    assert scan(builders.customer()) == ("customer_identified", 0)
    services.change_program(program, is_active=False)
    assert scan(logged_in_customer()) == ("customer_identified", 0)
    assert Enrollment.objects.count() == 0


def test_scan_may_name_another_program_of_the_business() -> None:
    builders.program()
    other = builders.program(name="Other", scan_points=3)
    person = builders.card(of=other).enrollment.customer
    assert scan(person, program=other) == ("points_awarded", 3)
    assert scan(person) == ("customer_identified", 0)


def test_refused_scan_moves_nothing_and_its_reason_is_written_down() -> None:
    card = builders.card(of=builders.program())
    person, tenant, by = card.enrollment.customer, builders.business(), cashier()
    with time_machine.travel(NOON, tick=False) as clock:
        late = code_of(person)
        clock.shift(90)
        fresh, foreign, revoked = (
            code_of(person),
            code_of(person, business=builders.business("b")),
            code_of(person, "printed"),
        )
        services.revoke_codes(person, "printed")
        services.scan_code(fresh, tenant, by=by)
        for code in ("nonsense", late, foreign, revoked, fresh):
            with pytest.raises(services.CodeRefused):
                services.scan_code(code, tenant, by=by)
    outcomes = ["unknown", "expired", "foreign", "revoked", "replayed"]
    rows = QrScan.objects.exclude(outcome="points_awarded")
    assert {row.outcome: (row.customer, row.by) for row in rows} == {
        outcome: (None if outcome == "unknown" else person, by) for outcome in outcomes
    }
    card.refresh_from_db()
    assert card.points_balance == 10


# --- At the same moment --------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_two_scanners_at_once_award_one_card_once() -> None:
    card = builders.card(of=builders.program())
    person, tenant, by = card.enrollment.customer, builders.business(), cashier()
    printed = code_of(person, "printed")
    answers = at_once(*[lambda: services.scan_code(printed, tenant, by=by).outcome] * 8)
    assert Counter(answers) == {"points_awarded": 1, "customer_identified": 7}
    code = code_of(person)
    answers = at_once(*[lambda: services.scan_code(code, tenant, by=by).outcome] * 8)
    assert Counter(answers) == {"customer_identified": 1, "not_found": 7}
    card.refresh_from_db()
    assert (card.points_balance, services.verify_ledger()) == (10, None)


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_stranger_scanned_at_once_is_asked_once_and_has_one_key() -> None:
    person, program, by = logged_in_customer(), builders.program(), cashier()
    codes = at_once(*[lambda: code_of(person, "printed")] * 8)
    assert (len(set(codes)), QrKey.objects.filter(kind="rotating").count()) == (1, 1)
    answers = at_once(*[lambda: services.scan_code(codes[0], program.business, by=by).outcome] * 8)
    assert Counter(answers) == {"enrollment_requested": 1, "enrollment_pending": 7}
    assert ApprovalRequest.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.usefixtures("really_committed")
def test_code_redeems_once_however_many_tills_read_it() -> None:
    card = builders.card(500)
    code, tenant = code_of(card.enrollment.customer), builders.business()

    def redeem() -> str:
        with services.refusals_logged(), transaction.atomic():
            services.customer_of_code(code, tenant, "redeem", by=None)
            services.redeem_points(card, services.Instruction(), points=10)
        return "redeemed"

    assert Counter(at_once(*[redeem] * 8)) == {"redeemed": 1, "not_found": 7}
    assert Counter(QrScan.objects.values_list("outcome", flat=True)) == {"replayed": 7}


# --- What is read of them ------------------------------------------------------------------------------------------


def test_masked_name_is_short() -> None:
    named = Customer(first_name="Ada", last_name="Lovelace", phone="+447306506797")
    assert masked_name(named) == "Ada L."
    assert masked_name(Customer(first_name="Ada", phone="+447306506797")) == "Ada"
    assert masked_name(Customer(phone="+447306506797")) == "Customer …797"


def test_figures_count_by_day_and_reason_in_two_queries(django_assert_num_queries: Any) -> None:
    program = builders.program(scan_cooldown_minutes=0, is_default=True)
    tenant, members = program.business, [builders.card(of=program).enrollment.customer for _ in range(2)]
    with time_machine.travel(NOON, tick=False) as clock:
        scan(members[0])
        clock.shift(timedelta(days=40))
        for person in (*members, members[0], logged_in_customer()):
            scan(person)
        clock.shift(timedelta(days=1))
        for _ in range(2):
            with pytest.raises(ValidationError):
                services.scan_code("A" * 24, tenant, by=cashier())
        builders.business("elsewhere")
        with django_assert_num_queries(2):
            figures = scan_figures(tenant, days=7)
    assert (figures.scans, figures.people, figures.points_awarded, figures.requests) == (4, 3, 30, 1)
    assert figures.refused == {"No such code": 2}
    assert [day.scans for day in figures.days] == [0, 0, 0, 0, 0, 4, 0]
    assert [day.refused for day in figures.days] == [0, 0, 0, 0, 0, 0, 2]
    assert scan_figures(builders.business("elsewhere")).refused == {}
