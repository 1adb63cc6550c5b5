"""Every command as a form: fields, live checks, effect, run, result."""

from tui.forms.place import place_of, place_of_line

__all__ = ["place_of", "place_of_line"]
