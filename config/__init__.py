"""Settings, addresses, error answers, health and sandbox: composes, decides nothing."""
