"""What must be set before Loops can be told anything."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register
def loops_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """A switched-on sync needs a key; the four groups must differ, or precedence means nothing."""
    messages: list[CheckMessage] = []
    if settings.LOOPS_SYNC_ENABLED and not settings.LOOPS_API_KEY:
        messages.append(Error("LOOPS_SYNC_ENABLED is on, but LOOPS_API_KEY is empty.", id="loops_sync.E001"))
    if len(set(settings.LOOPS_GROUPS.values())) < len(settings.LOOPS_GROUPS):
        messages.append(Error("The four LOOPS_GROUP_… names must differ.", id="loops_sync.E002"))
    if not settings.DEBUG and not settings.LOOPS_SYNC_ENABLED:
        messages.append(Warning("LOOPS_SYNC_ENABLED is off: entries wait, nothing is sent.", id="loops_sync.W001"))
    return messages
