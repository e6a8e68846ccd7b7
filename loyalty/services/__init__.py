"""Everything that writes to the points programs."""

from loyalty.services.correcting import (
    Reversal,
    adjust_points,
    ask_to_deduct,
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
from loyalty.services.upkeep import settle_due

__all__ = [
    "Booking",
    "Earning",
    "Redemption",
    "Instruction",
    "Reversal",
    "add_program",
    "adjust_points",
    "ask_to_deduct",
    "asks_first",
    "capture_hold",
    "change_program",
    "earn_points",
    "earning_of",
    "enroll_customer",
    "find_or_add_customer",
    "hold_points",
    "most_redeemable",
    "preview_earning",
    "preview_redemption",
    "preview_reversal",
    "redeem_points",
    "redemption_of",
    "release_hold",
    "reverse_transaction",
    "run_proof",
    "save_program",
    "settle_due",
    "start_proof",
    "verify_ledger",
]
