"""How nominations come in."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from crm.models import normal_email, normal_phone
from nominations import contacts, selectors
from nominations.models import Category, DecisionLog, Nomination, Nominator, Nominee, Person, Season, Voter
from nominations.services.log import lock_season, log_decision

SomePerson = TypeVar("SomePerson", Nominator, Voter)
Fields = dict[str, Any]
EMAIL_LENGTH = 254


def submit_nomination(
    category: Category,
    *,
    nominator: Fields,
    nominee: Fields,
    why: str,
    source: Nomination.Source,
    known: Nominee | None = None,
) -> Nomination:
    """Take in a nomination, or raise ValidationError: `nominations_closed`, `already_nominated`, or a field by name.

    The nominator is found by address; what is known of them is completed, never overwritten, because anybody can type
    their address. A nominee is found by LinkedIn or email within its kind, never by its name alone;
    `known` is whom the nominator says they mean, where no address tells.
    """
    with transaction.atomic():
        season = lock_season(selectors.current_season().pk)
        if not season.nominations_open:
            raise ValidationError(season.nominations_closed_message, code="nominations_closed")
        if not category.is_active:
            raise ValidationError({"category": ["This category takes no nominations."]})
        if nominee["kind"] != category.kind:
            raise ValidationError({"kind": [f"This category is for a {category.kind}."]})
        author = find_or_add_person(Nominator, nominator)
        subject = _find_or_add_nominee(author, category, season, normal_contact(nominee), known)
        nomination = Nomination(
            season=season, category=category, nominator=author, nominee=subject, why=why, source=source
        )
        nomination.save(force_insert=True)
        log_decision(nomination, DecisionLog.Action.SUBMIT, from_state="", by=None)
    return nomination


def organisers() -> Nominator:
    """Who has nominated whom nobody else has: what staff add by hand or bring in without a nominator."""
    names = {"first_name": "The organisers", "last_name": ""}
    return Nominator.objects.get_or_create(is_organisers=True, defaults=names)[0]


def find_or_add_person(model: type[SomePerson], fields: Fields) -> SomePerson:
    """The person of that address, locked. Known blanks are filled; what is known stays."""
    fields = normal_contact(fields)
    person, created = model.objects.get_or_create(email=fields["email"], defaults=fields)
    if not created:
        person = model.objects.select_for_update().get(pk=person.pk)
        fill_blanks(person, fields)
    return person


def normal_contact(fields: Fields) -> Fields:
    """With addresses and phone in their normal forms, the phone as typed kept beside. Raises ValidationError."""
    fields = dict(fields)
    if "phone" in fields:
        fields["phone_raw"] = fields["phone"]
    for name, normalise in NORMAL_FORMS.items():
        try:
            if name in fields:
                fields[name] = normalise(fields[name])
        except ValidationError as error:
            raise ValidationError({name: error.messages}) from error
    return fields


def _normal_email(text: str) -> str:
    """Some letters grow when they are lower-cased, after a form has counted them."""
    email = normal_email(text)
    if len(email) > EMAIL_LENGTH:
        raise ValidationError(f"Enter an address of at most {EMAIL_LENGTH} characters.")
    return email


NORMAL_FORMS: dict[str, Callable[[str], str]] = {
    "email": _normal_email,
    "phone": normal_phone,
    "linkedin_url": contacts.normal_linkedin,
    "first_name": contacts.visible_name,
    "last_name": contacts.visible_name,
    "company_name": contacts.visible_name,
}


def fill_blanks(row: Person | Nominee, fields: Fields) -> None:
    """Save those of the fields that the row has no value for.

    Without a signal of its own: it is part of a submission, a vote or an approval, and those are told.
    """
    news = {name: value for name, value in fields.items() if value and not getattr(row, name)}
    for name, value in news.items():
        setattr(row, name, value)
    if news:
        # An update writes a picture's name, and only this its content.
        columns = [field for field in row._meta.concrete_fields if field.name in news]
        values = {field.name: field.pre_save(row, add=False) for field in columns}
        type(row)._default_manager.filter(pk=row.pk).update(**values)


def _find_or_add_nominee(
    author: Nominator, category: Category, season: Season, fields: Fields, known: Nominee | None
) -> Nominee:
    found = _find_nominee(fields)
    if found is None and known is not None:
        # As it is under the lock: since the caller read it, it may have been merged.
        found = selectors.end_of(Nominee.objects.get(pk=known.pk))
    named_before = author.nominations.filter(season=season, category=category).select_related("nominee")
    for earlier in named_before:
        if earlier.nominee == found or (found is None and _same_by_name(earlier.nominee, fields)):
            raise ValidationError("You have already nominated them in this category.", code="already_nominated")
    if found is None:
        return _add_nominee(fields)
    if found.state == Nominee.State.DRAFT:
        fill_blanks(found, _unclaimed(found, fields))
    return found


def _find_nominee(fields: Fields) -> Nominee | None:
    """By either address; whoever was merged is found as whom they were merged into."""
    of_kind = Nominee.objects.filter(kind=fields["kind"])
    for name in ("linkedin_url", "email"):
        if fields.get(name):
            found = of_kind.filter(**{name: fields[name]})
            known = found.exclude(state=Nominee.State.MERGED).first() or found.first()
            if known is not None:
                return selectors.end_of(known)
    return None


def _add_nominee(fields: Fields) -> Nominee:
    try:
        with transaction.atomic():
            nominee = Nominee(**fields)
            nominee.save(force_insert=True)
            return nominee
    except IntegrityError:
        found = _find_nominee(fields)
        if found is None:
            raise
        return found


def _unclaimed(nominee: Nominee, fields: Fields) -> Fields:
    """The fields without an address that already identifies another nominee."""
    others = Nominee.objects.filter(kind=nominee.kind).exclude(pk=nominee.pk).exclude(state=Nominee.State.MERGED)
    taken = [
        name
        for name in ("email", "linkedin_url")
        if fields.get(name) and others.filter(**{name: fields[name]}).exists()
    ]
    return {name: value for name, value in fields.items() if name not in taken}


def _same_by_name(nominee: Nominee, fields: Fields) -> bool:
    """The same author naming the same name twice means one nominee, unless an address tells them apart."""
    other = Nominee(**fields)
    for name in ("email", "linkedin_url"):
        if getattr(nominee, name) and getattr(other, name):
            return False
    return contacts.normal_name(nominee.name) == contacts.normal_name(other.name)
