"""The frame's own lines: what is open, the views, the breadcrumb, the status and the keys."""

from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from tui.catalogue import VIEWS
from tui.registry import Entry, key_name
from tui.spans import Line, Role, Span, cut, line, padded, width_of
from tui.widgets.strips import to_strip

NARROW = 100
"""Below this many columns times are short."""
WIDE_NAMES = 115
"""From this many columns the views stand with their whole names."""
HELP_KEY = "frame.keys"
"""The entry that always stands in the key line."""


class LineStrip(Widget, can_focus=False):
    """One line of the frame."""

    DEFAULT_CSS = "LineStrip { height: 1; width: 1fr; }"

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._shown: Line = ()

    def show(self, shown: Line) -> None:
        """Draw another line; nothing is sent when it is the same."""
        if shown != self._shown:
            self._shown = shown
            self.refresh()

    @property
    def shown(self) -> Line:
        """The line drawn now."""
        return self._shown

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        return to_strip(self, self._shown, self.size.width)


def top_line(
    width: int,
    *,
    instrument: str,
    repository: str,
    kind: str,
    mode: str,
    user: str,
    refreshed: str,
    is_old: bool = False,
) -> Line:
    """Return line 1: application, instrument, repository, mode, user, time of the last refresh.

    `is_old` says that the store cannot be read any more: what is shown is of that time.
    """
    right = f"{mode} {user}"
    if refreshed and width >= NARROW:
        right += f" · {'NOT READ SINCE TAI' if is_old else 'TAI'} {refreshed}"
    elif refreshed and width >= 70:
        right += f" · {'OLD! TAI' if is_old else 'TAI'} {refreshed[11:16]}"
    left = f" CABSTAND {instrument}".rstrip() + " · "
    mark = "REHEARSAL " if kind == "rehearsal" else ""
    room = width - width_of(left) - width_of(right) - len(mark) - 2
    if room < 8:  # what is open matters less than whether it may be written
        left, mark = f" {instrument or 'CABSTAND'} ", ""
        right = f"{mode} {user}"
        room = width - width_of(left) - width_of(right) - 2
    name = padded(repository, max(0, room), keep="end")
    mode_role = Role.ACCENT if mode == "RW" else Role.BAR
    before, after = right[: len(mode)], right[len(mode) :]
    return line(
        Span(left, Role.BAR), Span(mark, Role.ACCENT), Span(name + " ", Role.BAR), Span(before, mode_role),
        Span(after + " ", Role.BAR),
    )  # fmt: skip


def views_line(width: int, active: str) -> Line:
    """Return line 2: the views with their keys, the active one in brackets."""
    is_narrow = width < WIDE_NAMES
    spans: list[Span] = [Span(" ")]
    for one in VIEWS:
        if not one.key:
            continue
        name = f"{one.key}{one.short}" if is_narrow else f"{one.key} {one.title}"
        if one.name == active:
            spans.append(Span(f"[{name}]", Role.TAB_ACTIVE))
        else:
            spans.append(Span(f"{name}" if is_narrow else f" {name} ", Role.TAB))
        spans.append(Span(" "))
    return tuple(spans)


def crumb_line(width: int, title: str, crumb: str, filter_text: str, past: str = "") -> Line:
    """Return line 3: where one is, that it is not the present, and the filter in force."""
    right = f"filter: {filter_text} " if filter_text else ""
    mark = f" {past} " if past else ""
    path = f" {title} > {crumb}" if crumb else f" {title}"
    room = width - width_of(right) - width_of(mark)
    return line(Span(padded(path, room, keep="ends"), Role.STRONG), Span(mark, Role.WARN), Span(right, Role.ACCENT))


def key_line(width: int, entries: Sequence[Entry], keys_of: dict[str, str], *, is_read_only: bool = False) -> Line:
    """Return the last line: the most useful keys of what has the focus, and the one that tells all the others."""
    spans: list[Span] = []
    used = 0
    kept = next((_key_size(one, keys_of) + 2 for one in entries if one.id == HELP_KEY and one.footer), 0)
    is_full = False
    for entry in entries:
        if not entry.footer:
            continue
        key = key_name(keys_of.get(entry.id, entry.keys))
        size = _key_size(entry, keys_of) + (2 if spans else 0)
        if entry.id == HELP_KEY:
            kept = 0
        is_full = is_full or used + size + kept > width
        if used + size > width or (is_full and entry.id != HELP_KEY):
            continue
        spans.append(Span("  " if spans else ""))
        if is_read_only and entry.writes:
            spans.append(Span(f"{key} {entry.footer}", Role.OFF))
        else:
            spans += [Span(key, Role.KEY), Span(f" {entry.footer}", Role.DIM)]
        used += size
    return line(*spans)


def _key_size(entry: Entry, keys_of: dict[str, str]) -> int:
    return width_of(key_name(keys_of.get(entry.id, entry.keys))) + width_of(entry.footer) + 1


def status_line(width: int, text: str, *, is_error: bool) -> Line:
    """Return the last line but one."""
    if is_error:
        return line(Span(padded(f"! {text}  (E shows all)", width), Role.FAIL))
    return line(Span(cut(f" {text}", width), Role.DIM))
