"""Which days a customer wants to see."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError


class RangeForm(forms.Form):
    """Two days, both included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (("from", "From"), ("to", "To")):
            self.fields[name] = forms.DateField(label=label, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))

    def clean(self) -> dict[str, Any] | None:
        """Raises ValidationError when they are the wrong way round."""
        sent = super().clean()
        if sent and "from" in sent and "to" in sent and sent["from"] > sent["to"]:
            raise ValidationError({"from": "Begin before the end."})
        return sent

    def days(self) -> tuple[date, date]:
        """From, to."""
        return self.cleaned_data["from"], self.cleaned_data["to"]
