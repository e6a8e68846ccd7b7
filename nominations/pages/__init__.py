"""The public pages."""

from nominations.pages.confirm import confirm
from nominations.pages.home import home
from nominations.pages.nominate import nominate, thanks
from nominations.pages.nominee import nominee

__all__ = ["confirm", "home", "nominate", "nominee", "thanks"]
