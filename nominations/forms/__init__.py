"""The public forms: the shape of what people send, not its rules."""

from nominations.forms.own import CorrectionPart, TakeDownPart
from nominations.forms.sheets import NOBODY, NominationSheet, Sheet, VoteSheet

__all__ = ["NOBODY", "CorrectionPart", "NominationSheet", "Sheet", "TakeDownPart", "VoteSheet"]
