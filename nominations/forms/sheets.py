"""The public forms as they are sent: several parts in one."""

import uuid
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from nominations.forms.parts import (
    BallotPart,
    CompanyNomineePart,
    NominatorPart,
    Part,
    PersonNomineePart,
    VoterPart,
    WhyPart,
)
from nominations.models import Category, Nominee

NOBODY = "nobody"
"""The answer that it is none of those with a similar name."""


class Sheet:
    """Several parts that are sent as one form."""

    def __init__(self, *parts: Part) -> None:
        self.parts = parts

    def is_valid(self) -> bool:
        """Every part is checked, so that all errors show at once."""
        return all([part.is_valid() for part in self.parts])

    def refuse(self, error: ValidationError) -> None:
        """Show what a service refused: beside the field that it names, or as a statement above the form."""
        fields = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
        for name, messages in fields.items():
            owner = next((part for part in self.parts if name in part.fields), None)
            for message in messages:
                (owner or self.parts[0]).add_error(name if owner else None, message)

    def problems(self) -> list[tuple[str, str, str]]:
        """The errors as `(id of the field or "", label, message)`, in the order of the page."""
        return [row for part in self.parts for row in _problems(part)]


def _problems(part: Part) -> list[tuple[str, str, str]]:
    rows = [("", "", str(message)) for message in part.non_field_errors()]
    for name in part.errors:
        if name in part.fields:
            field = part[name]
            rows += [("" if field.is_hidden else field.auto_id, str(field.label), str(text)) for text in field.errors]
    return rows


class NominationSheet(Sheet):
    """The nomination form of one category.

    Names: `why`, `category` (slug), `key`, and once it was asked `known` (a slug, or `nobody`); `nominee-…` with
    `first_name last_name job_title company` (person) or `company_name website industry company_size` (company) and
    `email linkedin_url phone country bio achievements image`; `nominator-…` with
    `first_name last_name email linkedin_url company job_title phone country`.
    """

    def __init__(self, category: Category, data: Any = None, files: Any = None) -> None:
        kind = PersonNomineePart if category.kind == Category.Kind.PERSON else CompanyNomineePart
        self.why = WhyPart(data, initial={"category": category.slug, "key": uuid.uuid4().hex})
        self.nominee = kind(data, files, prefix="nominee")
        self.nominator = NominatorPart(data, prefix="nominator")
        self.meant: list[Nominee] = []
        super().__init__(self.nominee, self.why, self.nominator)

    def ask(self, alike: list[Nominee]) -> None:
        """Show the form again with the question whether it is one of these."""
        self.meant = alike

    def picture_is_lost(self) -> bool:
        """Whether a picture was sent that the browser will not keep."""
        return "nominee-image" in self.nominee.files

    def nominee_fields(self) -> dict[str, Any]:
        """What the service takes; only what was given, and the kind."""
        given = {name: value for name, value in self.nominee.cleaned_data.items() if value}
        return {"kind": self.nominee.kind.value, **given}


class VoteSheet(Sheet):
    """The vote form of one nominee.

    Names: `category` (slug), `key`; `voter-…` with `email first_name last_name linkedin_url company job_title
    country`.
    """

    def __init__(self, categories: list[Category], data: Any = None) -> None:
        initial = {"key": uuid.uuid4().hex}
        if len(categories) == 1:
            initial["category"] = categories[0].slug
        self.ballot = BallotPart(categories, data, initial=initial)
        self.voter = VoterPart(data, prefix="voter")
        super().__init__(self.ballot, self.voter)
