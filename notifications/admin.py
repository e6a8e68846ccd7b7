"""The staff site's seam."""

from django.contrib.admin import AdminSite, ModelAdmin


class StaffAdminSite(AdminSite):
    """The staff site."""


class StaffModelAdmin(ModelAdmin):  # type: ignore[type-arg]
    """The base of every admin list."""
