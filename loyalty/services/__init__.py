"""Everything that writes to the points programs."""

from loyalty.services.asking import (
    ask_to_deduct,
    close_request,
    deduction_request,
    join_program,
    request_enrollment,
)
from loyalty.services.codes import (
    CodeRefused,
    ShownCode,
    customer_of_code,
    forget_old_uses,
    key_of,
    make_keys,
    refusals_logged,
    revoke_codes,
    show_code,
    take_code,
)
from loyalty.services.correcting import (
    Reversal,
    adjust_points,
    asks_first,
    preview_reversal,
    reverse_transaction,
)
from loyalty.services.earning import Earning, earn_points, earning_of, preview_earning
from loyalty.services.enrolling import enroll_customer, find_or_add_customer
from loyalty.services.ledger import Booking, Instruction
from loyalty.services.programs import add_program, change_program, save_program
from loyalty.services.proof import run_proof, start_proof, verify_ledger
from loyalty.services.redeeming import (
    Redemption,
    capture_hold,
    hold_points,
    most_redeemable,
    preview_redemption,
    redeem_points,
    redemption_of,
    release_hold,
)
from loyalty.services.scanning import scan_code, scan_under
from loyalty.services.telling import note_customer
from loyalty.services.upkeep import settle_due, warn_of_expiry

__all__ = [
    "Booking",
    "CodeRefused",
    "Earning",
    "Redemption",
    "Instruction",
    "Reversal",
    "ShownCode",
    "add_program",
    "adjust_points",
    "ask_to_deduct",
    "asks_first",
    "capture_hold",
    "close_request",
    "customer_of_code",
    "deduction_request",
    "join_program",
    "request_enrollment",
    "change_program",
    "earn_points",
    "earning_of",
    "enroll_customer",
    "find_or_add_customer",
    "forget_old_uses",
    "hold_points",
    "key_of",
    "make_keys",
    "note_customer",
    "most_redeemable",
    "preview_earning",
    "preview_redemption",
    "preview_reversal",
    "redeem_points",
    "redemption_of",
    "refusals_logged",
    "release_hold",
    "reverse_transaction",
    "revoke_codes",
    "run_proof",
    "save_program",
    "scan_code",
    "scan_under",
    "settle_due",
    "show_code",
    "start_proof",
    "take_code",
    "verify_ledger",
    "warn_of_expiry",
]
