"""Folding of texts that have long words: collection names, lines to type, lists of numbers."""

from tui.spans import Line, Role, Span, padded, width_of


def folded(text: str, width: int, *, rest: str = "") -> list[str]:
    """Fold a text at its blanks; a word longer than a line is broken, after a slash or comma where it has one.

    Parameters
    ----------
    text : str
        Any text without line ends.
    width : int
        Cells.
    rest : str
        Indentation of all lines but the first.
    """
    width = max(8 + len(rest), width)
    rows: list[str] = []
    now = ""
    for word in text.split(" "):
        joined = f"{now} {word}" if now.strip() else now + word
        if width_of(joined) > width and now.strip() and width_of(rest + word) <= width:
            rows.append(now)
            joined = rest + word
        while width_of(joined) > width:
            at = _break(joined, width, len(rest) if rows else 0)
            rows.append(joined[:at])
            joined = rest + joined[at:]
        now = joined
    return [*rows, now] if now.strip() or not rows else rows


def field(label: str, texts: list[str], width: int, *, label_width: int, role: Role = Role.PLAIN) -> list[Line]:
    """Return a labelled field of texts, each folded with its continuation indented; nothing where there is no text."""
    rows: list[Line] = []
    for text in texts:
        for one in folded(text, width - label_width, rest="  "):
            rows.append((Span(padded("" if rows else label, label_width), Role.LABEL), Span(one, role)))
    return rows


def _break(text: str, width: int, after: int) -> int:
    best = max(text.rfind(sign, after + 1, width) for sign in "/, ")
    return best + 1 if best > after + width // 3 else width
