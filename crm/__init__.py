"""Businesses, their members and logins, and (later) clients, leads and connections. The only app that knows Nango."""
