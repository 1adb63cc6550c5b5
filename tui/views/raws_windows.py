"""The table of exposures: windows of rows read when they come into view, and painted again without being read."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from tui.paint import raws as paint
from tui.paint.raws_table import row_cells
from tui.widgets.line_table import WINDOW_ROWS, Column, Deliver, LineTable, Row

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.raws_records import RawsLook
    from calibstore.services.looks.raws_rows import ExposureRow

_COLUMNS: Final = (
    Column(name="", width=1),
    Column(name="EXPOSURE", width=13),
    Column(name="START TAI", width=14),
    Column(name="EXP s", width=5, align=">"),
    Column(name="TYPE", width=7),
    Column(name="DAY_OBS", width=8, from_width=100),
    Column(name=" CAM", width=5),
    Column(name="MEAN e", width=7, align=">"),
    Column(name="NOISE", width=6, align=">"),
    Column(name="FILTER", width=10, from_width=84),
    Column(name="NOTE", width=0),
)


class RowWindows(LineTable):
    """Exposures of a selection, however many.

    Parameters
    ----------
    read : callable
        `View.read` of the view.
    """

    def __init__(self, read: Callable[..., None], *, id: str) -> None:
        super().__init__(_COLUMNS, title="EXPOSURES", empty=paint.empty_lines(None, 40), id=id)
        self._read = read
        self._look: RawsLook | None = None
        self._excluded: Mapping[int, str] = {}
        self._n_found = 0
        self._read_windows: dict[int, tuple[ExposureRow, ...]] = {}
        self._of: tuple[str, str, int] = ("", "", -1)
        """Expression, filter and count that the windows belong to."""

    @property
    def cursor(self) -> "ExposureRow | None":
        """The exposure under the cursor, once it has been read."""
        window = self._read_windows.get(self.cursor_row // WINDOW_ROWS, ())
        place = self.cursor_row % WINDOW_ROWS
        return window[place] if place < len(window) else None

    def show(self, look: "RawsLook", excluded: Mapping[int, str], holding: str) -> None:
        """Show the rows of a selection; those read before are only painted again.

        Parameters
        ----------
        look : RawsLook
            The selection.
        excluded : mapping
            Exposure -> reason.
        holding : str
            Show only rows with this text.
        """
        is_other = look.where != self._of[0]
        self._look, self._excluded = look, excluded
        n_found = look.n_matched if look.fault is None else 0
        wanted = (look.where, holding, n_found)
        if wanted == self._of:
            self.show_source(self._n_found, self._fetch_rows, empty=paint.empty_lines(look, 60))
            return
        self._of, self._read_windows = wanted, {}
        if not holding:
            self._show_count(n_found, is_other=is_other)
            return
        instrument, where = look.instrument, look.where

        def question(context: "Context") -> int:
            from calibstore.services.looks.raws_rows import count_holding

            return count_holding(context, instrument, where, holding)

        self._read(question, lambda n: self._show_count(n, is_other=True), group="filter")

    def forget_rows(self) -> None:
        """Read rows again when they are shown next."""
        self._of = (self._of[0], self._of[1], -1)

    def find_marked(self, marked: set[int], step: int) -> int | None:
        """Return the next row, among those read, that is marked or where the camera changed.

        Parameters
        ----------
        marked : set of int
            Exposures.
        step : int
            1 to look ahead, -1 to look back.
        """
        found = [
            number * WINDOW_ROWS + place
            for number, window in sorted(self._read_windows.items())
            for place, row in enumerate(window)
            if row.exposure in marked or row.changes
        ]
        ahead = [one for one in found if (one - self.cursor_row) * step > 0]
        return min(ahead, key=lambda one: abs(one - self.cursor_row), default=None)

    def _show_count(self, n_found: int, *, is_other: bool) -> None:
        self._n_found = n_found
        cursor = 0 if is_other else min(self.cursor_row, max(0, n_found - 1))
        self.show_source(n_found, self._fetch_rows, cursor=cursor, empty=paint.empty_lines(self._look, 60))

    def _fetch_rows(self, offset: int, limit: int, deliver: Deliver) -> None:
        number = offset // WINDOW_ROWS
        known = self._read_windows.get(number)
        if known is not None:
            deliver(self._painted(known))
            return
        look, shown, n_found = self._look, self._of, self._n_found
        assert look is not None  # rows are shown after a look only
        instrument, (where, holding, _) = look.instrument, shown

        def question(context: "Context") -> "tuple[ExposureRow, ...]":
            from calibstore.services.looks.raws_rows import exposure_rows

            return exposure_rows(
                context, instrument, where, offset=offset, limit=limit, n_total=n_found, holding=holding
            )

        def then(rows: "tuple[ExposureRow, ...]") -> None:
            if shown == self._of:
                self._read_windows[number] = rows
                deliver(self._painted(rows))

        self._read(question, then, group=f"window {number}")

    def _painted(self, rows: "tuple[ExposureRow, ...]") -> list[Row]:
        look: Any = self._look
        proposed = {one.exposure: one.reason for one in look.proposals}
        return [Row(str(one.exposure), row_cells(one, self._excluded, proposed, look.statistics)) for one in rows]
