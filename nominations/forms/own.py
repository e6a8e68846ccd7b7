"""What nominees send of their own pages."""

from django import forms

from nominations.forms.fields import StoryField
from nominations.forms.parts import Part
from nominations.forms.pictures import PictureField


class CorrectionPart(Part):
    """How the story should read, and another picture."""

    bio = StoryField(rows=8, label="About you", max_length=2000, required=False)
    achievements = StoryField(rows=6, label="Achievements", max_length=2000, required=False)
    image = PictureField(
        label="Another picture",
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp"}),
        help_text="JPEG, PNG or WebP, up to 5 MB. Leave it empty to keep the one you have.",
    )


class TakeDownPart(Part):
    """Why, for whoever likes to say."""

    note = StoryField(rows=3, label="Is there anything we should know?", max_length=1000, required=False)
