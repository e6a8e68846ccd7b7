"""Parts of the public forms, each with its own prefix."""

from typing import Any, ClassVar

from django import forms
from django.core.validators import URLValidator
from django.forms import BoundField

from nominations.forms.fields import StoryField, email_field, linkedin_field, phone_field, text_field
from nominations.forms.pictures import PictureField
from nominations.models import Category, Nominee

WHY_LENGTH = 1000
COMPANY_SIZES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1001-5000", "5001+")


class Part(forms.Form):
    """One part of a page's form; what need not be given is folded away."""

    folded_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.error_messages["required"] = "Please fill this in."

    def shown(self) -> list[BoundField]:
        """What everybody sees."""
        return [field for field in self.visible_fields() if field.name not in self.folded_names]

    def folded(self) -> list[BoundField]:
        """What those see who unfold it."""
        return [field for field in self.visible_fields() if field.name in self.folded_names]

    def is_unfolded(self) -> bool:
        """Whether something in the fold was given or is wrong."""
        return self.is_bound and any(field.data or field.errors for field in self.folded())


class WhyPart(Part):
    """Why, for which category, the key that makes two clicks one nomination, and the answer to "did you mean"."""

    why = StoryField(
        rows=7,
        label="Why do they deserve it?",
        max_length=WHY_LENGTH,
        help_text="Up to 1000 characters. If we publish the nomination, this appears on their page.",
    )
    category = forms.CharField(widget=forms.HiddenInput)
    key = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    known = forms.CharField(widget=forms.HiddenInput, max_length=200, required=False)


class PersonPart(Part):
    """The person who fills in the form."""

    folded_names = ("linkedin_url", "company", "job_title", "phone", "country")

    first_name = text_field("Your first name", 100, required=True, fill="given-name")
    last_name = text_field("Your last name", 100, required=True, fill="family-name")
    email = email_field("Your email", required=True, fill="email")
    linkedin_url = linkedin_field("Your LinkedIn address")
    company = text_field("Your company", 255, fill="organization")
    job_title = text_field("Your job title", 150, fill="organization-title")
    country = text_field("Your country", 100, fill="country-name")


class NominatorPart(PersonPart):
    """Who nominates."""

    phone = phone_field("Your phone", fill="tel")


class VoterPart(PersonPart):
    """Who votes."""


class NomineePart(Part):
    """What both kinds of nominee have."""

    kind: ClassVar[Nominee.Kind]
    folded_names: ClassVar[tuple[str, ...]] = ("linkedin_url", "phone", "country", "bio", "achievements", "image")

    email = email_field("Email", hint="Never published. It is how they hear of their nomination.")
    linkedin_url = linkedin_field("LinkedIn address", hint="For example linkedin.com/in/jane-doe")
    phone = phone_field("Phone")
    country = text_field("Country", 100)
    bio = StoryField(rows=4, label="About them", max_length=2000, required=False)
    achievements = StoryField(rows=4, label="Achievements", max_length=2000, required=False)
    image = PictureField(
        label="A picture",
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP, up to 5 MB.",
    )


class PersonNomineePart(NomineePart):
    """A person who is nominated."""

    kind = Nominee.Kind.PERSON
    field_order = ("first_name", "last_name", "job_title", "company")

    first_name = text_field("First name", 100, required=True)
    last_name = text_field("Last name", 100, required=True)
    job_title = text_field("Job title", 150)
    company = text_field("Company", 255)


class CompanyNomineePart(NomineePart):
    """A company that is nominated."""

    kind = Nominee.Kind.COMPANY
    folded_names = ("industry", "company_size", *NomineePart.folded_names)
    field_order = ("company_name", "website", "email", "industry", "company_size")

    company_name = text_field("Company name", 255, required=True)
    website = forms.URLField(
        label="Website",
        max_length=300,
        required=False,
        assume_scheme="https",
        validators=[URLValidator(schemes=["http", "https"])],
        widget=forms.URLInput(attrs={"autocomplete": "off"}),
    )
    industry = text_field("Industry", 150)
    company_size = forms.ChoiceField(
        label="Company size", required=False, choices=[("", "Not known"), *((size, size) for size in COMPANY_SIZES)]
    )


class BallotPart(Part):
    """In which category, and the key that makes two clicks one vote."""

    category = forms.ChoiceField(widget=forms.RadioSelect, label="Vote in")
    key = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)

    def __init__(self, categories: list[Category], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["category"]
        assert isinstance(choice, forms.ChoiceField)  # noqa: S101 - tells mypy what is declared above
        choice.choices = [(category.slug, category.label) for category in categories]
        if len(categories) == 1:
            choice.widget = forms.HiddenInput()
        choice.error_messages["required"] = choice.error_messages["invalid_choice"] = "Choose a category."
