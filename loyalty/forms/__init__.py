"""The shape of what is entered."""
