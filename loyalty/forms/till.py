"""What a till enters: numbers as people write them, and the token by which a form is known again."""

import json
import re
import uuid
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from loyalty.models import rules

FIELD = {"autocomplete": "off", "spellcheck": "false"}
REASON = forms.Textarea(attrs={"rows": 2})


class PointsField(forms.IntegerField):
    """Whole points: `1,250` and `−50` too, as the pages write them."""

    def __init__(self, *, signed: bool = False, **kwargs: Any) -> None:
        # The number pad of some phones has no minus.
        attrs = {**FIELD, "inputmode": "text" if signed else "numeric", "maxlength": "16"}
        limits = {"min_value": -rules.MOST_POINTS if signed else None, "max_value": rules.MOST_POINTS}
        super().__init__(**{"widget": forms.TextInput(attrs=attrs), **limits, **kwargs})

    def to_python(self, value: Any) -> int | None:
        """Without separators."""
        return super().to_python(re.sub(r"[\s,]", "", value).replace("\N{MINUS SIGN}", "-") if value else value)


class MoneyField(forms.DecimalField):
    """An amount: `£1,250.00`, `25.5` and `25,50` too."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {**FIELD, "inputmode": "decimal", "maxlength": "20"}
        limits: dict[str, Any] = {"max_digits": 12, "decimal_places": 2, "min_value": Decimal(0)}
        super().__init__(**{"widget": forms.TextInput(attrs=attrs), **limits, **kwargs})

    def to_python(self, value: Any) -> Any:
        """Without currency and separators."""
        text = re.sub(r"[\s£€$]", "", value or "")
        return super().to_python(re.sub(r"^(-?\d+),(\d{1,2})$", r"\1.\2", text).replace(",", ""))


class MoveForm(forms.Form):
    """Anything that moves points. The token makes that a form counts once, however often it is sent."""

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, label_suffix="", auto_id="till_%s", **kwargs)
        self.token = self.sent_token or str(uuid.uuid4())

    @property
    def sent_token(self) -> str:
        """The token that came with the form, or nothing."""
        try:
            return str(uuid.UUID(self.data.get("token", "")))
        except ValueError:
            return ""

    def renew(self) -> None:
        """What is confirmed next is another wish."""
        self.token = str(uuid.uuid4())

    @property
    def entered(self) -> dict[str, Any]:
        """What is wished for, without empty fields."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}

    def fingerprint(self, *about: object) -> str:
        """Tells this wish about these things from any other."""
        wish = json.dumps([*about, self.entered], default=str, sort_keys=True)
        return sha256(wish.encode()).hexdigest()

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Everything that stands in the way, in words, each with the id by which its field refers to it."""
        return [
            (f"{self[name].auto_id}_error" if name in self.fields else "till_error", " ".join(map(str, errors)))
            for name, errors in self.errors.items()
        ]


class RedeemForm(MoveForm):
    """Points for a discount."""

    points = PointsField(error_messages={"required": "Type the points to redeem."})
    order_total = MoneyField(required=False, label="Order total")


class AwardForm(MoveForm):
    """What an order earns, or plain points."""

    order_total = MoneyField(required=False, label="Order total")
    points = PointsField(required=False, min_value=1, label="Or points")
    reference = forms.CharField(
        required=False, max_length=255, widget=forms.TextInput(attrs=FIELD), label="Order number"
    )

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError."""
        if {"order_total", "points"} <= self.entered.keys():
            raise ValidationError("Give the order total or points, not both.")
        return self.cleaned_data


class AdjustForm(MoveForm):
    """Points by hand, and why."""

    points = PointsField(
        signed=True,
        error_messages={"required": "Type the points to add, or to take away with a minus."},
        help_text="50 adds, −50 takes away.",
    )
    reason = forms.CharField(max_length=500, widget=REASON, error_messages={"required": "Say why."})

    def clean_points(self) -> int:
        """Raises ValidationError for nothing."""
        points: int = self.cleaned_data["points"]
        if not points:
            raise ValidationError("Type the points to add, or to take away with a minus.")
        return points


class ReverseForm(MoveForm):
    """A part by points or by amount, or the rest, and why."""

    points = PointsField(required=False, min_value=1, help_text="Empty: all that is left.")
    amount = MoneyField(required=False, min_value=Decimal("0.01"), label="Or part of the order")
    reason = forms.CharField(max_length=500, widget=REASON, error_messages={"required": "Say why."})

    def clean(self) -> dict[str, Any]:
        """Raises ValidationError."""
        if {"points", "amount"} <= self.entered.keys():
            raise ValidationError("Give points or a part of the order, not both.")
        return self.cleaned_data


class EnrollForm(forms.Form):
    """Somebody at the till who wants to join."""

    phone = forms.CharField(
        max_length=50, widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "tel"}), label="Phone"
    )
    name = forms.CharField(
        required=False, max_length=200, widget=forms.TextInput(attrs=FIELD), label="Name", help_text="If they give it."
    )
    agreed = forms.BooleanField(
        label="They agree to take part", error_messages={"required": "Ask whether they agree, and tick the box."}
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, label_suffix="", auto_id="enrol_%s", **kwargs)
