"""Fields that the public forms are made of."""

from typing import Any

from django import forms

from crm.models import normal_phone
from nominations import contacts


class StoryField(forms.CharField):
    """Text of several lines; a line break counts as one character, as in the browser."""

    def __init__(self, *, rows: int, **kwargs: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": rows, "dir": "auto"}), **kwargs)

    def to_python(self, value: Any) -> Any:
        """Browsers send CR LF."""
        return super().to_python(value.replace("\r\n", "\n") if isinstance(value, str) else value)


class PhoneText(forms.CharField):
    """A phone as typed; it must be a possible number."""

    def clean(self, value: Any) -> Any:
        """Keeps the text, which is stored beside the normal form. Raises ValidationError."""
        text = super().clean(value)
        normal_phone(text)
        return text


class LinkedInText(forms.CharField):
    """A LinkedIn address in any of its spellings."""

    def clean(self, value: Any) -> Any:
        """In its normal form. Raises ValidationError."""
        address = contacts.normal_linkedin(super().clean(value))
        self.run_validators(address)
        return address


def text_field(
    label: str, length: int, *, required: bool = False, fill: str = "off", hint: str = ""
) -> forms.CharField:
    """One line."""
    widget = forms.TextInput(attrs={"autocomplete": fill, "dir": "auto"})
    return forms.CharField(label=label, max_length=length, required=required, widget=widget, help_text=hint)


def email_field(label: str, *, required: bool = False, fill: str = "off", hint: str = "") -> forms.EmailField:
    """An address."""
    widget = forms.EmailInput(attrs={"autocomplete": fill, "spellcheck": "false", "autocapitalize": "off"})
    return forms.EmailField(label=label, max_length=254, required=required, widget=widget, help_text=hint)


def linkedin_field(label: str, *, hint: str = "") -> LinkedInText:
    """A LinkedIn address in any of its spellings."""
    attrs = {"autocomplete": "off", "inputmode": "url", "spellcheck": "false", "autocapitalize": "off"}
    return LinkedInText(label=label, max_length=300, required=False, widget=forms.TextInput(attrs), help_text=hint)


def phone_field(label: str, *, fill: str = "off") -> PhoneText:
    """A phone as typed."""
    widget = forms.TextInput(attrs={"type": "tel", "autocomplete": fill})
    return PhoneText(label=label, max_length=50, required=False, widget=widget)
