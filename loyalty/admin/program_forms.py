"""The shape of a program's settings."""

from decimal import Decimal
from itertools import zip_longest
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from loyalty.models import check_tiers, rules
from loyalty.models.programs import MOST_MULTIPLIER, default_tiers

BLANK_ROWS = 1
COLUMNS: dict[str, forms.Field] = {
    "level": forms.CharField(max_length=30, label="Tier"),
    "from_points": forms.IntegerField(min_value=0, max_value=rules.MOST_POINTS, label="From points"),
    "multiplier": forms.DecimalField(min_value=0, max_value=MOST_MULTIPLIER, decimal_places=4, label="Multiplier"),
}


class TiersWidget(forms.Widget):
    """A row for each tier, and an empty one; the three columns come back as three lists."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """The table."""
        blank = [dict.fromkeys(COLUMNS, "")] * BLANK_ROWS
        columns = [(part, field.label, part != "level") for part, field in COLUMNS.items()]
        rows = [[(*column, row[column[0]]) for column in columns] for row in [*(value or []), *blank]]
        context = {"name": name, "columns": columns, "rows": rows, "is_invalid": "aria-invalid" in (attrs or {})}
        return render_to_string("admin/loyalty/program/tiers.html", context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, str]]:
        """The rows with something in them, as they were typed."""
        lists = [data.getlist(f"{name}_{part}") for part in COLUMNS]
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip_longest(*lists, fillvalue="")]
        return [row for row in rows if any(text.strip() for text in row.values())]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """A table that was emptied was sent too."""
        return False


class TiersField(forms.Field):
    """Tiers as a program stores them, lowest first."""

    widget = TiersWidget

    def clean(self, value: list[dict[str, str]]) -> list[dict[str, Any]]:
        """Raises ValidationError naming the row, or the rule that the tiers break together."""
        tiers = [_read(number, row) for number, row in enumerate(value, start=1)]
        tiers.sort(key=lambda tier: int(tier["from_points"]))
        check_tiers(tiers)
        return tiers

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether it would be stored otherwise."""
        try:
            return rules.read_tiers(initial or []) != rules.read_tiers(self.clean(data))
        except ValidationError:
            return True


def _read(number: int, row: dict[str, str]) -> dict[str, Any]:
    """A typed row. An empty multiplier is 1."""
    typed = {**row, "multiplier": row["multiplier"].strip() or "1"}
    tier, problems = {}, []
    for part, field in COLUMNS.items():
        try:
            tier[part] = field.clean(typed[part])
        except ValidationError as error:
            problems += [f"Row {number}, {str(field.label).lower()}: {message}" for message in error.messages]
    if problems:
        raise ValidationError(problems)
    return {**tier, "multiplier": plain_decimal(tier["multiplier"])}


class ProgramForm(forms.ModelForm):  # type: ignore[type-arg]
    """A program's settings."""

    tiers = TiersField(
        initial=default_tiers,
        help_text="By points earned over a lifetime. The first begins at 0. Empty a row to remove its tier.",
    )

    class Meta:
        labels = {"point_value": "Worth of a point", "earn_rule": "Earn"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("points_per_unit", "point_value"):
            if isinstance(self.initial.get(name), Decimal):
                self.initial[name] = Decimal(plain_decimal(self.initial[name]))
        if "is_default" in self.fields and not self.instance._state.adding and self.instance.is_default:
            self.fields["is_default"].disabled = True
            self.fields["is_default"].help_text = "It stays so until another program is made the default."

    def _get_validation_exclusions(self) -> set[str]:
        """Names are compared in the program's business, which the form does not hold. Saving settles the default."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - ({"business"} - set(self.fields)) | {"is_default"}


class RewardFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Rows of rewards, whose fields are named too where only the head of their column names them."""

    def add_fields(self, form: Any, index: int | None) -> None:
        """Django's, with names."""
        super().add_fields(form, index)
        for field in form.fields.values():
            if field.label:
                field.widget.attrs["aria-label"] = field.label


def plain_decimal(number: Decimal) -> str:
    """Without the zeros that the column pads it with."""
    return f"{number.normalize():f}"
