"""Shapes of the awards' API."""

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from crm.models import normal_phone
from nominations import contacts
from nominations.models import Category, Nomination, Nominee, Season
from notifications.api.serializers import StrictSerializer


class PhoneText(serializers.CharField):
    """A phone as typed; it must be a possible number."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the field; keeps the text as it was typed."""
        text = super().to_internal_value(data)
        _reject(normal_phone, text)
        return text


class LinkedInText(serializers.CharField):
    """A LinkedIn address in any of its spellings."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the field."""
        text = super().to_internal_value(data)
        _reject(contacts.normal_linkedin, text)
        return text


def _reject(normalise: Any, text: str) -> None:
    try:
        normalise(text)
    except ValidationError as error:
        raise serializers.ValidationError(error.messages) from error


class WebURL(serializers.URLField):
    """http or https, nothing else."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the field."""
        text = super().to_internal_value(data)
        if not str(text).lower().startswith(("http://", "https://")):
            raise serializers.ValidationError("Enter an address that begins with http:// or https://.")
        return text


class PersonSerializer(StrictSerializer):
    """Somebody who nominates or votes."""

    email = serializers.EmailField(max_length=254)
    first_name = serializers.CharField(max_length=100)
    last_name = serializers.CharField(max_length=100)
    linkedin_url = LinkedInText(max_length=300, required=False, allow_blank=True)
    company = serializers.CharField(max_length=255, required=False, allow_blank=True)
    job_title = serializers.CharField(max_length=150, required=False, allow_blank=True)
    phone = PhoneText(max_length=50, required=False, allow_blank=True)
    country = serializers.CharField(max_length=100, required=False, allow_blank=True)


class NomineeInSerializer(StrictSerializer):
    """Who is nominated: a person by first and last name, or a company by its name."""

    kind = serializers.ChoiceField(Nominee.Kind.choices)
    first_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    last_name = serializers.CharField(max_length=100, required=False, allow_blank=True)
    job_title = serializers.CharField(max_length=150, required=False, allow_blank=True)
    company = serializers.CharField(max_length=255, required=False, allow_blank=True)
    company_name = serializers.CharField(max_length=255, required=False, allow_blank=True)
    website = WebURL(max_length=300, required=False, allow_blank=True)
    industry = serializers.CharField(max_length=150, required=False, allow_blank=True)
    company_size = serializers.CharField(max_length=50, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    phone = PhoneText(max_length=50, required=False, allow_blank=True)
    linkedin_url = LinkedInText(max_length=300, required=False, allow_blank=True)
    country = serializers.CharField(max_length=100, required=False, allow_blank=True)
    bio = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    achievements = serializers.CharField(max_length=2000, required=False, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The name that the kind has; the other kind's fields are not taken."""
        person, company = ("first_name", "last_name"), ("company_name",)
        needed = person if attrs["kind"] == Nominee.Kind.PERSON else company
        missing = [name for name in needed if not attrs.get(name)]
        if missing:
            raise serializers.ValidationError(dict.fromkeys(missing, ["This field is required."]))
        foreign = ("company_name", "website", "industry", "company_size")
        if needed is company:
            foreign = ("first_name", "last_name", "job_title", "company")
        odd = [name for name in foreign if attrs.get(name)]
        if odd:
            raise serializers.ValidationError(dict.fromkeys(odd, [f"Not for a {attrs['kind']}."]))
        return attrs


class CategoryField(serializers.SlugRelatedField[Category]):
    """A category by its slug."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            slug_field="slug",
            queryset=Category.objects.filter(is_active=True),
            error_messages={"does_not_exist": "There is no such category.", "invalid": "Send the category's slug."},
            **kwargs,
        )


class SubmitSerializer(StrictSerializer):
    """A nomination as it comes in."""

    category = CategoryField()
    nominator = PersonSerializer()
    nominee = NomineeInSerializer()
    why = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class SubmittedSerializer(serializers.Serializer[Any]):
    """The answer to a nomination: what was sent, nothing of what was known before."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    category = serializers.CharField()
    nominator = serializers.DictField()
    nominee = serializers.DictField()
    created_at = serializers.DateTimeField()


class SeasonSerializer(serializers.ModelSerializer[Season]):
    """The season now."""

    nominations_open = serializers.BooleanField()
    voting_open = serializers.BooleanField()

    class Meta:
        model = Season
        fields = [
            "name",
            "nominations_open",
            "voting_open",
            "nominations_open_at",
            "nominations_close_at",
            "voting_open_at",
            "voting_close_at",
            "results_published_at",
            "nominations_closed_message",
            "voting_closed_message",
        ]


class CategorySerializer(serializers.ModelSerializer[Category]):
    """What one can be nominated for."""

    group = serializers.CharField(source="group.name")

    class Meta:
        model = Category
        fields = ["slug", "label", "kind", "group", "region"]


class NominatorOutSerializer(serializers.Serializer[Any]):
    """Who nominated, for staff."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField(source="__str__")
    company = serializers.CharField()


class NomineeOutSerializer(serializers.Serializer[Any]):
    """Who is nominated, for staff."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    slug = serializers.CharField(allow_null=True)
    live_url = serializers.CharField()


class DeliverySerializer(serializers.Serializer[Any]):
    """How far the news is, for one contact."""

    role = serializers.CharField()
    email = serializers.CharField()
    status = serializers.CharField()
    attempts = serializers.IntegerField()
    last_error = serializers.CharField()
    synced_at = serializers.DateTimeField(allow_null=True)


class NominationSerializer(serializers.ModelSerializer[Nomination]):
    """A nomination in staff's list."""

    category = serializers.CharField(source="category.slug")
    nominator = NominatorOutSerializer()
    nominee = NomineeOutSerializer()

    class Meta:
        model = Nomination
        fields = ["id", "state", "category", "nominator", "nominee", "why", "source", "created_at", "approved_at"]


class NominationDetailSerializer(NominationSerializer):
    """A nomination with its notes and its delivery."""

    delivery = DeliverySerializer(many=True)
    live_url = serializers.CharField(source="nominee.live_url")

    class Meta:
        model = Nomination
        fields = [*NominationSerializer.Meta.fields, "admin_notes", "duplicate_of", "live_url", "delivery"]


class ApproveSerializer(StrictSerializer):
    """What staff may set while approving."""

    slug = serializers.CharField(max_length=180, required=False, allow_blank=True, default="")
    admin_notes = serializers.CharField(max_length=5000, required=False, allow_blank=True, default="")
    nominee = serializers.UUIDField(required=False)


class ApprovedSerializer(serializers.Serializer[Any]):
    """The answer to an approval."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    approved_at = serializers.DateTimeField()
    live_url = serializers.CharField(source="nominee.live_url")
    nominee = NomineeOutSerializer()


class RejectSerializer(StrictSerializer):
    """Why a nomination is turned down."""

    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class DuplicateSerializer(StrictSerializer):
    """Which nomination says the same."""

    of = serializers.UUIDField()


class EmptySerializer(StrictSerializer):
    """Nothing is needed."""


class StateSerializer(serializers.Serializer[Any]):
    """The answer to a decision."""

    id = serializers.UUIDField()
    state = serializers.CharField()


class VoteInSerializer(StrictSerializer):
    """A vote as it comes in: category and nominee by slug."""

    category = CategoryField()
    nominee = serializers.CharField(max_length=200)
    voter = PersonSerializer()


class VotedSerializer(serializers.Serializer[Any]):
    """The answer to a vote; the total is null where the season does not show totals."""

    id = serializers.UUIDField()
    state = serializers.CharField()
    nominee = serializers.CharField()
    category = serializers.CharField()
    total_votes = serializers.IntegerField(allow_null=True)
