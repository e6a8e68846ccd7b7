"""The public forms: the shape of what people send, not its rules."""

from nominations.forms.sheets import NominationSheet, Sheet, VoteSheet

__all__ = ["NominationSheet", "Sheet", "VoteSheet"]
