"""The shape of what is typed of a client."""

from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from crm.admin.words import phone_in_words
from crm.models import Business, Client
from crm.models.fields import EmailField


def _text(name: str, *, required: bool = False, **kwargs: Any) -> forms.CharField:
    field = cast(Any, Client._meta.get_field(name))
    label = str(field.verbose_name).capitalize()
    return forms.CharField(required=required, label=label, max_length=field.max_length, **kwargs)


class ClientForm(forms.Form):
    """A client's page: what is not changed is not sent."""

    first_name = _text("first_name", required=True)
    last_name = _text("last_name", required=True)
    email = forms.EmailField(max_length=EmailField().max_length)
    phone = forms.CharField(required=False, max_length=50, widget=forms.TextInput(attrs={"type": "tel"}))
    company = _text("company")
    address_line1 = _text("address_line1")
    address_line2 = _text("address_line2")
    city = _text("city")
    state = _text("state")
    postal_code = _text("postal_code")
    country = _text("country")
    is_active = forms.BooleanField(
        required=False, initial=True, label="Active", help_text="Loops keeps the contact of an inactive client, empty."
    )

    def __init__(self, data: Any = None, *, client: Client | None = None) -> None:
        known = {name: getattr(client, name) for name in ClientForm.base_fields} if client else {}
        if client:
            known["phone"] = phone_in_words(client.phone)
        super().__init__(data, initial=known)
        for field in self.fields.values():
            # What was seen goes along, to tell an edit from what a colleague wrote since.
            field.show_hidden_initial = client is not None

    @property
    def edited(self) -> dict[str, Any]:
        """What was typed into the fields that were changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in ClientForm.base_fields}


class NewClientForm(ClientForm):
    """Also whose client it is, where there is a choice."""

    business = forms.ModelChoiceField(Business.objects.none())
    field_order = ("business",)

    def __init__(self, data: Any = None, *, businesses: QuerySet[Business]) -> None:
        super().__init__(data)
        field = cast("forms.ModelChoiceField[Business]", self.fields["business"])
        field.queryset = businesses
        only = list(businesses[:2])
        if len(only) == 1:
            field.initial, field.widget = only[0], forms.HiddenInput()

    @property
    def typed(self) -> dict[str, Any]:
        """All of it."""
        return {name: self.cleaned_data[name] for name in ClientForm.base_fields}
