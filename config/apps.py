"""Start-up: the admin site is ours, and config is an app only for its commands and static files."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Makes `admin.site` the staff site, so that apps register with Django's own decorator."""

    default_site = "config.admin.StaffHomeSite"


class LaurelConfig(AppConfig):
    """The composing package."""

    name = "config"
