"""Correcting a nominee with the picture, and what staff corrected, in words for the history."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminFileWidget
from django.utils.text import Truncator, capfirst

from nominations.admin.forms import PersonForm
from nominations.forms.pictures import PictureField

SHOWN = 300


class RemovablePictureField(PictureField):
    """A picture that can also be taken away."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """False for one that is to go; None where nothing changes."""
        return False if data is False else super().clean(data, initial)


class NomineeForm(PersonForm):
    """What staff correct of a nominee."""

    image = RemovablePictureField(
        label="Picture",
        required=False,
        widget=AdminFileWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP, up to 5 MB. It is kept small and without metadata.",
    )


def in_words(form: forms.ModelForm) -> str:  # type: ignore[type-arg]
    """Before and after of each field that was edited: `Bio: “Old” → “New”`."""
    return " · ".join(_change(form, name) for name in form.changed_data) or "No fields changed."


def _change(form: forms.ModelForm, name: str) -> str:  # type: ignore[type-arg]
    label = capfirst(str(form.fields[name].label or name))
    before, after = form.initial.get(name), form.cleaned_data.get(name)
    if isinstance(form.fields[name], forms.FileField):
        return f"{label}: {'removed' if after is False else 'replaced' if before else 'added'}"
    return f"{label}: {_quoted(before)} → {_quoted(after)}"


def _quoted(value: Any) -> str:
    return f"“{Truncator(' '.join(str(value).split())).chars(SHOWN)}”" if value else "nothing"
