"""What a line of a file says, field by field: the same rules as for whoever nominates by page or API."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field

from nominations import selectors
from nominations.models import Category, Nomination, Nominator, Nominee, Season
from nominations.services.nominations import Fields, normal_contact
from nominations.services.sheets import Line

Errors = dict[str, list[str]]
PERSON, COMPANY = Nominee.Kind.PERSON, Nominee.Kind.COMPANY
REQUIRED = "This field is required."
WEB = ("http://", "https://")
# What both kinds may have is kept for both: a person's website has a place, a company's first name has not.
NOMINEE_COLUMNS = {
    "email": "email",
    "phone": "phone",
    "country": "country",
    "linkedin": "linkedin_url",
    "website": "website",
    "bio": "bio",
    "achievements": "achievements",
    "company_size": "company_size",
    "industry": "industry",
}
OF_A_PERSON = {
    "first_name": "first_name",
    "last_name": "last_name",
    "job_title": "job_title",
    "company_name": "company",
}
OF_A_COMPANY = {"company_name": "company_name"}
NEEDED = {PERSON: ("first_name", "last_name"), COMPANY: ("company_name",)}
# The picture of its kind first: a person's headshot, a company's logo.
PICTURES = {PERSON: ("headshot_url", "logo_url"), COMPANY: ("logo_url", "headshot_url")}
NOMINATOR_COLUMNS = {f"nominator_{name}": name for name in ("email", "company", "job_title", "phone", "country")}


def read_line(line: Line, categories: Mapping[str, Category], season: Season) -> Nomination:
    """The nomination that a line asks for, unsaved, with people that may be known already; the organisers' author is
    one without an address.

    Raises ValidationError with all that is wrong, by column. `categories` are all, by slug and by lower-case label.
    """
    cells, errors = line.cells, Errors()
    if line.extra:
        errors[""] = ["The row has more cells than the header: is there a comma outside quotation marks?"]
    category = _category(cells, categories, errors)
    kind = _kind(cells, category, errors)
    nominee = _nominee(cells, kind, errors)
    nominator = _nominator(cells, errors)
    why = _cleaned(Nomination, {"why_vote_for_me": "why"}, cells, errors)
    if errors or category is None:
        raise ValidationError(errors)
    nomination = Nomination(season=season, category=category, **why)
    nomination.nominee, nomination.nominator = Nominee(kind=kind, **nominee), Nominator(**nominator)
    return nomination


def key_of(nomination: Nomination) -> str:
    """By which the same line is known again, also when its words were spelt in another way."""
    line = [nomination.season_id, *selectors.line_of(nomination).values()]
    return hashlib.sha256(json.dumps(line).encode()).hexdigest()


def _category(cells: Mapping[str, str], categories: Mapping[str, Category], errors: Errors) -> Category | None:
    name = cells["category"]
    category = categories.get(name.lower())
    if category is None:
        errors["category"] = ["There is no such category." if name else REQUIRED]
    elif not category.is_active:
        errors["category"] = ["This category takes no nominations."]
    return category


def _kind(cells: Mapping[str, str], category: Category | None, errors: Errors) -> Nominee.Kind:
    """Where the line does not say it, what the category is for, so that the other columns can be judged."""
    name = cells["type"].lower()
    meant = Nominee.Kind(category.kind) if category else PERSON
    if name not in Nominee.Kind.values:
        errors["type"] = ["Enter person or company." if name else REQUIRED]
        return meant
    if category is not None and name != category.kind:
        errors["type"] = [f"This category is for a {category.kind}."]
    return Nominee.Kind(name)


def _nominee(cells: Mapping[str, str], kind: Nominee.Kind, errors: Errors) -> Fields:
    own, others = (OF_A_PERSON, OF_A_COMPANY) if kind == PERSON else (OF_A_COMPANY, OF_A_PERSON)
    for name in NEEDED[kind]:
        if not cells[name]:
            errors[name] = [REQUIRED]
    for name in others:
        if name not in own and cells[name]:
            errors[name] = [f"Not for a {kind}."]
    fields = _cleaned(Nominee, {**own, **NOMINEE_COLUMNS}, cells, errors)
    pictures = [_cleaned(Nominee, {column: "picture_url"}, cells, errors) for column in PICTURES[kind]]
    return fields | next((picture for picture in pictures if picture), {})


def _nominator(cells: Mapping[str, str], errors: Errors) -> Fields:
    """No fields when the line names none."""
    names = ("nominator_name", *NOMINATOR_COLUMNS)
    if not any(cells[name] for name in names):
        return {}
    if not cells["nominator_email"]:
        errors["nominator_email"] = ["A nominator is known by the email address: fill it in, or leave all blank."]
    first, _, last = " ".join(cells["nominator_name"].split()).partition(" ")
    fields = _cleaned(Nominator, NOMINATOR_COLUMNS, cells, errors)
    for name, value in (("first_name", first), ("last_name", last)):
        fields |= _cleaned(Nominator, {"nominator_name": name}, {"nominator_name": value}, errors)
    return fields


def _cleaned(model: type[Any], columns: Mapping[str, str], cells: Mapping[str, str], errors: Errors) -> Fields:
    """What is given, in its normal form, as the model takes it."""
    found: Fields = {}
    for column, name in columns.items():
        if not cells[column]:
            continue
        try:
            found |= dict(_normal(model, name, cells[column]))
        except ValidationError as error:
            errors.setdefault(column, []).extend(error.messages)
    return found


def _normal(model: type[Any], name: str, text: str) -> Iterator[tuple[str, str]]:
    if name in ("website", "picture_url"):
        text = _web_address(text)
    for field_name, value in normal_contact({name: text}).items():
        field: Field[Any, Any] = model._meta.get_field(field_name)
        if field.max_length and len(value) > field.max_length:
            raise ValidationError(f"Ensure this field has no more than {field.max_length} characters.")
        # A phone has just been taken apart.
        yield field_name, value if field_name == "phone" else field.clean(value, None)


def _web_address(text: str) -> str:
    """With https where nothing is said. Raises ValidationError for anything but the web."""
    address = text if "://" in text else f"https://{text}"
    if not address.lower().startswith(WEB):
        raise ValidationError("Enter an address that begins with http:// or https://.")
    return address
