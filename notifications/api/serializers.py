"""The base of every serializer that reads a body, and the shapes of what people are told."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from notifications.models import ApprovalRequest, Change, Notification, Preferences


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know by name, so that a misspelt one is not silently lost; ignores read-only ones."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming each unknown field."""
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(dict.fromkeys(unknown, ["Unknown field."]))
        return super().to_internal_value(data)


class NotificationsQuerySerializer(serializers.Serializer[Any]):
    """Which notifications to list."""

    unread = serializers.BooleanField(required=False, help_text="`true`: only those that nobody has read.")
    type = serializers.CharField(required=False, max_length=100, help_text="One type, as `points_earned`.")
    q = serializers.CharField(required=False, help_text="Words of the title or the message.")
    ordering = serializers.CharField(required=False, help_text="`created_at` begins with the oldest.")


class ApprovalSerializer(serializers.ModelSerializer[ApprovalRequest]):
    """The question that a notification asks, and how it stands."""

    class Meta:
        model = ApprovalRequest
        fields = ["id", "kind", "status"]


class NotificationSerializer(serializers.ModelSerializer[Notification]):
    """What one customer or one business was told. With `requires_action` it waits for accept or decline."""

    customer = serializers.UUIDField(source="customer_id", allow_null=True, read_only=True)
    business = serializers.UUIDField(source="business_id", allow_null=True, read_only=True)
    approval = serializers.SerializerMethodField()

    class Meta:
        model = Notification
        fields = [
            "id",
            "type",
            "title",
            "message",
            "data",
            "reference_id",
            "requires_action",
            "created_at",
            "read_at",
            "acted_at",
            "expires_at",
            "customer",
            "business",
            "approval",
        ]
        read_only_fields = fields
        extra_kwargs = {"data": {"help_text": "What a frontend needs to link to what it is about."}}

    @extend_schema_field(ApprovalSerializer(allow_null=True))
    def get_approval(self, notification: Notification) -> Any:
        """None where nothing is asked."""
        request = getattr(notification, "request", None)
        return None if request is None else ApprovalSerializer(request).data


class NotificationPageSerializer(serializers.Serializer[Any]):
    """A page of the list."""

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    unread_count = serializers.IntegerField(help_text="Of all that the login sees, whatever the list is narrowed to.")
    results = NotificationSerializer(many=True)


class AllReadSerializer(serializers.Serializer[Any]):
    """What read-all did."""

    read = serializers.IntegerField(help_text="How many were unread until now.")
    unread_count = serializers.IntegerField()


class DecisionSerializer(StrictSerializer):
    """A customer's answer."""

    decision = serializers.ChoiceField(["accept", "decline"])


class PreferencesSerializer(StrictSerializer):
    """What a customer wants to be told. What a PUT does not mention keeps its value, each kind for itself.

    With both ways off nothing is told; with mails only, they come as read ones into the list. Questions always come.
    """

    in_app = serializers.BooleanField(required=False, help_text="Show them as new ones; on unless switched off.")
    email = serializers.BooleanField(required=False, help_text="Send mails too; off unless switched on.")
    kinds = serializers.DictField(
        child=serializers.BooleanField(), required=False, help_text="Each type that can be switched off by itself."
    )

    def validate_kinds(self, sent: dict[str, bool]) -> dict[str, bool]:
        """Raises ValidationError for a type that nobody is told, or that asks something."""
        unknown = [type for type in sorted(sent) if type not in self.context["kinds"]]
        if unknown:
            raise serializers.ValidationError([f"Unknown: {type[:40]}" for type in unknown[:5]])
        return sent


def shown_preferences(wants: Preferences, kinds: Mapping[str, str]) -> dict[str, Any]:
    """As the API shows them: each type that can be switched off, whether it was or not."""
    return {
        "in_app": wants.in_app,
        "email": wants.email,
        "kinds": {type: type not in wants.muted for type in kinds},
    }


class ChangesQuerySerializer(serializers.Serializer[Any]):
    """Since when."""

    after = serializers.CharField(required=False, help_text="The `cursor` of the last answer; none: begin now.")


class ChangeSerializer(serializers.ModelSerializer[Change]):
    """What to load again."""

    id = serializers.UUIDField(source="entity_id", read_only=True)

    class Meta:
        model = Change
        fields = ["entity", "id", "action", "at"]


class ChangesSerializer(serializers.Serializer[Any]):
    """What has changed since the cursor, oldest first, and the cursor to ask with next time."""

    cursor = serializers.CharField()
    changes = ChangeSerializer(many=True)
