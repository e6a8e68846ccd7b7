"""The awards' API: shapes in, services, shapes out."""

from nominations.api.views.nominations import (
    ApproveView,
    DuplicateView,
    NominationsView,
    NominationView,
    RejectView,
    ReopenView,
    WithdrawView,
)
from nominations.api.views.public import (
    CategoriesView,
    NomineesView,
    NomineeView,
    PodiumView,
    SeasonView,
    StatsView,
)
from nominations.api.views.votes import ManualVotesView, VotesView

__all__ = [
    "ApproveView",
    "CategoriesView",
    "DuplicateView",
    "ManualVotesView",
    "NominationView",
    "NominationsView",
    "NomineeView",
    "NomineesView",
    "PodiumView",
    "RejectView",
    "ReopenView",
    "SeasonView",
    "StatsView",
    "VotesView",
    "WithdrawView",
]
