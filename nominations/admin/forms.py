"""The shape of what staff enter."""

from typing import Any

from django import forms

from nominations import contacts, selectors
from nominations.models import Category, Nomination, Nominee, Season
from nominations.services import proposed_slug
from nominations.services.rulings import BY_STAFF

LONG_TEXT = forms.Textarea(attrs={"rows": 3})


class ApproveForm(forms.Form):
    """The address before the first approval, whom to join, notes."""

    slug = forms.SlugField(
        required=False,
        max_length=180,
        label="Address",
        error_messages={"invalid": "Use letters a to z, digits and hyphens, for example jane-doe."},
    )
    nominee = forms.ModelChoiceField(queryset=Nominee.objects.none(), required=False)
    admin_notes = forms.CharField(required=False, max_length=5000, widget=LONG_TEXT, label="Notes for the team")

    def __init__(self, data: dict[str, str] | None, *, nomination: Nomination, similar: list[Nominee]) -> None:
        self.nomination = nomination
        initial = {"slug": proposed_slug(nomination.nominee), "admin_notes": nomination.admin_notes}
        super().__init__(None if data is None else {**initial, **data}, initial=initial)
        choices = Nominee.objects.filter(pk__in=[nominee.pk for nominee in similar])
        self.fields["nominee"] = forms.ModelChoiceField(queryset=choices, required=False)
        if nomination.nominee.slug:
            del self.fields["slug"]

    @property
    def joined(self) -> Nominee | None:
        """The existing nominee that was chosen."""
        return self.cleaned_data.get("nominee") if self.is_valid() else None

    @property
    def wanted_slug(self) -> str:
        """The address that was typed, unless the nominee's is fixed already."""
        fixed = self.joined is not None and self.joined.slug
        return "" if fixed or not self.is_valid() else self.cleaned_data.get("slug", "")

    @property
    def resulting_slug(self) -> str:
        """The address that the approval would give."""
        return self.wanted_slug or proposed_slug(self.joined or self.nomination.nominee)


class RejectForm(forms.Form):
    """Why."""

    reason = forms.CharField(max_length=1000, widget=LONG_TEXT, error_messages={"required": "Say why."})


class DuplicateForm(forms.Form):
    """Of which."""

    of = forms.ModelChoiceField(queryset=Nomination.objects.none(), label="The original")

    def __init__(self, data: Any, *, nomination: Nomination) -> None:
        super().__init__(data)
        season = Nomination.objects.filter(season=nomination.season_id).exclude(pk=nomination.pk)
        self.fields["of"] = forms.ModelChoiceField(
            queryset=season, label="The original", error_messages={"required": "Choose the original."}
        )


class ManyForm(forms.Form):
    """Several nominations and one decision."""

    decision = forms.ChoiceField(choices=[("approve", "Approve"), ("reject", "Reject")], widget=forms.HiddenInput)
    ids = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(max_length=1000, widget=LONG_TEXT, required=False)

    def clean_ids(self) -> list[str]:
        """Back from one field to a list; what is no id is refused by the field below."""
        field = forms.UUIDField()
        return [str(field.clean(text)) for text in self.cleaned_data["ids"].split(",")]


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person or company with its profile in the form that finds it again."""

    class Meta:
        labels = {"linkedin_url": "LinkedIn", "email": "Email", "company_size": "Size"}

    def clean_linkedin_url(self) -> str:
        """As services store it."""
        return contacts.normal_linkedin(self.cleaned_data["linkedin_url"])


class RulingForm(forms.Form):
    """Why votes are taken out or put back; what a preview has shown, so that nothing else is done."""

    reason = forms.ChoiceField(
        choices=[(reason.value, reason.label) for reason in BY_STAFF], initial=BY_STAFF[0].value, required=False
    )
    note = forms.CharField(max_length=500, widget=LONG_TEXT, label="In words", error_messages={"required": "Say why."})
    expected = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)


class ChosenVotesForm(RulingForm):
    """Votes ticked in the list."""

    decision = forms.ChoiceField(
        choices=[("invalidate", "Invalidate"), ("restore", "Restore")], widget=forms.HiddenInput
    )
    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[str]:
        """Back from one field to a list; what is no id is refused by the field below."""
        field = forms.UUIDField()
        return [str(field.clean(text)) for text in self.cleaned_data["ids"].split(",")]


class ClusterFilterForm(forms.Form):
    """Of what the groups are looked for."""

    season = forms.ModelChoiceField(queryset=Season.objects.all(), required=False, empty_label=None)
    category = forms.ModelChoiceField(
        queryset=Category.objects.all(), required=False, empty_label="All", to_field_name="slug"
    )
    nominee = forms.SlugField(required=False, label="Nominee's address")


class ClusterForm(forms.Form):
    """Which group."""

    season = forms.ModelChoiceField(queryset=Season.objects.all())
    category = forms.ModelChoiceField(queryset=Category.objects.all())
    nominee = forms.ModelChoiceField(queryset=Nominee.objects.all())
    kind = forms.ChoiceField(choices=list(selectors.KINDS.items()))
    value = forms.CharField(max_length=300)


class ManualVotesForm(forms.Form):
    """How many for whom, and why."""

    nominee = forms.ModelChoiceField(queryset=Nominee.objects.live())
    category = forms.ModelChoiceField(queryset=Category.objects.select_related("group"))
    count = forms.IntegerField(
        min_value=-1_000_000,
        max_value=1_000_000,
        help_text="Below zero takes votes away; the total never falls under 0.",
    )
    reason = forms.CharField(max_length=500, widget=LONG_TEXT, error_messages={"required": "Say why."})
