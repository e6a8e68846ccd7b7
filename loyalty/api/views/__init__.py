"""The points' API: shapes in, services, shapes out."""

from loyalty.api.views.cards import CardsView, CardView, StatementCSVView, StatementView
from loyalty.api.views.codes import OwnCodeView, RevokeCodesView, ScanView
from loyalty.api.views.customers import CustomersView
from loyalty.api.views.enrollments import EnrollmentsView
from loyalty.api.views.holds import CaptureView, HoldsView, ReleaseView
from loyalty.api.views.lookup import PhoneLookupView
from loyalty.api.views.points import AdjustView, EarnView, RedeemView, ReverseView
from loyalty.api.views.programs import ProgramsView, ProgramView
from loyalty.api.views.signing import LinkView

__all__ = [
    "AdjustView",
    "CaptureView",
    "CardView",
    "CardsView",
    "CustomersView",
    "EarnView",
    "EnrollmentsView",
    "HoldsView",
    "LinkView",
    "OwnCodeView",
    "PhoneLookupView",
    "ProgramView",
    "ProgramsView",
    "RedeemView",
    "ReleaseView",
    "ReverseView",
    "RevokeCodesView",
    "ScanView",
    "StatementCSVView",
    "StatementView",
]
