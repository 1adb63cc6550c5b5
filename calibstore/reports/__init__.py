"""Finished text for people: reports, hailing texts, journals."""
