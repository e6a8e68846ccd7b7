"""Start-up of the points app."""

from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    """Points that cannot be lost, doubled or disputed."""

    name = "loyalty"
    verbose_name = "Points"

    def ready(self) -> None:
        """Connect the receivers."""
        from loyalty import receivers  # noqa: F401
