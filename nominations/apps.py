"""Start-up of the awards app."""

from django.apps import AppConfig


class NominationsConfig(AppConfig):
    """The awards programme."""

    name = "nominations"
    verbose_name = "Awards"

    def ready(self) -> None:
        """Register the checks and connect the receivers."""
        from nominations import checks, receivers  # noqa: F401
