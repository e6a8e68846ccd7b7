"""What a scan of a customer's code brings about."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from crm.models import Business, User
from loyalty.models import Customer, Enrollment, LoyaltyCard, Program, QrScan
from loyalty.selectors.accounts import Account
from loyalty.services import statements, telling
from loyalty.services.asking import request_enrollment
from loyalty.services.codes import SCAN, refusals_logged, take_code
from loyalty.services.earning import earn_points
from loyalty.services.ledger import Instruction, lock_account

Outcome = QrScan.Outcome
# By it a row of the ledger tells its scan.
REFERENCE = "scan:"
# Why somebody is not asked to join, who is still known by the scan.
NOT_ASKED = {
    "enrollment_pending": Outcome.PENDING,
    "already_enrolled": Outcome.IDENTIFIED,
    "declined_recently": Outcome.IDENTIFIED,
    "program_inactive": Outcome.IDENTIFIED,
}


def scan_code(
    code: str,
    business: Business,
    *,
    program: Program | None = None,
    by: User,
    instruction: Instruction | None = None,
) -> QrScan:
    """Tell whose code it is, tell them, and do what the program (or else the business's default one) has for a scan.

    Who takes part gets the scan's points, once for each card in the program's cooldown; who does not, and has a login
    to answer with, is asked to join. The points are booked under the instruction's key.
    Raises CodeRefused `not_found`, which is written down with its true reason.
    """
    with refusals_logged(), transaction.atomic():
        key = take_code(code, business, SCAN, by=by)
        scan = QrScan(
            business=business,
            program=program or Program.objects.filter(business=business, is_default=True).first(),
            customer=key.customer,
            kind=key.kind,
            purpose=SCAN,
            outcome=Outcome.IDENTIFIED,
            by=by,
        )
        if scan.program is not None:
            booking = replace(instruction or Instruction(), by=by, reference=f"{REFERENCE}{scan.pk}")
            _act_on(scan, key.customer, scan.program, booking, by)
        scan.save(force_insert=True)
        telling.tell_scanned(scan)
    return scan


def scan_under(business: Business, instruction: Instruction) -> QrScan | None:
    """The scan whose points were booked under the key, which the ledger knows for ever.

    Raises ValidationError `idempotency_key_reused` for a key that came with another wish.
    """
    row = statements.find_key(business.pk, instruction.key) if instruction.key is not None else None
    if row is None:
        return None
    if row.fingerprint != instruction.fingerprint:
        raise ValidationError("This key was used for something else before.", code="idempotency_key_reused")
    return QrScan.objects.get(pk=UUID(str(row.transaction_reference).removeprefix(REFERENCE)))


def _act_on(scan: QrScan, customer: Customer, program: Program, booking: Instruction, by: User) -> None:
    cards = LoyaltyCard.objects.filter(enrollment__program=program, enrollment__status=Enrollment.Status.ACTIVE)
    scan.card = cards.filter(enrollment__customer=customer).first()
    if scan.card is not None:
        scan.points_awarded = _award(scan.card, booking)
        scan.outcome = Outcome.AWARDED if scan.points_awarded else Outcome.IDENTIFIED
    else:
        scan.outcome = _ask(customer, program, by)


def _ask(customer: Customer, program: Program, by: User) -> str:
    # Whoever has no login could not answer, and a scan alone is no consent.
    if not customer.user_id:
        return Outcome.IDENTIFIED
    try:
        request_enrollment(customer, program, by=by, source=Enrollment.Source.SCAN)
    except ValidationError as refusal:
        if refusal.code not in NOT_ASKED:
            raise
        return NOT_ASKED[refusal.code]
    return Outcome.REQUESTED


def _award(card: LoyaltyCard, booking: Instruction) -> int:
    """The scan's points, or 0 where the program has none for this moment: decided under the card's lock."""
    account = lock_account(card)
    points = account.program.scan_points
    if not (points and account.program.is_active and account.is_enrolled) or _has_just_earned(account):
        return 0
    try:
        return earn_points(card, booking, points=points).points
    except ValidationError as refusal:
        if refusal.code != "limit_exceeded":
            raise
        return 0


def _has_just_earned(account: Account) -> bool:
    since = account.now - timedelta(minutes=account.program.scan_cooldown_minutes)
    return QrScan.objects.filter(card=account.card, outcome=Outcome.AWARDED, created_at__gt=since).exists()
