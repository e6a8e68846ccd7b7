"""What staff send and read."""

from typing import Any

from rest_framework import serializers

from nominations.api.serializers.public import CategoryField
from nominations.models import Nomination
from notifications.api.serializers import StrictSerializer


class NominatorOutSerializer(serializers.Serializer[Any]):
    """Who nominated, for staff; the organisers have no address."""

    id = serializers.UUIDField()
    email = serializers.EmailField(allow_null=True)
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


class DecisionSerializer(StrictSerializer):
    """A decision; what the answer says of the nomination is ignored when it is sent back."""

    id = serializers.UUIDField(read_only=True)
    state = serializers.CharField(read_only=True)


class ApproveSerializer(DecisionSerializer):
    """What staff may set while approving."""

    approved_at = serializers.DateTimeField(read_only=True)
    live_url = serializers.CharField(read_only=True)
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


class RejectSerializer(DecisionSerializer):
    """Why a nomination is turned down."""

    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class DuplicateSerializer(DecisionSerializer):
    """Which nomination says the same."""

    of = serializers.UUIDField()


class ManualVotesSerializer(StrictSerializer):
    """Votes by hand: a negative count takes some away."""

    votes = serializers.IntegerField(read_only=True)
    manual_votes = serializers.IntegerField(read_only=True)
    total_votes = serializers.IntegerField(read_only=True)
    category = CategoryField()
    count = serializers.IntegerField(min_value=-1_000_000, max_value=1_000_000)
    reason = serializers.CharField(max_length=500)


class TotalsSerializer(serializers.Serializer[Any]):
    """All three numbers, for staff."""

    votes = serializers.IntegerField()
    manual_votes = serializers.IntegerField()
    total_votes = serializers.IntegerField()


class StateSerializer(serializers.Serializer[Any]):
    """The answer to a decision."""

    id = serializers.UUIDField()
    state = serializers.CharField()
