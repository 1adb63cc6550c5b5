"""The jobs: a table of all, one in detail with its quanta and its log; asked every second while something runs."""

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.timer import Timer

from tui.paint import jobs as paint
from tui.places import Place
from tui.registry import Entry, bindings
from tui.spans import Line, Role, Span, fitted, line, wrapped
from tui.views.base import View
from tui.views.jobs_log import WHOLE, JobsAnswer, LogPane, log_of
from tui.widgets.line_list import LineList
from tui.widgets.line_table import Column, LineTable, Row
from tui.widgets.text_pane import TextPane

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.jobs import JobDetail, JobRow, JobsLook

POLL_S: Final = 1.0
"""How often the store is asked while a job runs [s]."""
_JOB_COLUMNS: Final = (
    Column(name="JOB", width=13),
    Column(name="KIND", width=8),
    Column(name="TYPE", width=13, from_width=70),
    Column(name="TICKET", width=9),
    Column(name="STATUS", width=0),
    Column(name="DONE", width=7, align=">"),
    Column(name="FAILED", width=6, align=">"),
    Column(name="ALIVE", width=12, from_width=90),
    Column(name="STARTED UTC", width=11, from_width=100),
    Column(name="TOOK", width=11, align=">", from_width=100),
)
_QUANTUM_COLUMNS: Final = (
    Column(name="QUANTUM", width=22),
    Column(name="DET", width=4, align=">"),
    Column(name="STATUS", width=11),
    Column(name="s", width=8, align=">"),
    Column(name="MB", width=7, align=">"),
    Column(name="ERROR", width=0),
)


class JobsView(View):
    """Jobs in a table; one of them with its quanta and its log."""

    NAME = "jobs"
    TITLE = "Jobs"
    SHORT = "Jobs"
    KEY = "8"
    HELP_TEXT = (
        "A job is one execution: building a calibration, or verifying one. It runs in a process of its own: leaving "
        "Cabstand, or losing the line, does not stop it, and it is found again here.\n\n"
        "Its work goes in stages, each cut into quanta, usually one a detector: a stage begins when the one before is "
        "done. The bars show what is done (#) and what failed (!), beside them what is at work and waiting, and above "
        "them how long it has taken and about how long it still takes. Quanta that failed stand first; the log below "
        "is that of the failed one under the cursor. A quantum that failed says why; R starts the job again "
        "and does only what is missing. A job is dead when its runner is gone (a reboot, a kill): what was done is "
        "kept, and R goes on with it. x stops a running job.\n\n"
        "Enter opens a job: its quanta with seconds and peak memory, and the end of its log, which is followed while "
        "it runs. l shows the whole log, f only what failed. While something runs the store is asked once a second; "
        "nothing is sent to the terminal unless something changed."
    )
    ENTRIES: ClassVar[tuple[Entry, ...]] = (
        Entry(id="jobs.open", keys="enter", action="open_job", title="Open", footer="open",
              help="Show the job under the cursor in detail."),
        Entry(id="jobs.log", keys="l", action="whole_log", title="Whole log", footer="log", word="log",
              help="Show the whole log of the job, or go back from it."),
        Entry(id="jobs.failed", keys="f", action="failed_only", title="Failed only", footer="failed",
              help="Show only jobs, or quanta, that failed; again shows all."),
        Entry(id="jobs.resume", keys="R,shift+r", action="resume", title="Rerun failed", footer="rerun",
              help="Open the form that starts a dead, failed or cancelled job again; what was done is kept."),
        Entry(id="jobs.cancel", keys="x", action="cancel", title="Cancel", footer="cancel",
              help="Open the form that stops a running job; what was done is kept."),
        Entry(id="jobs.ticket", keys="c", action="checklist", title="Checklist", footer="checklist",
              help="Show the checklist of the job's ticket."),
        Entry(id="jobs.pane", keys="tab", action="app.focus_next", title="Other pane",
              help="Go between the table and the log."),
    )  # fmt: skip
    BINDINGS = bindings(ENTRIES)
    DEFAULT_CSS = """
    JobsView #all-jobs { height: 1fr; width: 1fr; }
    JobsView #jobs { height: 1fr; }
    JobsView #about { height: 8; }
    JobsView #one-job { height: 1fr; width: 1fr; }
    JobsView #job-head { height: 3; }
    JobsView #quanta { height: 1fr; }
    JobsView #log { height: 7; }
    JobsView.tall #about { height: 16; }
    JobsView.tall #log { height: 17; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._look: JobsLook | None = None
        self._filter = ""
        self._is_failed_only = False
        self._is_whole = False
        self._shown: object = None
        """What was painted last: nothing is sent while the answers stay the same."""
        self._timer: Timer | None = None
        self._about = ""
        """Whose log is shown: of the job's end, of all of it, or of a quantum."""
        self._log: tuple[str, ...] = ()

    # What is on the screen.

    def compose(self) -> ComposeResult:
        """Mount the table of jobs, and the parts of one job; one of them is shown."""
        with Vertical(id="all-jobs"):
            yield LineTable(_JOB_COLUMNS, title="JOBS", id="jobs")
            yield LogPane(title="LOG", id="about")
        with Vertical(id="one-job"):
            head = TextPane(id="job-head")
            head.can_focus = False
            yield head
            yield LineTable(_QUANTUM_COLUMNS, title="QUANTA", id="quanta")
            yield LogPane(title="LOG", id="log")

    def on_mount(self) -> None:
        """Begin with nothing shown."""
        self._choose_half("")

    def on_resize(self) -> None:
        """Give the log more room on a tall screen."""
        self.set_class(self.size.height > 28, "tall")
        if self._look is not None:
            self.call_after_refresh(self._paint)

    def on_unmount(self) -> None:
        """Ask no more."""
        self._stop()

    @property
    def _job_id(self) -> str:
        """The job shown in detail; empty: the table."""
        return self.place.word(0)

    @property
    def _row(self) -> "JobRow | None":
        """The job that keys speak of."""
        if self._look is None:
            return None
        wanted = self._job_id or self.query_one("#jobs", LineTable).cursor_key
        return next((one for one in self._look.rows if one.id == wanted), None)

    @property
    def _detail(self) -> "JobDetail | None":
        row = self._row
        detail = self._look.detail if self._look is not None else None
        return detail if detail is not None and row is not None and detail.row.id == row.id else None

    # Places.

    def open(self, place: Place) -> None:
        """Read all jobs, or one."""
        if place.word(0) != (self._look.detail.row.id if self._look is not None and self._look.detail else ""):
            self._is_whole = False
        self._ask()

    def crumb(self) -> str:
        """Return the job shown."""
        row = self._row
        return f"{row.id} {row.kind} {row.calib_type} for {row.ticket}" if self._job_id and row is not None else ""

    def thing(self) -> str:
        """Return the id of the job."""
        row = self._row
        return row.id if row is not None else ""

    def native(self) -> tuple[str, ...]:
        """Return the observatory's own lines that were journalled with the job."""
        detail = self._detail
        return detail.native if detail is not None else ()

    def filtered(self, text: str) -> None:
        """Show only jobs, or quanta, holding a text; empty shows all."""
        self._filter = text
        self._is_failed_only = self._is_failed_only and bool(text)
        self._paint()

    def current_filter(self) -> str:
        """Return the filter, failed-only among it."""
        return " ".join(part for part in (self._filter, "failed only" if self._is_failed_only else "") if part)

    def body_lines(self) -> tuple[Line, ...]:
        """Return what is on screen, for the next start."""
        if self._look is None:
            return ()
        width, height = self.size.width, self.size.height
        return tuple(fitted(one, width) for one in paint.page(self._look, width)[:height])

    # Asking.

    def _ask(self) -> None:
        wanted = self._job_id or self.query_one("#jobs", LineTable).cursor_key
        is_whole = self._is_whole

        label = self.query_one("#quanta", LineTable).cursor_key if self._job_id else ""

        def question(context: "Context") -> "JobsAnswer":
            from calibstore.services.looks.jobs import jobs_look

            look = jobs_look(context, wanted)
            shown = wanted or (look.rows[0].id if look.rows else "")
            if shown and look.detail is None:
                look = jobs_look(context, shown)
            about, log = log_of(context, look, shown, label, is_whole=is_whole)
            return JobsAnswer(look, about, log)

        self.read(question, self._take, group="look")

    def _take(self, found: "JobsAnswer") -> None:
        look, self._about, self._log = found.look, found.about, found.log
        now = (self._job_id, self._is_whole, found)
        if now != self._shown:
            self._look, self._shown = look, now
            with self.app.batch_update():
                self._paint()
        if look.is_active:
            if self._timer is None:
                self._timer = self.set_interval(POLL_S, self._poll)
        else:
            self._stop()

    def _poll(self) -> None:
        if self.frame.view is self:
            self._ask()
        else:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    # Painting.

    def _choose_half(self, name: str) -> None:
        for known in ("all-jobs", "one-job"):
            half = self.query_one(f"#{known}")
            half.display = known == name
            half.disabled = known != name  # a pane that is not seen must not take the focus

    def _paint(self) -> None:
        look = self._look
        if look is None or not self.is_mounted:
            return
        is_one = bool(self._job_id)
        half = self.query_one("#one-job" if is_one else "#all-jobs")
        if not half.display:
            self._choose_half(half.id or "")
            self.query_one("#quanta" if is_one else "#jobs", LineTable).focus()
        if is_one:
            self._paint_one()
        else:
            self._paint_all(look)
        self.frame.moved(self.place)

    def _paint_all(self, look: "JobsLook") -> None:
        table = self.query_one("#jobs", LineTable)
        rows = [
            one for one in look.rows if not self._is_failed_only or one.status in ("failed", "dead") or one.n_failed
        ]
        shown = [Row(one.id, paint.job_cells(one, n_bar=paint.bar_cells(self.size.width))) for one in rows]
        # Who stands at the top sees what is new; who looks at an older job stays there.
        newest = shown[0].key if shown and not table.cursor_row else ""
        empty = self._empty(paint.NO_JOBS if not look.rows else "no job failed")
        table.show_rows(self._holding(shown), cursor_key=newest, empty=empty)
        self._paint_about()

    def _paint_about(self) -> None:
        pane, detail = self.query_one("#about", TextPane), self._detail
        if detail is None:
            pane.show((), title="LOG")
            return
        title = f"LOG of {detail.row.id}" + (" (whole)" if self._about == WHOLE else "")
        self._follow(pane, paint.about_lines(detail.row, self._log or detail.log_tail, self.size.width), title)

    def _paint_one(self) -> None:
        detail = self._detail
        if detail is None:
            return
        head, table = self.query_one("#job-head", TextPane), self.query_one("#quanta", LineTable)
        lines = paint.detail_lines(detail, self.size.width)
        head.styles.height = min(len(lines), max(3, self.size.height // 3))
        head.show(lines)
        quanta = [one for one in detail.quanta if not self._is_failed_only or one.status == "failed"]
        shown = self._holding([Row(one.label, paint.quantum_cells(one)) for one in quanta])
        # Who stands at the top sees what fails, and what is at work; who looks at another one stays there.
        table.show_rows(
            shown,
            cursor_key=shown[0].key if shown and not table.cursor_row else "",
            empty=self._empty("no quantum failed" if self._is_failed_only else "this job has no quanta"),
        )
        title = {"": "LOG", WHOLE: "LOG (whole)"}.get(self._about, f"LOG of {self._about}, which failed")
        self._follow(
            self.query_one("#log", TextPane), paint.log_lines(self._log or detail.log_tail, self.size.width), title
        )
        log = self.query_one("#log", TextPane)
        table.display = not self._is_whole
        log.styles.height = "1fr" if self._is_whole else None

    def _follow(self, pane: TextPane, lines: list[Line], title: str) -> None:
        """Show a log; who stands at its end stays at its end."""
        is_new = pane.pane_title != title
        was_at_end = is_new or pane.top_row >= pane.row_total() - pane.page_rows
        if tuple(lines) == pane.shown and not is_new:
            return
        pane.show(lines, title=title, keep_place=not is_new)
        if was_at_end:
            pane.scroll_rows_to(len(lines))

    def _holding(self, rows: list[Row]) -> list[Row]:
        if not self._filter:
            return rows
        text = self._filter.lower()
        return [
            row
            for row in rows
            if any(text in (cell.text if isinstance(cell, Span) else str(cell)).lower() for cell in row.cells)
        ]

    def _empty(self, text: str) -> list[Line]:
        if self._filter or self._is_failed_only:
            return [line(Span(f"{text}{' and holds the filter' if self._filter else ''}: Esc, f show all", Role.DIM))]
        return wrapped(text, max(20, self.size.width - 4), role=Role.DIM)

    # Keys.

    def on_line_list_row_highlighted(self, event: LineList.RowHighlighted) -> None:
        """Read the end of the log of the job under the cursor."""
        event.stop()
        if event.list.id == "jobs" and event.key and self._detail is None:
            self._is_whole = False
            self._ask()
        elif event.list.id == "quanta" and self._detail is not None and not self._is_whole:
            failed = {one.label for one in self._detail.quanta if one.status == "failed"}
            if event.key in failed or self._about in failed:
                self._ask()

    def on_line_list_row_selected(self, event: LineList.RowSelected) -> None:
        """Open the job under the cursor."""
        event.stop()
        self.action_open_job()

    def action_open_job(self) -> None:
        """Show the job under the cursor in detail."""
        row = self._row
        if row is not None and not self._job_id:
            self.go(Place(self.NAME, (row.id,)))

    def action_whole_log(self) -> None:
        """Show the whole log, or its end again."""
        self._is_whole = not self._is_whole
        if self._is_whole and not self._job_id:
            row = self._row
            self._is_whole = False
            if row is not None:
                self.go(Place(self.NAME, (row.id,)))
                self._is_whole = True
            return
        self._ask()
        self.query_one("#log", TextPane).focus()

    def action_failed_only(self) -> None:
        """Show only what failed, or everything."""
        self._is_failed_only = not self._is_failed_only
        self._paint()

    def action_resume(self) -> None:
        """Open the form that starts the job again."""
        row = self._row
        if row is None:
            return
        if row.can_resume:
            self.fill_in("jobs", {"resume": row.id})
        else:
            self.say(f"job {row.id} is {row.words}: only a dead, failed or cancelled job can be started again")

    def action_cancel(self) -> None:
        """Open the form that stops the job."""
        row = self._row
        if row is None:
            return
        if row.can_cancel:
            self.fill_in("jobs", {"cancel": row.id})
        else:
            self.say(f"job {row.id} is {row.words}: there is nothing to stop")

    def action_checklist(self) -> None:
        """Show the checklist of the job's ticket."""
        row = self._row
        if row is not None:
            self.go(Place("checklist", (row.ticket,)))
