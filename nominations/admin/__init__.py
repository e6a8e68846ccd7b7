"""The awards' staff screens."""

from nominations.admin import (
    analytics,
    imports,
    log,
    manual_votes,
    merges,
    nominations,
    people,
    replies,
    rulings,
    seasons,
    staged,
    votes,
)

__all__ = [
    "analytics",
    "imports",
    "log",
    "manual_votes",
    "merges",
    "nominations",
    "people",
    "replies",
    "rulings",
    "seasons",
    "staged",
    "votes",
]
