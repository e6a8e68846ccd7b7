"""What customers and businesses are told of the points programs, in words; each fact once, in its own transaction."""

from datetime import date
from typing import Any
from uuid import UUID

from crm.models import User
from loyalty.models import (
    Customer,
    CustomerInteraction,
    Enrollment,
    LoyaltyCard,
    PointsHold,
    PointsTransaction,
    QrScan,
)
from loyalty.selectors.accounts import Account
from loyalty.selectors.scans import masked_name
from loyalty.selectors.words import points_in_words
from notifications.services import note_change, notify

Operation = PointsTransaction.Operation
Kind = CustomerInteraction.Kind
# What a customer may switch off. Questions come whatever is switched off.
CUSTOMER_TYPES = {
    "qr_scanned": "My code was scanned",
    "enrollment_accepted": "I joined a program",
    "enrollment_declined": "I declined to join",
    "points_earned": "Points earned",
    "points_redeemed": "Points redeemed",
    "points_adjusted": "Points corrected",
    "points_expiring": "Points about to expire",
    "points_expired": "Points expired",
}
# What moved, as a type and a sentence; a welcome is told with the joining.
MOVES = {
    Operation.EARN: ("points_earned", "You earned {points} at {business}"),
    Operation.REDEEM: ("points_redeemed", "You redeemed {points} at {business}"),
    Operation.ADJUST: ("points_adjusted", "{business} {did} {points}"),
    Operation.REVERSE: ("points_adjusted", "{business} {did} {points}"),
    Operation.EXPIRE: ("points_expired", "{points} at {business} expired"),
}


def tell_moved(account: Account, row: PointsTransaction) -> None:
    """The customer, of a row of the ledger."""
    if row.operation_type not in MOVES:
        return
    type, sentence = MOVES[Operation(row.operation_type)]
    points, business = points_in_words(row.points_amount), account.sides.business
    did = "gave you" if row.points_delta >= 0 else "took back"
    reason = row.operation_details.get("reason") or ""
    notify(
        type,
        title=sentence.format(points=points, business=business, did=did),
        message=f"{reason} Your balance is {points_in_words(row.balance_after)}.".strip(),
        dedupe_key=f"{type}:{row.pk}",
        customer=account.sides.customer,
        email=account.sides.email,
        data={"card": str(row.card_id), "points": row.points_delta, "balance": row.balance_after},
        reference=row.pk,
    )


def note_card(account: Account) -> None:
    """Whoever looks at the card's sums looks again."""
    note_change(
        "card",
        account.card.pk,
        action="updated",
        customer=account.sides.customer,
        business=account.program.business_id,
    )


def tell_expiring(card: LoyaltyCard, points: int, on: date) -> bool:
    """The customer, of what is about to be lost; whether it was news."""
    customer, business = card.enrollment.customer, card.enrollment.program.business
    told = notify(
        "points_expiring",
        title=f"{points_in_words(points).capitalize()} at {business.name} expire on {on.day} {on:%B}",
        message="Use them before that day.",
        dedupe_key=f"points_expiring:{card.pk}:{on}",
        customer=customer.pk,
        email=customer.email,
        data={"card": str(card.pk), "points": points, "on": str(on)},
        reference=card.pk,
    )
    return told is not None


def tell_scanned(scan: QrScan) -> None:
    """The customer, that a business has read their code; a code that nobody owns is not told."""
    customer = scan.customer
    if customer is None:
        return
    notify(
        "qr_scanned",
        title=f"Your QR code was scanned by {scan.business.name}",
        message=_came_of(scan),
        dedupe_key=f"qr_scanned:{scan.pk}",
        customer=customer.pk,
        email=customer.email,
        data={"business": str(scan.business_id), "business_name": scan.business.name, "outcome": scan.outcome},
        reference=scan.pk,
    )
    interact(Kind.SCANNED, scan.business_id, customer, scan.pk, by=scan.by, outcome=scan.outcome)


def _came_of(scan: QrScan) -> str:
    if scan.outcome == QrScan.Outcome.AWARDED:
        return f"It brought you {points_in_words(scan.points_awarded)}."
    if scan.outcome in (QrScan.Outcome.REQUESTED, QrScan.Outcome.PENDING):
        return f"{scan.business.name} asks whether you want to join: please answer."
    return ""


def tell_joined(enrollment: Enrollment, *, welcome: int, asked: bool, by: User | None) -> None:
    """The customer; and the business, unless it was its own doing at the till."""
    program, customer = enrollment.program, enrollment.customer
    business = program.business
    fact = f"{enrollment.pk}:{enrollment.updated_at.isoformat()}"
    notify(
        "enrollment_accepted",
        title=f"Welcome to {program.name} at {business.name}",
        message=f"You have been given {points_in_words(welcome)}." if welcome else "",
        dedupe_key=f"enrollment_accepted:customer:{fact}",
        customer=customer.pk,
        email=customer.email,
        data={"business": str(business.pk), "program": str(program.pk), "points": welcome},
        reference=enrollment.pk,
    )
    if asked or by is None:
        notify(
            "enrollment_accepted",
            title=f"{known_as(customer)} joined {program.name}",
            dedupe_key=f"enrollment_accepted:business:{fact}",
            business=business.pk,
            data={"customer": str(customer.pk), "program": str(program.pk)},
            reference=enrollment.pk,
        )
    interact(Kind.JOINED, business.pk, customer, enrollment.pk, by=by)


def tell_not_joined(enrollment: Enrollment, request: UUID, *, is_late: bool) -> None:
    """Both sides, of a no; the business, of a silence."""
    program, customer = enrollment.program, enrollment.customer
    # Whom a scan alone has shown to the business stays a stranger.
    is_known = enrollment.activated_at is not None or enrollment.source != Enrollment.Source.SCAN
    name = known_as(customer) if is_known else masked_name(customer)
    type = "enrollment_expired" if is_late else "enrollment_declined"
    did = "did not answer the invitation to" if is_late else "declined to join"
    notify(
        type,
        title=f"{name} {did} {program.name}",
        dedupe_key=f"{type}:business:{request}",
        business=program.business_id,
        data={"customer": str(customer.pk), "program": str(program.pk)},
        reference=enrollment.pk,
    )
    if is_late:
        return
    notify(
        type,
        title=f"You declined to join {program.name} at {program.business.name}",
        message="Nothing was booked.",
        dedupe_key=f"{type}:customer:{request}",
        customer=customer.pk,
        email=customer.email,
        data={"business": str(program.business_id), "program": str(program.pk)},
        reference=enrollment.pk,
    )
    interact(Kind.DECLINED, program.business_id, customer, enrollment.pk, by=customer.user)


def tell_deduction_closed(hold: PointsHold, request: UUID, status: str) -> None:
    """The business, how its wish to take points away ended. The customer sees the ledger's row, or answered no."""
    enrollment = hold.card.enrollment
    ends = {"accepted": "agreed to", "declined": "declined", "expired": "did not answer"}
    notify(
        f"deduction_{status}",
        title=f"{known_as(enrollment.customer)} {ends[status]} the deduction of {points_in_words(hold.points)}",
        message=hold.reason,
        dedupe_key=f"deduction:{request}",
        business=enrollment.program.business_id,
        data={"customer": str(enrollment.customer_id), "card": str(hold.card_id), "points": hold.points},
        reference=hold.pk,
    )


def note_enrollment(enrollment: Enrollment, action: str = "updated") -> None:
    """Whoever lists the program's people, or the customer's programs, looks again."""
    note_change(
        "enrollment",
        enrollment.pk,
        action=action,
        customer=enrollment.customer_id,
        business=enrollment.program.business_id,
    )


def note_customer(customer: Customer) -> None:
    """Whoever shows the name or the phone looks again: the customer, and the businesses that know them."""
    known_at = customer.enrollments.order_by().values_list("program__business", flat=True).distinct()
    businesses: list[UUID | None] = list(known_at)
    for business in businesses or [None]:
        note_change("customer", customer.pk, action="updated", customer=customer.pk, business=business)


def interact(kind: str, business: UUID, customer: Customer, reference: UUID, *, by: User | None, **data: Any) -> None:
    """A row of what the two had to do with each other."""
    CustomerInteraction.objects.create(
        kind=kind, business_id=business, customer=customer, reference_id=reference, by=by, data=data
    )


def known_as(customer: Customer) -> str:
    """A person in a sentence: the name, or the end of the phone."""
    return customer.name or f"The customer with the phone …{customer.phone[-3:]}"
