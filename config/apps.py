"""Start-up: the admin site is ours, and config is an app only for its commands and static files."""

import mimetypes

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from config.logs import bind_task


class StaffAdminConfig(AdminConfig):
    """Makes `admin.site` the staff site, so that apps register with Django's own decorator."""

    default_site = "config.admin.StaffHomeSite"


class LaurelConfig(AppConfig):
    """The composing package."""

    name = "config"

    def ready(self) -> None:
        """Python 3.11 does not know WebP by itself, and not every machine has a list of types.

        What a worker logs carries the task it is about.
        """
        from django.contrib import admin
        from django_otp.plugins.otp_static.models import StaticDevice
        from django_otp.plugins.otp_totp.models import TOTPDevice
        from django_q.signals import pre_execute

        from config import checks  # noqa: F401

        # Their secrets are nobody's to look at; a login's own page resets them.
        admin.site.unregister([StaticDevice, TOTPDevice])
        mimetypes.add_type("image/webp", ".webp")
        pre_execute.connect(bind_task, dispatch_uid="bind_task")
