"""The awards' staff screens."""

from nominations.admin import log, manual_votes, nominations, people, rulings, seasons, votes

__all__ = ["log", "manual_votes", "nominations", "people", "rulings", "seasons", "votes"]
