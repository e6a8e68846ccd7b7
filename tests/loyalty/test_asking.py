"""What customers are asked, and that a yes, a no and a silence each do just what they say."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from loyalty import services
from loyalty.models import Customer, CustomerInteraction, Enrollment, LoyaltyCard, PointsHold, PointsTransaction
from loyalty.services import Instruction
from notifications.models import ApprovalRequest, Change, Notification
from notifications.services import answer_request, expire_requests
from tests import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Customer:
    """Has a login to answer with."""
    return builders.customer(user=builders.plain_user())


def invited(ada: Customer, **program: Any) -> tuple[Enrollment, ApprovalRequest]:
    """By a cashier."""
    cashier = builders.member("cashier", builders.business())
    at = builders.program(**{"welcome_points": 50, "name": "Stamps", **program})
    enrollment, request = services.request_enrollment(ada, at, by=cashier, source="till")
    assert request is not None
    return enrollment, request


def told(**recipient: Any) -> list[str]:
    """The types, oldest first."""
    return list(Notification.objects.filter(**recipient).order_by("created_at").values_list("type", flat=True))


def granted() -> tuple[int, int]:
    """Cards and rows of the ledger."""
    return LoyaltyCard.objects.count(), PointsTransaction.objects.count()


def asked_to_deduct(points: int = 30) -> tuple[PointsHold, ApprovalRequest]:
    """Of a card with 100 points."""
    card = builders.card(100, by=builders.customer(user=builders.plain_user()))
    manager = builders.member("manager", card.enrollment.program.business)
    hold = services.ask_to_deduct(card, points=points, reason="Booked twice", by=manager)
    return hold, ApprovalRequest.objects.get(reference_id=hold.pk)


def test_whoever_has_a_login_is_asked_and_nothing_is_granted_before_the_answer(ada: Customer) -> None:
    enrollment, request = invited(ada)
    assert (enrollment.status, enrollment.activated_at, granted()) == ("pending", None, (0, 0))
    assert (request.kind, request.status, request.reference_id) == ("enrollment", "pending", enrollment.pk)
    assert request.expires_at - request.created_at == pytest.approx(timedelta(days=7), abs=timedelta(seconds=5))
    notification = Notification.objects.get()
    assert (notification.type, notification.customer_id, notification.requires_action) == (
        "enrollment_requested",
        ada.pk,
        True,
    )


def test_whoever_has_none_joins_at_the_till() -> None:
    boss, program = builders.superuser(), builders.program(welcome_points=50)
    enrollment, request = services.request_enrollment(builders.customer(), program, by=boss, source="till")
    assert (enrollment.status, request, enrollment.by, granted()) == ("active", None, boss, (1, 1))


def test_yes_grants_one_card_and_one_welcome_and_tells_both(ada: Customer) -> None:
    enrollment, request = invited(ada)
    answer_request(request, accept=True, by=ada.user)
    enrollment.refresh_from_db()
    card = LoyaltyCard.objects.get()
    assert (enrollment.status, card.enrollment_id, card.points_balance, granted()) == (
        "active",
        enrollment.pk,
        50,
        (1, 1),
    )
    assert told(customer_id=ada.pk) == ["enrollment_requested", "enrollment_accepted"]
    assert told(business_id=enrollment.program.business_id) == ["enrollment_accepted"]
    assert list(CustomerInteraction.objects.order_by("id").values_list("kind", flat=True)) == ["asked", "joined"]


def test_no_grants_nothing_and_tells_both(ada: Customer) -> None:
    enrollment, request = invited(ada)
    answer_request(request, accept=False, by=ada.user)
    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.activated_at, granted()) == ("declined", None, (0, 0))
    assert told(customer_id=ada.pk) == ["enrollment_requested", "enrollment_declined"]
    assert told(business_id=enrollment.program.business_id) == ["enrollment_declined"]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_second_answer_changes_nothing(ada: Customer, first: bool, second: bool) -> None:
    _enrollment, request = invited(ada)
    answer_request(request, accept=first, by=ada.user)
    before = (granted(), Notification.objects.count(), Change.objects.count())
    with pytest.raises(ValidationError) as refusal:
        answer_request(request, accept=second, by=ada.user)
    assert (refusal.value.code, (granted(), Notification.objects.count(), Change.objects.count())) == (
        "already_answered",
        before,
    )


@pytest.mark.parametrize("swept", [True, False], ids=["after the job", "before the job"])
def test_late_answer_grants_nothing(ada: Customer, swept: bool) -> None:
    enrollment, request = invited(ada)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1), tick=False):
        assert not swept or expire_requests() == 1
        with pytest.raises(ValidationError) as refusal:
            answer_request(request, accept=True, by=ada.user)
    enrollment.refresh_from_db()
    assert (refusal.value.code, granted()) == ("expired", (0, 0))
    assert enrollment.status == ("expired" if swept else "pending")
    assert told(business_id=enrollment.program.business_id) == (["enrollment_expired"] if swept else [])


def ask_again(ada: Customer, enrollment: Enrollment) -> str:
    """The status, or the code of the refusal."""
    try:
        again, _request = services.request_enrollment(ada, enrollment.program, by=builders.superuser(), source="till")
    except ValidationError as error:
        return str(error.code)
    return again.status


def test_asking_again_is_refused_while_it_is_open_after_a_yes_and_for_a_week_after_a_no(ada: Customer) -> None:
    enrollment, request = invited(ada)
    assert ask_again(ada, enrollment) == "enrollment_pending"
    answer_request(request, accept=False, by=ada.user)
    assert ask_again(ada, enrollment) == "declined_recently"
    with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1), tick=False):
        assert ask_again(ada, enrollment) == "pending"
        answer_request(ApprovalRequest.objects.get(status="pending"), accept=True, by=ada.user)
        assert ask_again(ada, enrollment) == "already_enrolled"


def test_silence_keeps_nobody_from_being_asked_anew_though_no_worker_has_looked(ada: Customer) -> None:
    enrollment, _request = invited(ada)
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1), tick=False):
        assert ask_again(ada, enrollment) == "pending"
    statuses = list(ApprovalRequest.objects.order_by("created_at").values_list("status", flat=True))
    assert (statuses, Enrollment.objects.count()) == (["expired", "pending"], 1)


def test_customer_who_joins_alone_answers_the_open_question(ada: Customer) -> None:
    enrollment, request = invited(ada)
    joined = services.join_program(ada, enrollment.program)
    request.refresh_from_db()
    assert (joined.pk, joined.status, request.status, granted()) == (enrollment.pk, "active", "accepted", (1, 1))


def test_yes_to_a_program_that_was_switched_off_is_refused_and_can_be_given_again(ada: Customer) -> None:
    enrollment, request = invited(ada)
    services.change_program(enrollment.program, is_active=False)
    with pytest.raises(ValidationError) as refusal:
        answer_request(request, accept=True, by=ada.user)
    request.refresh_from_db()
    assert (refusal.value.code, request.status, granted()) == ("program_inactive", "pending", (0, 0))
    answer_request(request, accept=False, by=ada.user)
    assert Enrollment.objects.get().status == "declined"


def test_whoever_left_and_is_asked_back_gets_the_old_card_and_no_second_welcome(ada: Customer) -> None:
    enrollment, request = invited(ada)
    answer_request(request, accept=True, by=ada.user)
    Enrollment.objects.update(status="left")
    assert ask_again(ada, enrollment) == "pending"
    answer_request(ApprovalRequest.objects.get(status="pending"), accept=True, by=ada.user)
    assert (LoyaltyCard.objects.get().points_balance, granted()) == (50, (1, 1))


def test_question_that_events_have_overtaken_closes_without_harm(ada: Customer) -> None:
    enrollment, request = invited(ada)
    with pytest.raises(ValidationError) as refusal:
        services.enroll_customer(ada, enrollment.program, by=None, source="till")
    assert (refusal.value.code, granted()) == ("enrollment_pending", (0, 0))
    now = timezone.now()
    Enrollment.objects.update(status="active", activated_at=now, consented_at=now)
    answer_request(request, accept=False, by=ada.user)
    assert (Enrollment.objects.get().status, granted()) == ("active", (0, 0))


def test_whom_only_a_scan_has_shown_stays_a_stranger_when_they_say_no(ada: Customer) -> None:
    program = builders.program()
    services.request_enrollment(ada, program, by=builders.superuser(), source="scan")
    answer_request(ApprovalRequest.objects.get(), accept=False, by=ada.user)
    told_business = Notification.objects.get(business_id=program.business_id)
    assert told_business.title == f"Ada L. declined to join {program.name}"


def test_accepted_deduction_takes_what_was_held(ada: Customer) -> None:
    hold, request = asked_to_deduct()
    assert (LoyaltyCard.objects.get().points_available, request.expires_at) == (70, hold.expires_at)
    answer_request(request, accept=True, by=None)
    card, row = LoyaltyCard.objects.get(), PointsTransaction.objects.order_by("seq").last()
    assert row is not None
    assert (card.points_balance, card.points_held, row.operation_type, row.points_delta) == (
        70,
        0,
        "adjust_points",
        -30,
    )
    customer = card.enrollment.customer_id
    assert told(customer_id=customer)[-2:] == ["deduction_requested", "points_adjusted"]
    assert told(business_id=card.enrollment.program.business_id)[-1] == "deduction_accepted"


@pytest.mark.parametrize("end", ["declined", "expired", "withdrawn"])
def test_deduction_without_a_yes_gives_the_points_back(end: str) -> None:
    hold, request = asked_to_deduct()
    if end == "declined":
        answer_request(request, accept=False, by=None)
    elif end == "withdrawn":
        services.release_hold(hold)
    else:
        with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1), tick=False):
            assert expire_requests() == 1
    card = LoyaltyCard.objects.get()
    assert (card.points_balance, card.points_held) == (100, 0)
    with pytest.raises(ValidationError) as refusal:
        answer_request(request, accept=True, by=None)
    assert refusal.value.code == ("already_answered" if end == "declined" else "expired")


def test_each_movement_is_told_once_in_words(ada: Customer) -> None:
    card = builders.card(by=ada)
    services.earn_points(card, Instruction(key="k"), points=10)
    services.earn_points(card, Instruction(key="k"), points=10)
    services.redeem_points(card, Instruction(), points=4)
    business = card.enrollment.program.business.name
    newest = Notification.objects.filter(customer_id=ada.pk, type__startswith="points_").order_by("created_at")
    assert list(newest.values_list("title", "message")) == [
        (f"You earned 10 points at {business}", "Your balance is 10 points."),
        (f"You redeemed 4 points at {business}", "Your balance is 6 points."),
    ]
    assert Change.objects.filter(entity="card", customer_id=ada.pk, entity_id=card.pk).count() == 2


def test_both_sides_learn_that_an_enrolment_changed(ada: Customer) -> None:
    enrollment, _request = invited(ada)
    change = Change.objects.get(entity="enrollment")
    assert (change.customer_id, change.business_id, change.entity_id, change.action) == (
        ada.pk,
        enrollment.program.business_id,
        enrollment.pk,
        "created",
    )


def test_points_that_expire_within_a_week_are_told_once_for_each_day(ada: Customer) -> None:
    card = builders.card(of=builders.program(expiry_days=30), by=ada)
    services.earn_points(card, Instruction(), points=10)
    services.earn_points(card, Instruction(), points=5)
    services.hold_points(card, points=4, by=None)
    assert services.warn_of_expiry() == 0
    with time_machine.travel(timezone.now() + timedelta(days=24), tick=False):
        assert (services.warn_of_expiry(), services.warn_of_expiry()) == (1, 0)
    assert Notification.objects.get(type="points_expiring").data["points"] == 11


def test_new_name_of_a_customer_is_news_for_each_business_that_knows_them(ada: Customer) -> None:
    card = builders.card(by=ada)
    builders.card(of=builders.program(name="Second"), by=ada)
    Change.objects.all().delete()
    ada.first_name = "Augusta"
    ada.save()
    changes = Change.objects.filter(entity="customer").values_list("customer_id", "business_id", "action")
    assert list(changes) == [(ada.pk, card.enrollment.program.business_id, "updated")]
