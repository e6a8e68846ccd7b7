"""Start-up of the loyalty app."""

from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    """Points."""

    name = "loyalty"
