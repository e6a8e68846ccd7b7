"""Start-up of the notifications app."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Who was told what, who must answer what."""

    name = "notifications"

    def ready(self) -> None:
        """Connect the receivers."""
        from notifications import receivers  # noqa: F401
