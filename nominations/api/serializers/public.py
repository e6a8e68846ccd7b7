"""What anybody sends and reads."""

from typing import Any

from rest_framework import serializers

from crm.api.serializers import EmailText, PhoneText, WebURL, check_text
from nominations import contacts, selectors
from nominations.models import Category, Nominee, Season
from notifications.api.serializers import StrictSerializer


class LinkedInText(serializers.CharField):
    """A LinkedIn address in any of its spellings."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming the field."""
        text = super().to_internal_value(data)
        check_text(contacts.normal_linkedin, text)
        return text


class PersonSerializer(StrictSerializer):
    """Somebody who nominates or votes."""

    email = EmailText(max_length=254)
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
    email = EmailText(max_length=254, required=False, allow_blank=True)
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
    """A category by its slug; whether it is open the service decides, after a key was found to be a replay."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            slug_field="slug",
            queryset=Category.objects.all(),
            error_messages={"does_not_exist": "There is no such category.", "invalid": "Send the category's slug."},
            **kwargs,
        )


class SubmitSerializer(StrictSerializer):
    """A nomination as it comes in."""

    id = serializers.UUIDField(read_only=True)
    state = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    category = CategoryField()
    nominator = PersonSerializer()
    nominee = NomineeInSerializer()
    why = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The category decides which kind can be nominated."""
        kind = attrs["category"].kind
        if attrs["nominee"]["kind"] != kind:
            raise serializers.ValidationError({"nominee": {"kind": [f"This category is for a {kind}."]}})
        return attrs


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


class VoteInSerializer(StrictSerializer):
    """A vote as it comes in: category and nominee by slug."""

    id = serializers.UUIDField(read_only=True)
    state = serializers.CharField(read_only=True)
    total_votes = serializers.IntegerField(read_only=True)
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


class ShownSerializer(serializers.Serializer[Any]):
    """How a nominee stands; null is what the season does not show."""

    total_votes = serializers.IntegerField(allow_null=True)
    rank = serializers.IntegerField(allow_null=True)
    trending = serializers.ChoiceField(selectors.BEST_FIRST, allow_null=True)


class StandingSerializer(ShownSerializer):
    """A nominee in one category."""

    category = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class PodiumSerializer(ShownSerializer):
    """A place on the podium; `tied` when others share it.

    Who has no page any more keeps their place in published results, without an address and a picture.
    """

    tied = serializers.BooleanField()
    slug = serializers.CharField(source="nominee.slug", allow_null=True)
    name = serializers.CharField(source="nominee.name")
    kind = serializers.CharField(source="nominee.kind")
    country = serializers.CharField(source="nominee.country")
    image = serializers.ImageField(allow_null=True)
    live_url = serializers.SerializerMethodField()

    def get_live_url(self, row: dict[str, Any]) -> str:
        """ "" for who has no page."""
        nominee: Nominee = row["nominee"]
        return nominee.live_url if nominee.state == Nominee.State.LIVE else ""


class ListedSerializer(serializers.Serializer[Any]):
    """A nominee in the directory."""

    slug = serializers.CharField(source="nominee.slug")
    name = serializers.CharField(source="nominee.name")
    kind = serializers.CharField(source="nominee.kind")
    categories = serializers.ListField(child=serializers.CharField(), source="slugs")
    country = serializers.CharField(source="nominee.country")
    image = serializers.ImageField(source="nominee.image", allow_null=True)
    total_votes = serializers.IntegerField(source="shown.total_votes", allow_null=True)
    rank = serializers.IntegerField(source="shown.rank", allow_null=True)
    trending = serializers.ChoiceField(selectors.BEST_FIRST, source="shown.trending", allow_null=True)
    live_url = serializers.CharField(source="nominee.live_url")


class NomineePublicSerializer(serializers.ModelSerializer[Nominee]):
    """A live nominee: no address, no phone. The total is over all categories, rank and label are the best of them."""

    categories = StandingSerializer(many=True, source="standings")
    total_votes = serializers.IntegerField(source="shown.total_votes", allow_null=True)
    rank = serializers.IntegerField(source="shown.rank", allow_null=True)
    trending = serializers.ChoiceField(selectors.BEST_FIRST, source="shown.trending", allow_null=True)
    why = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Nominee
        fields = [
            "slug",
            "name",
            "kind",
            "job_title",
            "company",
            "website",
            "industry",
            "company_size",
            "linkedin_url",
            "country",
            "image",
            "bio",
            "achievements",
            "why",
            "categories",
            "total_votes",
            "rank",
            "trending",
            "live_url",
        ]


class StatsSerializer(serializers.Serializer[Any]):
    """Four numbers; the votes are null where the season does not show totals."""

    nominees = serializers.IntegerField()
    nominations = serializers.IntegerField()
    votes = serializers.IntegerField(allow_null=True)
    categories = serializers.IntegerField()
