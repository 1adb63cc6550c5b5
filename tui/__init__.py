"""The way in for people: the entry point of `cabstand`."""

CABSTAND_SENTINEL = "cabstand"
"""Tells Cabstand's `tui` from that of an unrelated distribution."""
