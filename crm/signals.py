"""Facts that others may want to know of."""

from django.dispatch import Signal

run_wanted = Signal()
"""Provides `run`: it waits for a worker."""

connection_seen = Signal()
"""Provides `connection_id`, `config_key`: Nango has a connection that may be ours."""
