"""The staff site's home."""

from notifications.admin import StaffAdminSite


class StaffHomeSite(StaffAdminSite):
    """Tells staff what waits for them."""
