"""What a customer wants to be told."""

from collections.abc import Mapping
from typing import Any

from django import forms

from notifications.models import Preferences


class PreferencesForm(forms.Form):
    """Ways to be told, and each kind of news by itself. Questions come in any case."""

    in_app = forms.BooleanField(label="Show news here", required=False)
    email = forms.BooleanField(label="Send news by email", required=False)

    def __init__(self, data: Any = None, *, types: Mapping[str, str], wants: Preferences) -> None:
        now = {"in_app": wants.in_app, "email": wants.email, **{name: name not in wants.muted for name in types}}
        super().__init__(data, initial=now)
        for name, label in types.items():
            self.fields[name] = forms.BooleanField(label=label, required=False)
        self.types = types

    @property
    def ways(self) -> list[Any]:
        """The first two fields."""
        return [self["in_app"], self["email"]]

    @property
    def kinds(self) -> list[Any]:
        """A field for each kind of news."""
        return [self[name] for name in self.types]

    def wanted(self) -> dict[str, bool]:
        """Of each kind, whether it is wanted."""
        return {name: self.cleaned_data[name] for name in self.types}
