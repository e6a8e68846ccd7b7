"""What customers are asked, and what their answer does: a yes, a no and a silence each have a way of their own."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from crm.models import User
from loyalty.models import Customer, Enrollment, LoyaltyCard, PointsHold, Program, rules
from loyalty.selectors.words import money, points_in_words
from loyalty.services import telling
from loyalty.services.correcting import check_reason
from loyalty.services.enrolling import activate, enroll_customer, lock_place
from loyalty.services.ledger import Instruction, lock_account, settle_and_book
from loyalty.services.redeeming import DEDUCTION_REQUEST, capture_hold, hold_points, release_hold
from notifications.models import ApprovalRequest
from notifications.services import answer_request, ask, expire_request, pending_request

ASK_FOR = timedelta(days=7)
ENROLLMENT = "enrollment"
Answer = ApprovalRequest.Status
Status = Enrollment.Status


def request_enrollment(
    customer: Customer, program: Program, *, by: User, source: str
) -> tuple[Enrollment, ApprovalRequest | None]:
    """Ask a customer who has a login whether they want to join; whoever has none has said so at the till, and joins.

    Raises ValidationError: `program_inactive`, `already_enrolled`, `enrollment_pending`, and `declined_recently` for
    seven days after a no.
    """
    with transaction.atomic():
        _end_late_request(customer, program)
        enrollment = lock_place(customer, program)
        _check_may_be_asked(enrollment)
        if not enrollment.customer.user_id:
            return activate(enrollment, by=by, source=source), None
        is_new = enrollment._state.adding
        enrollment.status, enrollment.source, enrollment.by = Status.PENDING, source, by
        enrollment.save()
        telling.note_enrollment(enrollment, "created" if is_new else "updated")
        request = _ask_to_join(enrollment)
        telling.interact("asked", enrollment.program.business_id, enrollment.customer, enrollment.pk, by=by)
        return enrollment, request


def _end_late_request(customer: Customer, program: Program) -> None:
    """A question whose time is over, though no worker has looked yet, keeps nobody from being asked anew."""
    place = Enrollment.objects.filter(customer=customer, program=program, status=Status.PENDING).first()
    request = place and pending_request(ENROLLMENT, place.pk)
    if request and request.expires_at <= timezone.now():
        expire_request(request)


def _check_may_be_asked(enrollment: Enrollment) -> None:
    if enrollment.status == Status.PENDING:
        raise ValidationError("This customer has been asked, and has not answered yet.", code="enrollment_pending")
    if enrollment.status != Status.DECLINED:
        return
    since = timezone.now() - ASK_FOR
    noes = ApprovalRequest.objects.filter(kind=ENROLLMENT, reference_id=enrollment.pk, status=Answer.DECLINED)
    if noes.filter(closed_at__gt=since).exists():
        raise ValidationError("This customer declined within the last seven days.", code="declined_recently")


def _ask_to_join(enrollment: Enrollment) -> ApprovalRequest:
    program, customer = enrollment.program, enrollment.customer
    business = program.business
    welcome = program.welcome_points if enrollment.activated_at is None else 0
    gift = f" You will be given {points_in_words(welcome)}." if welcome else ""
    return ask(
        ENROLLMENT,
        type="enrollment_requested",
        title=f"{business.name} invites you to join {program.name}",
        message=f"Collect points at {business.name}.{gift} Nothing is booked unless you accept.",
        customer=customer.pk,
        business=business.pk,
        reference=enrollment.pk,
        expires_at=timezone.now() + ASK_FOR,
        email=customer.email,
        data={
            "business": str(business.pk),
            "business_name": business.name,
            "program": str(program.pk),
            "program_name": program.name,
            "welcome_points": welcome,
        },
    )


def join_program(customer: Customer, program: Program) -> Enrollment:
    """The customer joins, which also answers a question that is open.

    Raises ValidationError: `program_inactive`, `already_enrolled`.
    """
    with transaction.atomic():
        _end_late_request(customer, program)
        place = Enrollment.objects.filter(customer=customer, program=program, status=Status.PENDING).first()
        request = place and pending_request(ENROLLMENT, place.pk)
        if place and request:
            answer_request(request, accept=True, by=customer.user)
            return Enrollment.objects.get(pk=place.pk)
        return enroll_customer(customer, program, by=None, source=Enrollment.Source.CUSTOMER)


def ask_to_deduct(card: LoyaltyCard, *, points: int, reason: str, by: User) -> PointsHold:
    """Hold the points that a business wants to take away, and ask the customer, for seven days.

    Raises ValidationError as `adjust_points`.
    """
    deduction, reason = PointsHold.Purpose.DEDUCTION, check_reason(reason)
    with transaction.atomic():
        hold = hold_points(card, points=points, by=by, purpose=deduction, lasts=ASK_FOR, reason=reason)
        program, customer = card.enrollment.program, card.enrollment.customer
        worth = money(rules.discount_for(points, program.point_value), program.business.currency)
        ask(
            DEDUCTION_REQUEST,
            type="deduction_requested",
            title=f"{program.business.name} wants to take back {points_in_words(points)}",
            message=f"{reason} They are worth {worth}. Until you answer they are set aside; nothing is taken before.",
            customer=customer.pk,
            business=program.business_id,
            reference=hold.pk,
            expires_at=hold.expires_at,
            email=customer.email,
            data={
                "business": str(program.business_id),
                "business_name": program.business.name,
                "card": str(card.pk),
                "points": points,
                "reason": reason,
            },
        )
        telling.interact("asked", program.business_id, customer, hold.pk, by=by)
    return hold


def deduction_request(hold: PointsHold) -> ApprovalRequest | None:
    """The question about the hold, while it is open."""
    return pending_request(DEDUCTION_REQUEST, hold.pk)


def close_request(request: ApprovalRequest, *, by: User | None) -> None:
    """Do what the customer's answer, or their silence, means. Raises ValidationError, which undoes the answer."""
    if request.kind == ENROLLMENT:
        _close_enrollment(request)
    elif request.kind == DEDUCTION_REQUEST:
        _close_deduction(request, by)


def _close_enrollment(request: ApprovalRequest) -> None:
    asked = Enrollment.objects.select_related("customer", "program").get(pk=request.reference_id)
    accepted = request.status == Answer.ACCEPTED
    enrollment = lock_place(asked.customer, asked.program, is_open=accepted)
    if enrollment.status != Status.PENDING:
        return
    if accepted:
        activate(enrollment, by=enrollment.by, source=enrollment.source, asked=True)
        return
    is_late = request.status == Answer.EXPIRED
    enrollment.status = Status.EXPIRED if is_late else Status.DECLINED
    enrollment.save(update_fields=["status", "updated_at"])
    telling.note_enrollment(enrollment)
    telling.tell_not_joined(enrollment, request.pk, is_late=is_late)


def _close_deduction(request: ApprovalRequest, by: User | None) -> None:
    rows = PointsHold.objects.select_related("card__enrollment__customer", "card__enrollment__program__business")
    hold = rows.get(pk=request.reference_id)
    if request.status == Answer.ACCEPTED:
        capture_hold(hold, Instruction(by=hold.by))
    elif request.status == Answer.DECLINED:
        release_hold(hold)
    else:
        settle_and_book(lock_account(hold.card))
    telling.tell_deduction_closed(hold, request.pk, request.status)
