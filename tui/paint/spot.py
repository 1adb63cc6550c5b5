"""The spot check as lines: what to look for, amplifiers, and the frames the product was built of."""

from typing import TYPE_CHECKING

from tui.spans import Line, Role, Span, cut, line, wrapped

if TYPE_CHECKING:
    from calibstore.services.looks.spot import SpotDetector, SpotExposure, SpotLook


def head_lines(looked: "SpotLook", width: int) -> tuple[Line, ...]:
    """Return what is looked at, what to look for, and what was said before."""
    rows = [line(Span(cut(looked.run, width), Role.STRONG))]
    rows += wrapped(f"Look at: {looked.look_at}", width)
    apart = sum(one.is_apart for one in looked.exposures)
    if apart:
        rows += wrapped(
            f"! {apart} of {len(looked.exposures)} frames unlike the others, see below", width, role=Role.WARN
        )
    if looked.said_before:
        rows += wrapped(f"said before: {looked.said_before}", width, role=Role.DIM)
    return tuple(rows)


def amplifier_title(looked: "SpotLook") -> str:
    """Return the title of the numbers: which amplifiers are unlike the rest."""
    many = len(looked.detectors) > 1
    apart = [
        f"{detector.name} {one.name}" if many else one.name
        for detector in looked.detectors
        for one in detector.amplifiers
        if one.is_apart
    ]
    if not apart:
        return "AMPLIFIERS"
    more = f" and {len(apart) - 3} more" if len(apart) > 3 else ""
    return f"AMPLIFIERS: ! {', '.join(apart[:3])}{more}"


def amplifier_lines(detector: "SpotDetector", width: int) -> tuple[Line, ...]:
    """Return the numbers of a detector's amplifiers in as many columns as fit; ``!`` where one is unlike the rest."""
    rows = [
        line(
            Span(
                cut(
                    f"{detector.name}: {detector.n_inputs} frames, {detector.n_bad_pixels} bad, {detector.unit}", width
                ),
                Role.STRONG,
            )
        )
    ]
    cell = 20
    columns = max(1, width // cell)
    heads = "".join(f"{'amp   median  width':<{cell}}" for _ in range(min(columns, len(detector.amplifiers))))
    rows.append(line(Span(heads.rstrip(), Role.HEAD)))
    for begin in range(0, len(detector.amplifiers), columns):
        spans = []
        for one in detector.amplifiers[begin : begin + columns]:
            median = "?" if one.median is None else f"{one.median:.3f}"
            spread = "?" if one.width is None else f"{one.width:.2f}"
            text = f"{one.name:<4}{median:>8}{spread:>7}{'!' if one.is_apart else ' '}"
            spans.append(Span(f"{text:<{cell}}", Role.WARN if one.is_apart else Role.PLAIN))
        rows.append(tuple(spans))
    return tuple(rows)


def exposure_cells(exposure: "SpotExposure") -> tuple[Span | str, ...]:
    """Return the cells of a frame: number, id, begin, what is unlike the others."""
    return (
        f"{exposure.number}",
        str(exposure.id),
        exposure.begin,
        Span(f"! {exposure.apart}", Role.WARN) if exposure.is_apart else Span("", Role.DIM),
    )
