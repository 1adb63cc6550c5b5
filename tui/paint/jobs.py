"""Paints jobs: the table, one job in detail, its quanta and the end of its log."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tui.places import Place
from tui.spans import Line, Role, Span, line, padded, width_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.job_progress import StageRow
    from calibstore.services.looks.jobs import JobDetail, JobRow, JobsLook, QuantumRow

STATUS_ROLES: Final = {
    "submitted": Role.ACCENT,
    "running": Role.ACCENT,
    "done": Role.OK,
    "failed": Role.FAIL,
    "dead": Role.FAIL,
    "cancelled": Role.WARN,
    "waiting": Role.DIM,
}
SIGNS: Final = {"done": "ok", "failed": "FAIL", "dead": "FAIL", "cancelled": "WARN", "running": "▶", "submitted": "▶"}
"""What stands before a status, so that it is told without colours."""
NO_JOBS: Final = "no job was started yet: the checklist (7) starts one, or cabstand generate bias TICKET"
HEADS: Final = ("job", "kind", "type", "ticket", "status", "done", "failed", "alive", "started UTC", "took")
QUANTUM_HEADS: Final = ("quantum", "det", "status", "s", "MB", "error")


def look(context: "Context", place: Place, instrument: str) -> "JobsLook":
    """Read what the page shows."""
    from calibstore.services.looks.jobs import jobs_look

    del instrument
    return jobs_look(context, place.word(0))


def page(look: "JobsLook", width: int) -> tuple[Line, ...]:
    """Return the whole screen as text."""
    if look.detail is not None:
        return (
            *detail_lines(look.detail, width),
            (),
            *_table([QUANTUM_HEADS, *(quantum_cells(one) for one in look.detail.quanta)], width, right=(1, 3, 4)),
            (),
            line(Span(f"log {look.detail.log_path}", Role.TITLE)),
            *log_lines(look.detail.log_tail),
        )
    if not look.rows:
        return tuple(wrapped(NO_JOBS, width))
    table = _table([HEADS, *(job_cells(one) for one in look.rows)], width, right=(5, 6, 9))
    troubles = [told for one in look.rows if one.trouble for told in trouble_lines(one, width)]
    return (*table, *([()] if troubles else []), *troubles)


def bar_cells(width: int) -> int:
    """Return cells of the bar in the list, on a screen of some width."""
    return 10 if width >= 100 else 5


def job_cells(row: "JobRow", *, n_bar: int = 10) -> tuple[str | Span, ...]:
    """Return the cells of a job, one for each of `HEADS`; what is at work has a bar of `n_bar` cells."""
    return (
        row.id,
        row.kind,
        row.calib_type,
        row.ticket,
        _status_cell(row, n_bar),
        f"{row.n_done}/{row.n_quanta}",
        Span(str(row.n_failed), Role.FAIL) if row.n_failed else "-",
        row.heartbeat or "-",
        row.started.replace("T", " ")[5:16] or "-",
        duration_text(row.duration_s),
    )


def _status_cell(row: "JobRow", n_bar: int) -> Span:
    shown = status_span(row.status, row.words)
    if row.status != "running" or not row.n_quanta:
        return shown
    return Span(f"{shown.text} {bar_text(row.n_done, row.n_failed, row.n_quanta, n_bar)}", shown.role)


def quantum_cells(row: "QuantumRow") -> tuple[str | Span, ...]:
    """Return the cells of a quantum, one for each of `QUANTUM_HEADS`."""
    return (
        row.label,
        "" if row.detector is None else str(row.detector),
        status_span(row.status, row.status),
        "" if row.wall_s is None else f"{row.wall_s:.1f}",
        "" if row.peak_rss_bytes is None else f"{row.peak_rss_bytes / 1e6:.0f}",
        Span(row.error, Role.FAIL),
    )


def status_span(status: str, words: str) -> Span:
    """Return a status in words, with a sign that is seen without colours."""
    return Span(f"{SIGNS.get(status, '·')} {words}", STATUS_ROLES.get(status, Role.PLAIN))


def detail_lines(detail: "JobDetail", width: int) -> list[Line]:
    """Return what is to know about a job above its quanta: what matters first, for where not all of it is seen."""
    row = detail.row
    lines = [
        line(
            Span(f"job {row.id}", Role.STRONG),
            "  ",
            status_span(row.status, row.words),
            time_text(detail),
            Span(f"  {row.kind} {row.calib_type} for {row.ticket}", Role.DIM),
        )
    ]
    lines += stage_lines(detail.stages, width)
    trouble = trouble_lines(row, width)
    # What failed stands in the table and the log below: here only the remedy.
    lines += trouble[-1:] if row.n_failed and row.status != "dead" and row.can_resume else trouble
    times = [f"submitted {_clock(detail.submitted)} UTC"]
    times += [f"started {row.started[11:]}"] if row.started else []
    times += [f"ended {row.finished[11:]} after {duration_text(row.duration_s)}"] if row.finished else []
    alive = f"; last sign of life: {row.heartbeat}" if row.heartbeat else ""
    lines += wrapped(f"into {row.run}", width, role=Role.DIM, rest="  ")
    lines += wrapped(f"{', '.join(times)}; {detail.runner}{alive}", width, role=Role.DIM, rest="  ")
    return lines


def time_text(detail: "JobDetail") -> str:
    """Return how long a job has run and about how long it still takes; empty for one that does not run."""
    if not detail.row.is_active or detail.so_far_s is None:
        return ""
    left = f", about {_about(detail.left_s)} left" if detail.left_s is not None else ""
    return f"  {_about(detail.so_far_s)} so far{left}"


def _about(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 1 else "a moment"
    return f"{seconds / 60:.1f} min".replace(".0 ", " ") if seconds < 600 else duration_text(seconds)


def stage_lines(stages: "Sequence[StageRow]", width: int) -> list[Line]:
    """Return a line for each stage: its bar and its counts; failed ones are told in words."""
    name_width = min(20, max((width_of(one.name) for one in stages), default=0))
    room = max(4, min(30, width - name_width - 52))
    lines = []
    for number, one in enumerate(stages, start=1):
        counts = [f"{one.n_done} of {one.n_quanta} done"]
        counts += [f"{one.n_running} at work"] if one.n_running else []
        counts += [f"{one.n_waiting} waiting"] if one.n_waiting else []
        spans = [
            Span(f" {number} {padded(one.name, name_width)} ", Role.LABEL),
            *_bar_spans(bar_text(one.n_done, one.n_failed, one.n_quanta, room)),
            Span(f" {', '.join(counts)}"),
        ]
        spans += [Span(f", {one.n_failed} FAILED", Role.FAIL)] if one.n_failed else []
        lines.append(tuple(spans))
    return lines


def _bar_spans(bar: str) -> list[Span]:
    done, mark, rest = bar.partition("!")
    if not mark:
        return [Span(bar, Role.ACCENT)]
    left = rest.lstrip("!")
    failed = mark * (len(bar) - len(done) - len(left))
    return [Span(done, Role.ACCENT), Span(failed, Role.FAIL), Span(left, Role.ACCENT)]


def bar_text(n_done: int, n_failed: int, n_all: int, width: int) -> str:
    """Return a bar: done, failed (at least one cell where something failed), and what is left."""
    if not n_all:
        return f"[{'.' * width}]"
    failed = max(1, round(width * n_failed / n_all)) if n_failed else 0
    done = min(width - failed, width * n_done // n_all)
    return f"[{'#' * done}{'!' * failed}{'.' * (width - done - failed)}]"


def trouble_lines(row: "JobRow", width: int) -> list[Line]:
    """Return what is wrong with a job and the remedy."""
    if not row.trouble:
        return []
    role = Role.FAIL if row.status in ("dead", "failed") else Role.WARN
    lines = wrapped(f"{row.id}: {row.trouble}", width, role=role, first="! ", rest="  ")
    if row.can_resume:
        told = f"R goes on with it: cabstand jobs --resume {row.id}"
        lines += wrapped(told, width, role=Role.KEY, first="→ ", rest="  ")
    return lines


def about_lines(row: "JobRow", tail: tuple[str, ...], width: int) -> list[Line]:
    """Return what is shown below the table about the job under the cursor."""
    # The remedy stands last: a log that is followed shows its end.
    return [*wrapped(f"into {row.run}", width, role=Role.DIM), *log_lines(tail, width), *trouble_lines(row, width)]


def log_lines(tail: tuple[str, ...], width: int = 0) -> list[Line]:
    """Return lines of a log: whole, or continued on the next line where they are longer than `width`."""
    if not tail:
        return [line(Span("the log is empty", Role.DIM))]
    lines: list[Line] = []
    for one in tail:
        role = Role.FAIL if "error" in one.lower() or "failed" in one else Role.PLAIN
        if not width or len(one) <= width:
            lines.append(line(Span(one, role)))
            continue
        # Sliced, not folded at blanks: a long log is many lines, and paths hold none.
        lines.append(line(Span(one[:width], role)))
        room = max(1, width - 2)
        lines += [line("  ", Span(one[at : at + room], role)) for at in range(width, len(one), room)]
    return lines


def duration_text(seconds: float | None) -> str:
    """Return a duration as people say it."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _clock(utc: str) -> str:
    return utc.replace("T", " ")


def _table(rows: "list[tuple[str | Span, ...]]", width: int, *, right: tuple[int, ...]) -> list[Line]:
    spans = [[cell if isinstance(cell, Span) else Span(cell) for cell in row] for row in rows]
    widths = [max(width_of(row[place].text) for row in spans) for place in range(len(spans[0]))]
    # What does not fit is left out from the right; an error, which stands last, is cut instead.
    while sum(widths) + 2 * (sum(one > 0 for one in widths) - 1) > width and rows[0] is HEADS:
        widths[max(place for place, one in enumerate(widths) if one)] = 0
    lines = []
    for number, row in enumerate(spans):
        parts: list[Span] = []
        for place, cell in enumerate(row):
            if widths[place]:
                text = padded(cell.text, widths[place], align=">" if place in right else "<")
                parts += [Span(text, Role.HEAD if not number else cell.role), Span("  ")]
        lines.append(tuple(parts))
    return lines
