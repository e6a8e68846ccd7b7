"""What must be set before nominees have addresses to share."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register(deploy=True)
def public_address(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """In production live URLs must not point at a developer's machine."""
    if urlsplit(settings.PUBLIC_BASE_URL).hostname not in ("127.0.0.1", "localhost", None):
        return []
    message = "PUBLIC_BASE_URL is not set: live URLs, also those told to Loops, would point at this machine."
    return [Warning(message, id="nominations.W001")]
