"""Tables of the points programs."""

from loyalty.models.cards import LoyaltyCard, PointsHold, PointsLot
from loyalty.models.codes import CustomerInteraction, QrKey, QrScan, QrUse, SignInLink
from loyalty.models.ledger import LedgerProof, PointsTransaction
from loyalty.models.people import Customer, Enrollment
from loyalty.models.programs import Program, RewardTier, check_tiers
from loyalty.models.views import CustomerBusinessView, CustomerLoyaltyCards

__all__ = [
    "Customer",
    "CustomerBusinessView",
    "CustomerInteraction",
    "CustomerLoyaltyCards",
    "Enrollment",
    "LedgerProof",
    "LoyaltyCard",
    "PointsHold",
    "PointsLot",
    "PointsTransaction",
    "Program",
    "QrKey",
    "QrScan",
    "QrUse",
    "RewardTier",
    "SignInLink",
    "check_tiers",
]
