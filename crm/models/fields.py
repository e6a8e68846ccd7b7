"""The one choke point each for email addresses and phone numbers, and the database's half of it."""

import re
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Trim

DEFAULT_REGION = "GB"
PHONE_LENGTH = 16
E164 = re.compile(r"\+[1-9][0-9]{1,14}")


def normal_email(text: str) -> str:
    """Trimmed and lower-cased: `Ann@X.org ` and `ann@x.org` are one person."""
    return text.strip().lower()


def normal_phone(text: str, region: str = DEFAULT_REGION, *, must_be_valid: bool = False) -> str:
    """E.164 for a phone in any spelling, or `""` for a blank.

    What a person types must be a possible number; with `must_be_valid` (imports) it must be an assigned one.
    A normal number stays as it is.
    Raises ValidationError when it is neither.
    """
    text = text.strip()
    if not text:
        return ""
    # phonenumbers reads 00 as the way abroad only where that is the local custom.
    dialled = "+" + text[2:] if text.startswith("00") else text
    try:
        number = phonenumbers.parse(dialled, region)
    except phonenumbers.NumberParseException as error:
        raise ValidationError("Enter a phone number, for example +44 7306 506797.") from error
    good = phonenumbers.is_valid_number(number) if must_be_valid else phonenumbers.is_possible_number(number)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not good or len(e164) > PHONE_LENGTH:
        raise ValidationError("This phone number is too short, too long or not in use.")
    # A number that is only possible may hide a second trunk zero, which the next reading would drop.
    return e164 if must_be_valid or e164 == dialled else normal_phone(e164, region)


class EmailField(models.EmailField):  # type: ignore[type-arg]
    """An address that is normal in memory, in queries and in the database."""

    def to_python(self, value: Any) -> Any:
        """Normalise what forms and fixtures bring."""
        value = super().to_python(value)
        return normal_email(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        """Normalise what is compared or stored."""
        value = super().get_prep_value(value)
        return normal_email(value) if isinstance(value, str) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Leave the normal form on the instance, so that what was saved is what is seen."""
        value = self.to_python(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value


class PhoneField(models.CharField):  # type: ignore[type-arg]
    """A phone in E.164, or blank. Forms and services normalise through `normal_phone` before they assign."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": PHONE_LENGTH, **kwargs})

    def to_python(self, value: Any) -> Any:
        """Normalise what forms bring. Raises ValidationError."""
        value = super().to_python(value)
        return normal_phone(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        """What is compared or stored; a number that is normal is not taken apart again, thousands of times."""
        return value if isinstance(value, str) and E164.fullmatch(value) else super().get_prep_value(value)


def email_is_normal(table: str, *, field: str = "email") -> models.CheckConstraint:
    """The database's half of `normal_email`."""
    return models.CheckConstraint(
        condition=Q(**{field: Lower(Trim(field))}),
        name=f"{table}_{field}_normal",
        violation_error_message="The address must be in lower case, without spaces around it.",
    )


def phone_is_e164(table: str, *, field: str = "phone") -> models.CheckConstraint:
    """The database's half of `normal_phone`."""
    return models.CheckConstraint(
        condition=Q(**{field: ""}) | Q(**{f"{field}__regex": r"^\+[1-9][0-9]{1,14}\Z"}), name=f"{table}_{field}_e164"
    )
