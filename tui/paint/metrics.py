"""The Metrics screen as lines: verdicts, tests, focal plane, one amplifier."""

import textwrap
from typing import TYPE_CHECKING

from tui.paint.metrics_plane import plane_lines
from tui.paint.metrics_words import margin_text, tally_text, value_text, verdict_role
from tui.paint.plots import histogram_lines, series_lines
from tui.places import Place
from tui.spans import Line, Role, Span, cut, fitted, length_of, line, padded, text_of, wrapped

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.metrics_judging import ExposureRow, PlaceRow
    from calibstore.services.looks.metrics_records import (
        AmplifierLook,
        Board,
        Choice,
        HistoryRow,
        MetricsLook,
        Numbers,
        TestLook,
        TestRow,
        ValueRow,
    )

NO_VERIFICATION = (
    "No verification yet: nothing was measured against limits.",
    "7 opens the checklist, which leads there; or type :verify bias TICKET",
)
_PAGE_ROWS = 20
_WIDE = 100


def look(context: "Context", place: Place, instrument: str) -> "MetricsLook":
    """Read a place: the verifications to choose from, or one with its chosen test and amplifier."""
    from calibstore.services.looks.metrics import metrics_board, metrics_test, verification_choices
    from calibstore.services.looks.metrics_amplifier import metrics_amplifier
    from calibstore.services.looks.metrics_records import MetricsLook

    ticket = place.word(0)
    if not ticket:
        return MetricsLook(instrument=instrument, choices=verification_choices(context, instrument))
    board = metrics_board(
        context,
        ticket,
        calib_type=place.option("type"),
        run=place.option("run"),
        tier=place.option("tier"),
    )
    wanted = place.option("test") or board.tests[0].test
    test = metrics_test(context, board, wanted)
    amplifier = None
    detector = place.option("detector")
    if detector.isdecimal() or place.option("amp"):
        amplifier = metrics_amplifier(context, board, wanted, int(detector or 0), place.option("amp"))
    return MetricsLook(instrument=board.instrument, choices=(), board=board, test=test, amplifier=amplifier)


def page(look: "MetricsLook", width: int) -> tuple[Line, ...]:
    """Return the whole screen as lines."""
    return tuple(fitted(one, width) if length_of(one) > width else one for one in _page(look, width))


def _page(look: "MetricsLook", width: int) -> tuple[Line, ...]:
    if look.board is None or look.test is None:
        return choice_lines(look.choices, width)
    rows = [*verdict_lines(look.board, width), (), _title("TESTS", width), *test_lines(look.board, width)]
    if look.amplifier is not None:
        return (*rows, (), *amplifier_lines(look.amplifier, width))
    rows += [(), _title(f"{look.test.row.test}", width), *summary_lines(look.test, width)]
    for drawn in look.test.maps[:1]:
        rows += [(), *plane_lines(drawn, width, is_multi=look.board.n_detectors > 1)[0]]
    rows += [(), *why_lines(look.board, look.test.row, width)]
    if look.test.histogram is not None:
        rows += [(), _title("DISTRIBUTION", width), *histogram_lines(look.test.histogram)]
    rows += [(), _title("WORST PLACES", width)]
    rows += [line(*_gapped(place_cells(one), (16, 7, 8, 8, 8, 6, 20))) for one in look.test.places[:_PAGE_ROWS]]
    rows += [(), _title("EXPOSURES WITH A RESULT AGAINST THEM", width)]
    exposures = [line(*_gapped(exposure_cells(one), (14, 8, 5, 14, 24))) for one in look.test.exposures[:_PAGE_ROWS]]
    rows += exposures or [line(Span("none", Role.DIM))]
    return tuple(rows)


def choice_lines(choices: "tuple[Choice, ...]", width: int) -> tuple[Line, ...]:
    """Return the verifications to choose from; what to do where there is none."""
    if not choices:
        return tuple(line(Span(text, Role.PLAIN)) for text in NO_VERIFICATION)
    rows = [_title("VERIFICATIONS, NEWEST FIRST", width)]
    sizes = (12, 6, 9, 26, 20, *((19,) if width >= _WIDE else ()))
    rows += [line(*_gapped(choice_cells(one)[: len(sizes)], sizes)) for one in choices]
    rows += [line(Span("cabstand ui metrics TICKET --run RERUN shows one", Role.DIM))]
    return tuple(rows)


def choice_cells(choice: "Choice") -> tuple[Span | str | Line, ...]:
    """Return the cells of a verification: ticket, type, rerun, verdicts, exposures, when."""
    verdicts = tuple(Span(f"{profile} {verdict}  ", verdict_role(verdict)) for profile, verdict in choice.verdicts)
    counts = f"{choice.n_in_build} build, {choice.n_independent} indep"
    return (choice.ticket, choice.calib_type, choice.rerun, verdicts, counts, choice.made)


def verdict_lines(board: "Board", width: int) -> tuple[Line, ...]:
    """Return the verdict of each tier, the report, what is counted, and on what the evidence rests: three lines."""
    spans: list[Span] = []
    for tier in board.tiers:
        is_shown = tier.profile == board.tier.profile
        left, right = ("[", "]") if is_shown else (" ", " ")
        spans += [Span(left, Role.ACCENT), Span(f"{tier.profile} ", Role.STRONG if is_shown else Role.PLAIN)]
        spans += [Span(tier.verdict, verdict_role(tier.verdict)), Span(right, Role.ACCENT)]
        spans += [Span(" decides " if tier.decides else " ", Role.DIM)]
    report = f"report {board.report[:8]}" if board.report else "no report: R"
    spans += [Span(report, Role.PLAIN if board.report else Role.WARN)]
    spans += [Span(f"  board: {board.decision}", Role.PLAIN)] if board.decision else []
    counted = (
        f"{board.n_amplifiers} amps x ({board.n_in_build} build + {board.n_independent} independent of "
        f"{board.n_nights} night{'' if board.n_nights == 1 else 's'}); limits {board.profile_sha256[:8]}"
    )
    evidence = board.evidence
    if width < _WIDE:  # how many were judged stands in the line above
        evidence = next((evidence.split(mark)[1] for mark in ("judged; ", "judged: ") if mark in evidence), evidence)
    last = board.warnings[0] if board.warnings else evidence
    role = Role.WARN if board.warnings else Role.DIM
    return (line(*spans), line(Span(cut(f"counted {counted}", width), Role.PLAIN)), line(Span(cut(last, width), role)))


def test_cells(row: "TestRow", *, is_multi: bool, is_narrow: bool) -> tuple[Span | str, ...]:
    """Return the cells of a test: verdict, test, limit, worst place and value, margin, counts, waiver, what it catches.

    Counts are results against / all, of build exposures and independent ones apart; a test of the product itself has
    its own count. ``w`` marks waived ones.
    """
    verdict = str(row.verdict)
    name = row.test if row.is_gating else f"{row.test} (i)"
    place = row.worst_name if is_multi else row.worst_name.rpartition(" ")[2] if row.worst_amplifier else ""
    worst = f"{place} {value_text(row.worst)}".strip()
    build, independent = tally_text(row.build), tally_text(row.independent)
    if row.product is not None and row.build is None:
        build, independent = "product", tally_text(row.product)
    return (
        Span(verdict[:4] if is_narrow else verdict, verdict_role(verdict)),
        name,
        row.limit,
        Span(worst, verdict_role(verdict) if verdict not in ("PASS",) else Role.PLAIN),
        margin_text(row.margin),
        build,
        independent,
        Span(row.waiver, Role.WARN if row.waiver in ("open", "expired") else Role.PLAIN),
        row.why,
    )


def summary_line(test: "TestLook") -> Line:
    """Return median, robust width and number of what was measured, with unit and limit (requirement 61)."""
    unit = test.row.unit or "1"
    return line(
        Span(test.row.test, Role.STRONG),
        Span(f" [{unit}]  {numbers_text(test.numbers)}  ", Role.PLAIN),
        Span(f"limit {test.row.limit_text}", Role.DIM),
    )


def summary_lines(test: "TestLook", width: int) -> tuple[Line, ...]:
    """Return the summary with what is counted, folded."""
    text = "".join(span.text for span in summary_line(test))
    return (*wrapped(text, width, rest="  "), *wrapped(f"counted: {test.row.counted}", width, role=Role.DIM))


def numbers_text(numbers: "Numbers") -> str:
    """Return ``median 3.53  σ_MAD 0.17  n 3216``."""
    if not numbers.n:
        return "nothing measured"
    median, sigma = value_text(numbers.median), value_text(numbers.sigma_mad)
    return f"median {median}  σ_MAD {sigma}  n {numbers.n}"


def place_cells(place: "PlaceRow") -> tuple[Span | str, ...]:
    """Return the cells of an amplifier: name, verdict, worst, median, counts, margin, trend."""
    verdict = str(place.tally.verdict)
    return (
        place.name,
        Span(verdict, verdict_role(verdict)),
        value_text(place.worst),
        value_text(place.median),
        tally_text(place.tally),
        margin_text(place.margin),
        Span(place.reason or place.trend if verdict in ("UNKNOWN", "WAIVED") else place.trend, Role.PLAIN),
    )


def exposure_cells(one: "ExposureRow") -> tuple[Span | str, ...]:
    """Return the cells of an exposure: id, day_obs, kind, results against it, worst amplifier and value."""
    verdict = str(one.tally.verdict)
    return (
        str(one.exposure),
        str(one.day_obs),
        "build" if one.in_build else "indep",
        Span(f"{verdict} {one.tally.n - one.tally.n_pass}/{one.tally.n}", verdict_role(verdict)),
        f"{one.worst_name} {value_text(one.worst)}",
    )


def value_cells(one: "ValueRow") -> tuple[Span | str, ...]:
    """Return the cells of one result: exposure, day_obs, kind, value, margin, verdict, reason."""
    verdict = str(one.verdict)
    return (
        "-" if one.exposure is None else str(one.exposure),
        str(one.day_obs or "-"),
        one.evidence,
        value_text(one.value),
        margin_text(one.margin),
        Span(verdict, verdict_role(verdict)),
        one.reason,
    )


def amplifier_lines(found: "AmplifierLook", width: int) -> tuple[Line, ...]:
    """Return one test of one amplifier: numbers, plot, history, every result."""
    rows = [_title(f"{found.name} {found.test}", width), *wrapped(text_of(amplifier_head(found)), width, rest="  ")]
    if found.plot is not None:
        rows += series_lines(found.plot)
    rows += [(), _title("THE SAME IN OTHER VERIFICATIONS", width), *history_lines(found, width)]
    rows += [(), _title("RESULTS, IN TIME ORDER", width)]
    rows += [line(*_gapped(value_cells(one), (14, 8, 7, 9, 7, 7, 24))) for one in found.values]
    return tuple(rows)


def amplifier_head(found: "AmplifierLook") -> Line:
    """Return the numbers of one amplifier in one line."""
    return line(
        Span(found.name, Role.STRONG),
        Span(f" {found.test} [{found.unit or '1'}]  {numbers_text(found.numbers)}  ", Role.PLAIN),
        Span(f"limit {found.limit}", Role.DIM),
    )


def history_lines(found: "AmplifierLook", width: int) -> tuple[Line, ...]:
    """Return the same test and place in every verification of the ticket and of what is in use."""
    n_made = 19 if width >= _WIDE else 10
    sizes = (9, 9, n_made, 7, 9, 9, 7, 12)
    rows = [line(*_gapped(history_cells(one, n_made), sizes)) for one in found.history]
    rows.append(line(Span(cut(found.in_use, width, keep="ends"), Role.DIM)))
    return tuple(rows)


def history_cells(one: "HistoryRow", n_made: int) -> tuple[Span | str, ...]:
    """Return the cells of a verification: ticket, rerun, when, verdict, median, worst, counts, what it is."""
    verdict = str(one.tally.verdict)
    marks = [word for word, is_so in (("this", one.is_this), ("in use", one.is_in_use)) if is_so]
    return (
        one.ticket,
        one.rerun,
        one.made[:n_made],
        Span(verdict, verdict_role(verdict)),
        f"m {value_text(one.median)}",
        f"w {value_text(one.worst)}",
        tally_text(one.tally),
        Span(", ".join(marks), Role.ACCENT),
    )


def why_lines(board: "Board", row: "TestRow", width: int) -> tuple[Line, ...]:
    """Return what a test is: formula, limits, source, what it catches, what is counted, the tier."""
    from calibstore.services.looks.metrics_formulas import formula_of

    unit = row.unit or "1 (a pure number)"
    decides = "decides the verdict" if row.is_gating else "informational: it does not decide the verdict"
    told = (
        ("test", f"{row.test}: {decides}"),
        ("formula", formula_of(row.metric)),
        ("unit", unit),
        ("limit", row.limit_text),
        ("source", row.source),
        ("catches", row.why),
        ("counted", row.counted),
        ("tier", f"{board.tier.profile} ({board.tier.tier}): {board.note}"),
        (
            "waiver",
            _waiver_words(row) if board.tier.decides else "this tier decides nothing, so nothing of it is waived",
        ),
    )
    rows: list[Line] = [_title("WHY", width)]
    for name, text in told:
        folded = textwrap.wrap(text, max(20, width - 10)) or [""]
        rows += [
            line(Span(f"{name if place == 0 else '':<9} ", Role.LABEL), Span(part)) for place, part in enumerate(folded)
        ]
    return tuple(rows)


def _waiver_words(row: "TestRow") -> str:
    words = {
        "": "none needed",
        "open": "none: results stand against adopting; w proposes one",
        "expired": "expired; w proposes a new one",
        "waived": "everything against it is waived by the last decision",
    }
    return words.get(row.waiver, f"{row.waiver} results against it are waived")


def _title(text: str, width: int) -> Line:
    return line(Span(f"── {text} ", Role.TITLE), Span("─" * max(0, width - len(text) - 4), Role.DIM))


def test_lines(board: "Board", width: int) -> tuple[Line, ...]:
    """Return heads and rows of the tests."""
    sizes = _sizes(board, width)
    heads = ("verdict", "test", "limit", "worst", "margin", "build", "indep", "waiver")
    rows = [line(*(Span(padded(text, size) + " ", Role.HEAD) for text, size in zip(heads, sizes, strict=False)))]
    for row in board.tests:
        cells = test_cells(row, is_multi=board.n_detectors > 1, is_narrow=False)
        rows.append(line(*_gapped(cells[: len(sizes)], sizes)))
    return tuple(rows)


def _sizes(board: "Board", width: int) -> tuple[int, ...]:
    worst = 18 if board.n_detectors > 1 else 12
    others = (12, worst, 6, 8, 8, *((8,) if width >= 96 else ()))
    widest = max(len(row.test) + (0 if row.is_gating else 4) for row in board.tests)
    room = width - 8 - sum(others) - len(others) - 1
    return (7, max(10, min(widest, room)), *others)


def _gapped(cells: "tuple[Span | str | Line, ...]", sizes: tuple[int, ...]) -> list[Span]:
    spans: list[Span] = []
    for cell, size in zip(cells, sizes, strict=True):
        if isinstance(cell, Span):
            spans.append(Span(padded(cell.text, size) + " ", cell.role))
        elif isinstance(cell, str):
            spans.append(Span(padded(cell, size) + " "))
        else:
            used = sum(len(span.text) for span in cell)
            spans += [*cell, Span(" " * max(0, size - used) + " ")]
    return spans
