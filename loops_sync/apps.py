"""Start-up of the Loops app: from here on it watches."""

from django.apps import AppConfig


class LoopsSyncConfig(AppConfig):
    """Every contact true in Loops."""

    name = "loops_sync"
    verbose_name = "Loops"

    def ready(self) -> None:
        """Connect the receivers."""
        from loops_sync import checks, receivers  # noqa: F401
