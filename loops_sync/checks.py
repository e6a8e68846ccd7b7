"""What must be set before Loops can be told anything."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import DatabaseError, connection

from loops_sync.models import AccountSetup
from loops_sync.services.webhooks import webhook_key

HINT = "Run `manage.py loops_setup`."


@register
def loops_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """A switched-on sync needs a key; the four groups must differ, or precedence means nothing."""
    messages: list[CheckMessage] = []
    if settings.LOOPS_SYNC_ENABLED and not settings.LOOPS_API_KEY:
        messages.append(Error("LOOPS_SYNC_ENABLED is on, but LOOPS_API_KEY is empty.", id="loops_sync.E001"))
    if len(set(settings.LOOPS_GROUPS.values())) < len(settings.LOOPS_GROUPS):
        messages.append(Error("The four LOOPS_GROUP_… names must differ.", id="loops_sync.E002"))
    if settings.LOOPS_WEBHOOK_SECRET and not webhook_key():
        messages.append(Error("LOOPS_WEBHOOK_SECRET is not of the form whsec_<base64>.", id="loops_sync.E003"))
    if not settings.DEBUG and not settings.LOOPS_SYNC_ENABLED:
        messages.append(Warning("LOOPS_SYNC_ENABLED is off: entries wait, nothing is sent.", id="loops_sync.W001"))
    return messages


@register
def loops_account(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """What the account at Loops lacked when it was looked at last. Asks the database, never the network.

    A database that cannot answer, or has no tables yet, is for other checks to tell.
    """
    if not settings.LOOPS_SYNC_ENABLED:
        return []
    was_open = connection.connection is not None
    try:
        setup = AccountSetup.objects.filter(pk=1).first()
    except DatabaseError:
        return []
    finally:
        if not was_open:  # a worker forks after this
            connection.close()
    if setup is None:
        return [Warning("Whether Loops has our properties and lists was never seen.", hint=HINT, id="loops_sync.W002")]
    return _lacking(setup)


def _lacking(setup: AccountSetup) -> list[CheckMessage]:
    seen = f"when it was looked at last ({setup.checked_at:%d %b %Y, %H:%M} UTC)"
    mistyped = [f"{name} ({kind})" for name, kind in setup.mistyped.items()]
    found = (
        ("W003", "Loops drops what it has no property for; it lacked", setup.missing_properties, HINT),
        ("W004", "Loops did not have the mailing lists", setup.missing_lists, "Make them, or correct the settings."),
        ("W005", "Loops had properties of another type:", mistyped, "Change them in Loops."),
    )
    return [
        Warning(f"{text} {', '.join(names)}, {seen}.", hint=hint, id=f"loops_sync.{number}")
        for number, text, names, hint in found
        if names
    ]
