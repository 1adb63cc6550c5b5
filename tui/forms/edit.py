"""Editing one line of text: what the editing keys do, without a terminal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineEdit:
    """A line and where the caret stands in it."""

    text: str = ""
    at: int = 0

    def insert(self, more: str) -> "LineEdit":
        """Put text in at the caret."""
        return LineEdit(self.text[: self.at] + more + self.text[self.at :], self.at + len(more))

    def moved(self, by: int) -> "LineEdit":
        """Move the caret."""
        return LineEdit(self.text, max(0, min(len(self.text), self.at + by)))

    def to_begin(self) -> "LineEdit":
        """Put the caret before the first character."""
        return LineEdit(self.text, 0)

    def to_end(self) -> "LineEdit":
        """Put the caret behind the last character."""
        return LineEdit(self.text, len(self.text))

    def without_before(self) -> "LineEdit":
        """Take the character before the caret out."""
        return LineEdit(self.text[: max(0, self.at - 1)] + self.text[self.at :], max(0, self.at - 1))

    def without_after(self) -> "LineEdit":
        """Take the character under the caret out."""
        return LineEdit(self.text[: self.at] + self.text[self.at + 1 :], self.at)

    def without_word(self) -> "LineEdit":
        """Take the word before the caret out, back to a blank, a slash or a comma."""
        kept = self.text[: self.at].rstrip(" /,=")
        while kept and kept[-1] not in " /,=":
            kept = kept[:-1]
        return LineEdit(kept + self.text[self.at :], len(kept))

    def without_begin(self) -> "LineEdit":
        """Take everything before the caret out."""
        return LineEdit(self.text[self.at :], 0)

    def without_end(self) -> "LineEdit":
        """Take everything from the caret on out."""
        return LineEdit(self.text[: self.at], self.at)
