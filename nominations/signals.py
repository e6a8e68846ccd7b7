"""Questions the awards ask of whoever listens. They answer; they are never called by name."""

from django.dispatch import Signal

# Sent with `nomination` and `nominee` as they would be after an approval, unsaved.
# Each receiver returns what would change outside: a list of nominations.models.ContactChange.
approval_previewed = Signal()

# Sent with `nomination`. Each receiver returns a list of nominations.models.Delivery, one per contact touched.
delivery_requested = Signal()
