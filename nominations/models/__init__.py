"""Tables of the awards."""

from nominations.models.decisions import DecisionLog
from nominations.models.nominations import ContactChange, Delivery, Nomination
from nominations.models.people import Nominator, Nominee, Person, Voter
from nominations.models.seasons import Category, CategoryGroup, Season
from nominations.models.votes import Vote

__all__ = [
    "Category",
    "CategoryGroup",
    "ContactChange",
    "DecisionLog",
    "Delivery",
    "Nomination",
    "Nominator",
    "Nominee",
    "Person",
    "Season",
    "Vote",
    "Voter",
]
