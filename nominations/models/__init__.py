"""Tables of the awards."""

from nominations.models.decisions import DecisionLog
from nominations.models.nominations import ContactChange, Delivery, Nomination
from nominations.models.people import Nominator, Nominee, Person, Voter
from nominations.models.seasons import Category, CategoryGroup, Season
from nominations.models.tallies import ManualVote, Tally, VoteRuling
from nominations.models.votes import Vote

__all__ = [
    "Category",
    "CategoryGroup",
    "ContactChange",
    "DecisionLog",
    "Delivery",
    "ManualVote",
    "Nomination",
    "Nominator",
    "Nominee",
    "Person",
    "Season",
    "Tally",
    "Vote",
    "VoteRuling",
    "Voter",
]
