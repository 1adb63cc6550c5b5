"""What leads from a test to a form: waive it, leave an exposure out, report it, put it before the board."""

from typing import TYPE_CHECKING

from tui.paint.metrics_words import value_text
from tui.places import Place
from tui.views.base import View
from tui.views.metrics_board import AmplifierPanes, BoardPanes

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.metrics_records import AmplifierLook, Board, TestRow


class MetricsForms(View):
    """A view of one verification or of one amplifier, with a test that is meant."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._board: Board | None = None
        self._found: AmplifierLook | None = None
        self._mode = "choices"

    def action_waive(self) -> None:
        """Propose a waiver for what is under the cursor."""
        board, row = self._shown(), self._row()
        if board is None or row is None:
            return
        detector, amplifier = self._panes.place_meant()
        if self._mode == "drill" and self._found is not None:
            detector, amplifier = self._found.detector, self._found.amplifier

        def ask(context: "Context") -> dict[str, object]:
            from calibstore.services.looks.metrics_actions import waiver_form

            return waiver_form(context, board, row.test, detector, amplifier)

        self.read(ask, lambda given: self.fill_in("decide", given), group="waive")

    def action_exclude(self) -> None:
        """Leave the exposure under the cursor out."""
        board, row = self._shown(), self._row()
        key = (self._drill.values if self._mode == "drill" else self._panes.exposures).cursor_key
        if board is None or row is None or not key.isdecimal():
            self.say("no exposure under a cursor: enter opens an amplifier, p shows the exposures")
            return
        reason = self._reason(row, int(key))

        def ask(context: "Context") -> tuple[str, dict[str, object]]:
            from calibstore.services.looks.metrics_actions import exclusion_form

            return exclusion_form(context, board, int(key), reason)

        self.read(ask, lambda told: self.fill_in(told[0], told[1]), group="exclude")

    def action_report(self) -> None:
        """Write the report."""
        board = self._shown()
        if board is not None:
            self.fill_in("report", {"ticket": board.ticket})

    def action_hail(self) -> None:
        """Put it before the board."""
        board = self._shown()
        if board is not None:
            self.fill_in("hail", {"ticket": board.ticket})

    def action_export(self) -> None:
        """Write a CSV file."""
        board, row = self._shown(), self._row()
        if board is None or row is None:
            return

        def ask(context: "Context") -> str:
            from calibstore.services.looks.metrics_actions import export_csv

            return export_csv(context, board, row.test)

        self.read(ask, lambda path: self.say(f"written: {path}"), group="export")

    @property
    def _panes(self) -> BoardPanes:
        return self.query_one(BoardPanes)

    @property
    def _drill(self) -> AmplifierPanes:
        return self.query_one(AmplifierPanes)

    def _shown(self) -> "Board | None":
        return None if self._mode == "choices" else self._board

    def _reason(self, row: "TestRow", exposure: int) -> str:
        """Return why an exposure should be left out, by what is shown of it."""
        if self._mode == "drill" and self._found is not None:
            value = next((one.value for one in self._found.values if one.exposure == exposure), None)
            return f"{row.test} {value_text(value)} in {self._found.name}"
        test = self._panes.test
        found = next((one for one in test.exposures if one.exposure == exposure), None) if test is not None else None
        return f"{row.test} {value_text(found.worst)} in {found.worst_name}" if found is not None else row.test

    def _place(self, **changed: str) -> Place:
        options = {key: value for key, value in {**self.place.options, **changed}.items() if value}
        return Place(self.NAME, self.place.words, options)

    def _row(self) -> "TestRow | None":
        """Return the test that is meant."""
        if self._board is None:
            return None
        wanted = self.place.option("test") if self._mode in ("drill", "why") else self._panes.tests.cursor_key
        return next((row for row in self._board.tests if row.test == wanted), None)
