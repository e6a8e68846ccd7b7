"""What people who sign in, or join, enter."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from crm.models import normal_email, normal_phone


class EmailText(forms.EmailField):
    """An address in its normal form, whose length is checked after: some letters grow when they are lower-cased."""

    def __init__(self, *, hint: str = "") -> None:
        attrs = {"autocomplete": "email", "spellcheck": "false", "autocapitalize": "off"}
        widget = forms.EmailInput(attrs)
        super().__init__(label="Email address", max_length=254, widget=widget, help_text=hint)

    def to_python(self, value: Any) -> Any:
        """Trimmed and lower-cased."""
        return normal_email(super().to_python(value) or "")


class LoginForm(forms.Form):
    """By password."""

    email = EmailText()
    password = forms.CharField(
        max_length=1024, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class LinkForm(forms.Form):
    """By a link that is mailed."""

    email = EmailText()


class JoinForm(forms.Form):
    """Somebody new. A phone without a country code is read as one of the region."""

    name = forms.CharField(
        label="Your name", max_length=201, widget=forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"})
    )
    phone = forms.CharField(
        label="Mobile phone",
        max_length=50,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
        help_text="The number you give at the till.",
    )
    email = EmailText(hint="We send a link there to confirm that it is yours.")

    def __init__(self, *args: Any, region: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.region = region

    def clean_name(self) -> tuple[str, str]:
        """First and last name. Raises ValidationError for more than there is room for."""
        first, _space, last = self.cleaned_data["name"].strip().partition(" ")
        if max(len(first), len(last.strip())) > 100:
            raise ValidationError("Shorten it: each name has room for 100 characters.")
        return first, last.strip()

    def clean_phone(self) -> str:
        """As typed. Raises ValidationError when it is no phone."""
        text: str = self.cleaned_data["phone"]
        normal_phone(text, self.region)
        return text
