"""Customers' codes: what they are made of, how one is read, and that each is taken once.

A code is 15 bytes in Base32: 7 that find its key, 8 that prove it. On the screen the first seven are masked by the
step of time and the proof, so that nothing in a code is the same half a minute later.
"""

import base64
import hashlib
import hmac
import io
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import segno
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from crm.models import Business, User
from loyalty.models import Customer, QrKey, QrScan, QrUse

Kind, Outcome = QrKey.Kind, QrScan.Outcome
# What a code is shown for: of each, it is good once in a business.
SCAN, REDEEM, EARN, ENROLL = "scan", "redeem", "earn", "enroll"
STEP_SECONDS = 30
TOLERANCE = 1
# So many steps back a code is still known, though worth nothing: what was too late can be told from a guess.
REMEMBERED_STEPS = 40
# Long after a code has run out.
USES_KEPT_FOR = timedelta(hours=1)
HANDLE_BYTES, PROOF_BYTES = 7, 8
SHAPE = re.compile(r"[A-Z2-7]{24}")


@dataclass(frozen=True)
class ShownCode:
    """A code as its customer shows it; one on paper does not run out."""

    code: str
    expires_in: int | None

    @property
    def svg(self) -> str:
        """Black on white with its quiet zone, also where the page is dark."""
        drawing = io.BytesIO()
        code = segno.make(self.code, error="m", micro=False)
        code.save(
            drawing,
            kind="svg",
            xmldecl=False,
            nl=False,
            omitsize=True,
            light="#fff",
            dark="#000",
            border=4,
            svgclass=None,
            lineclass=None,
        )
        return drawing.getvalue().decode()


@dataclass(frozen=True)
class Reading:
    """What a code turned out to be. `refusal` says why it is worth nothing, if it is; `key` is whose it was then."""

    key: QrKey | None
    digest: str = ""
    refusal: str = ""


class CodeRefused(ValidationError):
    """A code that is worth nothing here. The caller learns no reason; `scan`, not saved yet, has the true one."""

    def __init__(self, scan: QrScan) -> None:
        self.scan = scan
        if scan.outcome == Outcome.IDENTIFY_ONLY:
            message = "A printed code identifies its customer and earns; to redeem, ask for the code on the screen."
            super().__init__(message, code="identify_only")
        else:
            super().__init__("Not found.", code="not_found")


@contextmanager
def refusals_logged() -> Iterator[None]:
    """Put it around the transaction in which a code is taken: the log of a refusal outlives what is rolled back."""
    try:
        yield
    except CodeRefused as refusal:
        # One around another writes it again, if the other's was rolled back with the rest.
        refusal.scan.save()
        raise


def show_code(customer: Customer, kind: str, *, business: Business | None = None) -> ShownCode:
    """The customer's code of this moment. One for a business is good nowhere else; a printed one is good anywhere."""
    key = key_of(customer, kind)
    handle = bytes.fromhex(key.handle)
    if kind == Kind.PRINTED:
        return ShownCode(_written(handle + _printed_proof(key)), None)
    now = int(timezone.now().timestamp())
    step, passed = divmod(now, STEP_SECONDS)
    proof = _rotating_proof(key, step, business)
    return ShownCode(_written(_masked(handle, step, proof) + proof), STEP_SECONDS - passed)


def make_keys(customer: Customer) -> None:
    """Both keys of somebody new."""
    QrKey.objects.bulk_create(QrKey(customer=customer, kind=kind, **_material()) for kind in Kind)


def key_of(customer: Customer, kind: str) -> QrKey:
    """The key that is good, made if there is none; two requests at once get the same."""
    return QrKey.objects.good().get_or_create(customer=customer, kind=kind, defaults=_material())[0]


def _material() -> dict[str, str]:
    return {"handle": secrets.token_hex(HANDLE_BYTES), "secret": secrets.token_hex(32)}


def revoke_codes(customer: Customer, kind: str) -> None:
    """Every code of that kind shown until now is worth nothing; the next one is of a new key."""
    with transaction.atomic():
        QrKey.objects.good().filter(customer=customer, kind=kind).update(revoked_at=timezone.now())
        key_of(customer, kind)


def take_code(code: str, business: Business, purpose: str, *, by: User | None, is_dry: bool = False) -> QrKey:
    """The key of a code, which was good until now. Call it in the transaction of what it is taken for.

    A code on a screen is taken once for each purpose, in a dry run not at all; one on paper does not redeem.
    Raises CodeRefused, which `refusals_logged` writes down: `not_found`, `identify_only`.
    """
    reading = read_code(code, business)
    key, refusal = reading.key, reading.refusal
    if key and not refusal and key.kind == Kind.PRINTED:
        refusal = Outcome.IDENTIFY_ONLY if purpose == REDEEM else ""
    elif key and not refusal and not is_dry:
        claim = QrUse.objects.get_or_create(business=business, purpose=purpose, digest=reading.digest)
        refusal = "" if claim[1] else Outcome.REPLAYED
    if key and not refusal:
        return key
    scan = QrScan(business=business, purpose=purpose, outcome=refusal, by=by)
    if key:
        scan.customer, scan.kind = key.customer, key.kind
    raise CodeRefused(scan)


def customer_of_code(code: str, business: Business, purpose: str, *, by: User | None) -> Customer:
    """Whose code it is. Raises as `take_code`."""
    return take_code(code, business, purpose, by=by).customer


def read_code(code: str, business: Business) -> Reading:
    """What the code is to this business; takes nothing. One query."""
    # Before it is upper-cased: some other letters become ASCII then.
    text = "".join(code.split()).replace("-", "").upper() if code.isascii() else ""
    if not SHAPE.fullmatch(text):
        return Reading(None, refusal=Outcome.UNKNOWN)
    raw = base64.b32decode(text)
    first, proof = raw[:HANDLE_BYTES], raw[HANDLE_BYTES:]
    now = int(timezone.now().timestamp()) // STEP_SECONDS
    steps: dict[str, int | None] = {first.hex(): None}
    for step in range(now - REMEMBERED_STEPS, now + TOLERANCE + 1):
        steps[_masked(first, step, proof).hex()] = step
    keys = QrKey.objects.filter(handle__in=steps).select_related("customer")
    for key in keys:
        reading = _judged(key, steps[key.handle], proof, business, now)
        if reading.refusal != Outcome.UNKNOWN:
            return Reading(key, hashlib.sha256(text.encode()).hexdigest(), reading.refusal)
    return Reading(None, refusal=Outcome.UNKNOWN)


def _judged(key: QrKey, step: int | None, proof: bytes, business: Business, now: int) -> Reading:
    if (key.kind == Kind.PRINTED) != (step is None):
        return Reading(key, refusal=Outcome.UNKNOWN)
    if step is None:
        is_proven, otherwise = hmac.compare_digest(proof, _printed_proof(key)), Outcome.UNKNOWN
    else:
        proofs = [_rotating_proof(key, step, place) for place in (business, None)]
        # The mask is made of the proof: it led to a key, so the proof was made by us, for another business.
        is_proven, otherwise = any([hmac.compare_digest(proof, good) for good in proofs]), Outcome.FOREIGN
    if not is_proven:
        return Reading(key, refusal=otherwise)
    if key.revoked_at is not None:
        return Reading(key, refusal=Outcome.REVOKED)
    is_late = step is not None and abs(step - now) > TOLERANCE
    return Reading(key, refusal=Outcome.EXPIRED if is_late else "")


def forget_old_uses() -> None:
    """Forget who took codes that have run out long ago."""
    QrUse.objects.filter(used_at__lt=timezone.now() - USES_KEPT_FOR).delete()


def _rotating_proof(key: QrKey, step: int, business: Business | None) -> bytes:
    return _proof(key, f"{step}|{business.pk if business else ''}|rotating")


def _printed_proof(key: QrKey) -> bytes:
    return _proof(key, "printed")


def _proof(key: QrKey, text: str) -> bytes:
    return hmac.digest(bytes.fromhex(key.secret), text.encode(), "sha256")[:PROOF_BYTES]


def _masked(handle: bytes, step: int, proof: bytes) -> bytes:
    """The same again takes the mask off."""
    mask = salted_hmac("loyalty.codes", f"{step}|{proof.hex()}", algorithm="sha256").digest()
    return bytes(one ^ other for one, other in zip(handle, mask, strict=False))


def _written(raw: bytes) -> str:
    return base64.b32encode(raw).decode()
