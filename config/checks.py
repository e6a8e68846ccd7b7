"""What `manage.py check --deploy` asks of our own settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def production_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Https, a database that several processes share, mails that arrive, and a second factor."""
    found: list[CheckMessage] = []
    if not settings.PUBLIC_BASE_URL.startswith("https://"):
        found.append(Warning("PUBLIC_BASE_URL is not an https address.", id="config.W001"))
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        found.append(Warning("DATABASE_URL is not a PostgreSQL.", id="config.W002"))
    if not settings.STAFF_REQUIRE_2FA:
        found.append(Warning("STAFF_REQUIRE_2FA is off: a password alone lets staff in.", id="config.W003"))
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        found.append(Warning("EMAIL_URL prints mails: nobody gets them.", id="config.W004"))
    return found
