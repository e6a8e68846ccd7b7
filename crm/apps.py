"""Start-up of the crm app."""

from django.apps import AppConfig


class CrmConfig(AppConfig):
    """Businesses, members, logins."""

    name = "crm"
    verbose_name = "Businesses and people"

    def ready(self) -> None:
        """Register the checks and connect the receivers."""
        from crm import checks, receivers  # noqa: F401
