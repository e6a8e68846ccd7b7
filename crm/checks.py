"""What must be readable before the first request comes."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from crm import services


@register
def throttle_rates(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """A rate is empty, or as 30/min."""
    messages: list[CheckMessage] = []
    for scope, rate in settings.THROTTLE_RATES.items():
        try:
            if rate:
                services.parse_rate(rate)
        except ValueError as error:
            messages.append(Error(f"THROTTLE_{scope.upper()}: {error}", id="crm.E001"))
    return messages
