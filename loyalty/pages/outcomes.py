"""What a scan has come to, in words that a cashier takes in at one glance."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse

from crm.models import Business, User
from loyalty import selectors
from loyalty.models import Enrollment, Program, QrScan
from notifications.admin import when

Outcome = QrScan.Outcome
LAST = 8


@dataclass(frozen=True)
class Verdict:
    """`tone` is `good`, `wait`, `calm` or `bad`; colour and icon follow from it."""

    tone: str
    said: str
    note: str = ""

    @property
    def icon(self) -> str:
        """The same without colour."""
        return {"good": "✓", "wait": "…", "calm": "i"}.get(self.tone, "✕")


BAD_CODE = Verdict(
    "bad",
    "Not a good code",
    "Nothing was booked. Ask the customer to show the code anew, and scan it again; each is good for seconds only.",
)


def shown_scan(scan: QrScan) -> dict[str, Any]:
    """A scan with its verdict, who it was, and the cards they have here as these stand now."""
    if scan.outcome not in selectors.TOLD or scan.customer is None:
        return {"verdict": BAD_CODE, "at": when(scan.created_at)}
    accounts = selectors.accounts_at(scan.business, scan.customer)
    return {
        "verdict": verdict_of(scan),
        "name": scan.customer.name if accounts and scan.customer.name else selectors.masked_name(scan.customer),
        "at": when(scan.created_at),
        "cards": [
            {
                "program": account.program,
                "number": account.card.card_number,
                "points": f"{account.available:,}",
                "worth": selectors.money(account.worth, account.currency),
                "tier": account.tier.level,
                "redeem": f"{reverse('admin:loyalty_redeem')}?card={account.card.pk}",
                "award": f"{reverse('admin:loyalty_award')}?card={account.card.pk}",
            }
            for account in accounts
        ],
    }


def verdict_of(scan: QrScan) -> Verdict:
    """For what a scan told; of a refused one nobody learns why."""
    if scan.outcome == Outcome.AWARDED:
        return Verdict(
            "good", f"+{selectors.points_in_words(scan.points_awarded)}", f"For the visit, in {scan.program}."
        )
    if scan.outcome == Outcome.REQUESTED:
        return Verdict("wait", "Request sent", f"They are asked on their phone whether to join {scan.program}.")
    if scan.outcome == Outcome.PENDING:
        return Verdict("wait", "Waiting for an answer", f"They have been asked to join {scan.program} already.")
    if scan.outcome != Outcome.IDENTIFIED:
        return BAD_CODE
    return _of_member(scan, scan.program) if scan.program and scan.card_id else _of_stranger(scan)


def _of_member(scan: QrScan, program: Program) -> Verdict:
    minutes = program.scan_cooldown_minutes
    earlier = QrScan.objects.filter(
        card=scan.card_id,
        outcome=Outcome.AWARDED,
        created_at__gt=scan.created_at - timedelta(minutes=minutes),
        created_at__lt=scan.created_at,
    )
    first = earlier.order_by("-created_at").first()
    if first is None:
        return Verdict("calm", "Known customer", f"A scan brings no points in {program} now.")
    again = first.created_at + timedelta(minutes=minutes)
    return Verdict("calm", "Already scanned", f"This visit's points were given before. Again from {again:%H:%M} UTC.")


def _of_stranger(scan: QrScan) -> Verdict:
    said = "Not a member yet"
    if scan.program is None:
        return Verdict("calm", said, "This business has no program to join.")
    if not scan.program.is_active:
        return Verdict("calm", said, f"{scan.program} is switched off: nobody can join.")
    declined = Enrollment.objects.filter(
        customer=scan.customer, program=scan.program, status=Enrollment.Status.DECLINED
    )
    if declined.exists():
        return Verdict("calm", said, "They declined to join lately, and are not asked again so soon.")
    return Verdict("calm", said, "Ask for their phone number, and enrol them at the till if they agree.")


def last_scans(business: Business, user: User) -> list[dict[str, Any]]:
    """What the user scanned here last, newest first, in one query."""
    rows = QrScan.objects.filter(business=business, by=user).select_related("customer", "program")
    found = []
    for scan in rows.order_by("-created_at", "id")[:LAST]:
        is_told = scan.outcome in selectors.TOLD and scan.customer is not None
        said = SHORT.get(scan.outcome, BAD_CODE.said)
        if scan.outcome == Outcome.AWARDED:
            said = f"+{selectors.points_in_words(scan.points_awarded)}"
        found.append(
            {
                "scan": scan,
                "at": when(scan.created_at),
                "who": selectors.masked_name(scan.customer) if is_told and scan.customer else "Unknown",
                "said": said,
                "is_bad": not is_told,
            }
        )
    return found


SHORT: dict[str, str] = {
    Outcome.IDENTIFIED: "Known, no points",
    Outcome.REQUESTED: "Asked to join",
    Outcome.PENDING: "Waiting for an answer",
}
