"""Looks as lines of text: no Textual, no store."""
