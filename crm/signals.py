"""Facts that others may want to know of."""

from django.dispatch import Signal

run_wanted = Signal()
"""Provides `run`: it waits for a worker."""

connection_seen = Signal()
"""Provides `connection_id`, `config_key`: Nango has a connection that may be ours."""

clients_told = Signal()
"""Asks how far the news of clients is outside. Each receiver returns expressions over the table of clients, by name:
`loops_status` and `loops_synced_at`, for lists and filters alike."""

client_told = Signal()
"""Provides `client`, `by`: asks what was told of one client. A receiver returns a crm.models.ClientDelivery."""
