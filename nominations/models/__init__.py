"""Tables of the awards."""

from nominations.models.decisions import DecisionLog
from nominations.models.imports import ImportBatch, ImportProblem
from nominations.models.merges import Merge
from nominations.models.nominations import ContactChange, Delivery, Nomination
from nominations.models.people import Nominator, Nominee, Person, Voter
from nominations.models.replies import LinkMail, NomineeReply
from nominations.models.results import Result
from nominations.models.seasons import Category, CategoryGroup, Season
from nominations.models.staged import StagedDecision
from nominations.models.tallies import ManualVote, Tally, VoteRuling
from nominations.models.votes import Vote

__all__ = [
    "Category",
    "CategoryGroup",
    "ContactChange",
    "DecisionLog",
    "Delivery",
    "ImportBatch",
    "ImportProblem",
    "LinkMail",
    "ManualVote",
    "Merge",
    "Nomination",
    "Nominator",
    "Nominee",
    "NomineeReply",
    "Person",
    "Result",
    "Season",
    "StagedDecision",
    "Tally",
    "Vote",
    "VoteRuling",
    "Voter",
]
