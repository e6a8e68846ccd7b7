"""Start-up of the awards app."""

from django.apps import AppConfig


class NominationsConfig(AppConfig):
    """The awards programme."""

    name = "nominations"
    verbose_name = "Awards"

    def ready(self) -> None:
        """Register the checks."""
        from nominations import checks  # noqa: F401
