"""How customers come in, and join programs."""

import secrets
import string

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.models import Business, User, normal_phone
from loyalty.models import Customer, Enrollment, LoyaltyCard, Program
from loyalty.services import telling
from loyalty.services.ledger import Instruction, Operation, add_points, lock_account

Status = Enrollment.Status


def find_or_add_customer(phone: str, *, business: Business, name: str = "") -> Customer:
    """The customer with that phone, in any spelling; somebody new gets the name. Nothing known is overwritten.

    Raises ValidationError naming `phone`.
    """
    try:
        normal = normal_phone(phone, business.default_region)
    except ValidationError as error:
        raise ValidationError({"phone": error.messages}) from error
    if not normal:
        raise ValidationError({"phone": ["Enter a phone number."]})
    first, _space, last = name.strip().partition(" ")
    defaults = {"phone_raw": phone.strip()[:50], "first_name": first[:100], "last_name": last.strip()[:100]}
    return Customer.objects.get_or_create(phone=normal, defaults=defaults)[0]


def enroll_customer(customer: Customer, program: Program, *, by: User | None, source: str) -> Enrollment:
    """Make the customer an active member of the program, with a card and, the first time, the welcome points.

    Whoever left may join again, with the same card and without a second welcome. `by` recorded the consent. Raises
    ValidationError: `program_inactive`, `already_enrolled`, `enrollment_pending`.
    """
    with transaction.atomic():
        enrollment = lock_place(customer, program)
        if enrollment.status == Status.PENDING:
            raise ValidationError("This customer has been asked, and has not answered yet.", code="enrollment_pending")
        return activate(enrollment, by=by, source=source)


def lock_place(customer: Customer, program: Program, *, is_open: bool = True) -> Enrollment:
    """The customer's enrolment in the program, or a new one that is not saved, with both under their locks.

    Raises ValidationError: `program_inactive` and, unless somebody is to be let in, `already_enrolled`.
    """
    # One enrolment at a time for a customer: two tills at once end in one card.
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    # Its rules stay as they are until the card is there.
    locked = Program.objects.select_for_update(of=("self",), no_key=True)
    program = locked.select_related("business").get(pk=program.pk)
    if is_open and not program.is_active:
        raise ValidationError(f"{program} is switched off.", code="program_inactive")
    enrollment = Enrollment.objects.filter(customer=customer, program=program).first()
    if is_open and enrollment is not None and enrollment.status == Status.ACTIVE:
        raise ValidationError("This customer is enrolled already.", code="already_enrolled")
    enrollment = enrollment or Enrollment(customer=customer, program=program)
    enrollment.customer, enrollment.program = customer, program
    return enrollment


def activate(enrollment: Enrollment, *, by: User | None, source: str, asked: bool = False) -> Enrollment:
    """Let somebody in whose place is locked; with `asked` it was their answer."""
    now = timezone.now()
    is_first, is_new = enrollment.activated_at is None, enrollment._state.adding
    enrollment.status, enrollment.source, enrollment.by = Status.ACTIVE, source, by
    enrollment.consented_at = now
    enrollment.activated_at = enrollment.activated_at or now
    enrollment.save()
    welcome = enrollment.program.welcome_points if is_first else 0
    if is_first:
        card = _add_card(enrollment)
        if welcome:
            _welcome(card, enrollment.program, by)
    telling.note_enrollment(enrollment, "created" if is_new else "updated")
    telling.tell_joined(enrollment, welcome=welcome, asked=asked, by=by)
    return enrollment


def _welcome(card: LoyaltyCard, program: Program, by: User | None) -> None:
    account = lock_account(card)
    add_points(account, Operation.WELCOME, program.welcome_points, Instruction(by=by), expiry_days=program.expiry_days)


def _add_card(enrollment: Enrollment) -> LoyaltyCard:
    level = enrollment.program.ladder[0].level
    while True:
        try:
            with transaction.atomic():
                return LoyaltyCard.objects.create(
                    enrollment=enrollment, card_number=_card_number(enrollment.program.business), tier_level=level
                )
        except IntegrityError:
            if LoyaltyCard.objects.filter(enrollment=enrollment).exists():
                raise


def _card_number(business: Business) -> str:
    """Three letters of the business and eight random digits: says nothing of the customer."""
    letters = [letter for letter in business.slug.upper() if letter in string.ascii_uppercase]
    prefix = "".join(letters[:3]).ljust(3, "X")
    return f"{prefix}{secrets.randbelow(10**8):08d}"
