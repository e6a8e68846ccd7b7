"""The base of every serializer that reads a body."""

from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know by name, so that a misspelt one is not silently lost; ignores read-only ones."""

    def to_internal_value(self, data: Any) -> Any:
        """Raises ValidationError naming each unknown field."""
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(dict.fromkeys(unknown, ["Unknown field."]))
        return super().to_internal_value(data)
