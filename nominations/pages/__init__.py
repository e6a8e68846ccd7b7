"""The public pages."""

from nominations.pages.confirm import confirm
from nominations.pages.home import home
from nominations.pages.leaderboard import leaderboard
from nominations.pages.nominate import nominate, thanks
from nominations.pages.nominee import nominee
from nominations.pages.nominees import nominees
from nominations.pages.own import correct as own_correct
from nominations.pages.own import own
from nominations.pages.own import take_down as own_take_down
from nominations.pages.pictures import card, small_portrait

__all__ = [
    "card",
    "confirm",
    "home",
    "leaderboard",
    "nominate",
    "nominee",
    "nominees",
    "own",
    "own_correct",
    "own_take_down",
    "small_portrait",
    "thanks",
]
