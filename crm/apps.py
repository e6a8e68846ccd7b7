"""Start-up of the crm app."""

from django.apps import AppConfig


class CrmConfig(AppConfig):
    """Businesses, members, logins."""

    name = "crm"
    verbose_name = "Businesses and people"

    def ready(self) -> None:
        """Register the checks."""
        from crm import checks  # noqa: F401
