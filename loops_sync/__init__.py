"""Keeps every contact true in Loops. Watches everyone, is watched by none; the only app that knows Loops."""
