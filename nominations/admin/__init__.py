"""The awards' staff screens."""

from nominations.admin import log, nominations, people, seasons

__all__ = ["log", "nominations", "people", "seasons"]
