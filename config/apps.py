"""Start-up: the admin site is ours, and config is an app only for its commands and static files."""

import mimetypes

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Makes `admin.site` the staff site, so that apps register with Django's own decorator."""

    default_site = "config.admin.StaffHomeSite"


class LaurelConfig(AppConfig):
    """The composing package."""

    name = "config"

    def ready(self) -> None:
        """Python 3.11 does not know WebP by itself, and not every machine has a list of types."""
        mimetypes.add_type("image/webp", ".webp")
