"""The shape of what is typed of a lead, and to one."""

from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from crm.admin.words import phone_in_words
from crm.models import Business, Lead, Message
from crm.models.fields import EmailField

# What a sync writes unless it was edited by hand.
FOLLOWS_CRM = ("name", "first_name", "last_name", "phone", "email", "company")


def _length(name: str) -> int:
    return cast(int, cast(Any, Lead._meta.get_field(name)).max_length)


class LeadForm(forms.Form):
    """Of the fields only those count that were edited: an old page takes nothing back that came in meanwhile."""

    name = forms.CharField(
        required=False,
        max_length=_length("name"),
        help_text="As it stands in lists. Left empty, it is made of the two below.",
    )
    first_name = forms.CharField(required=False, max_length=_length("first_name"))
    last_name = forms.CharField(required=False, max_length=_length("last_name"))
    phone = forms.CharField(required=False, max_length=50, widget=forms.TextInput(attrs={"type": "tel"}))
    email = forms.EmailField(required=False, max_length=EmailField().max_length)
    company = forms.CharField(required=False, max_length=_length("company"))
    status = forms.CharField(max_length=_length("status"), initial="pending", help_text="Your own word for it.")
    lead_type = forms.ChoiceField(label="Type", choices=Lead.Type.choices, initial=Lead.Type.NEW)
    opted_out = forms.BooleanField(
        required=False, label="Opted out", help_text="Wants no messages. No sync takes this back."
    )

    def __init__(self, data: Any = None, *, lead: Lead | None = None) -> None:
        known = {name: getattr(lead, name) for name in LeadForm.base_fields} if lead else {}
        if lead:
            known["phone"] = phone_in_words(lead.phone)
        super().__init__(data, initial=known)
        for field in self.fields.values():
            # What was seen goes along, to tell an edit from what a sync wrote since.
            field.show_hidden_initial = lead is not None

    @property
    def edited(self) -> dict[str, Any]:
        """What was typed into the fields that were changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.base_fields}


class NewLeadForm(LeadForm):
    """Also whose lead it is, where there is a choice."""

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
    def edited(self) -> dict[str, Any]:
        """What was filled in, for a new lead."""
        return {name: value for name, value in self.cleaned_data.items() if name in LeadForm.base_fields and value}


class MessageForm(forms.Form):
    """What was said."""

    direction = forms.ChoiceField(
        label="Who wrote",
        choices=[(Message.Direction.OUTBOUND, "We wrote"), (Message.Direction.INBOUND, "They wrote")],
        initial=Message.Direction.OUTBOUND,
        widget=forms.RadioSelect,
    )
    channel = forms.ChoiceField(
        label="How", choices=Message.Channel.choices, initial=Message.Channel.SMS, widget=forms.RadioSelect
    )
    body = forms.CharField(
        label="Message",
        max_length=cast(int, cast(Any, Message._meta.get_field("body")).max_length),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
