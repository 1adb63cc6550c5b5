"""Gains, gain corrections and any other table for the screen: its numbers, and one plot of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.datastore.calib_tables import CalibTables, find_card
from calibstore.pipelines.calib_identity import REASON_KEY
from calibstore.pipelines.screen_curves import OTHER_POINT, Axes, Curve, plot
from calibstore.pipelines.screen_records import AXIS_CELLS, FAIL, OK, Panel, ValueColumn, ValueRow, finite
from kernels.arrays import Vector

_FRAME_ROWS: Final = 3
_NAMES: Final = ("AMPLIFIER_NAME", "AMP_NAME", "AMPLIFIER", "PAIR")
_MOST_COLUMNS: Final = 4


@dataclass(frozen=True, slots=True)
class GainContent:
    """Gains of one detector from flat pairs."""

    content: CalibTables

    title: ClassVar[str] = "gain of flat pairs"
    pages: ClassVar[tuple[str, ...]] = ("pairs", "amplifiers")

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return gain, its error, read noise, pairs."""
        del page
        return (
            ValueColumn(name="gain", spec=".4f", width=7, unit="e/adu"),
            ValueColumn(name="err", spec=".4f", width=7, unit="e/adu"),
            ValueColumn(name="noise", spec=".2f", width=6, unit="e"),
            ValueColumn(name="pairs", spec="d", width=5),
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each amplifier."""
        del page
        columns = self._columns
        found = []
        for amp, name in enumerate(_names(columns)):
            values = [
                finite(float(columns[key][amp])) if key in columns else None for key in ("GAIN", "GAIN_ERR", "NOISE")
            ]
            n_pairs = int(columns["N_PAIRS"][amp]) if "N_PAIRS" in columns else None
            reason = str(find_card(self.content.metadata, REASON_KEY + name) or "")
            reason = reason or ("no gain was measured" if values[0] is None else "")
            found.append(ValueRow(key=name, values=(*values, n_pairs), state=FAIL if reason else OK, reason=reason))
        return tuple(found)

    def facts(self, other: "GainContent | None") -> tuple[tuple[str, str], ...]:
        """Return the median gain, the correction taken, and ratios to another."""
        gains = np.asarray(self._columns["GAIN"], np.float64)
        known = gains[np.isfinite(gains)]
        told = [("gain", f"{_spread(known, 4)} e/adu")] if known.size else []
        correction = find_card(self.content.metadata, "CAB GAIN CORRECTION")
        told += [("correction", str(correction))] if correction else []
        told.append(("bad", f"{int((~np.isfinite(gains)).sum())} of {gains.size} amplifiers"))
        if other is not None:
            theirs = other._by_name()
            ratios = np.array([gain / theirs[name] for name, gain in self._by_name().items() if name in theirs])
            ratios = ratios[np.isfinite(ratios)]
            told += [("ratio", _spread(ratios, 5))] if ratios.size else []
        return tuple(told)

    def raster(self, page: str, selected: str, other: "GainContent | None") -> None:
        """Return nothing."""
        del page, selected, other

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "GainContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return the gains of all pairs of an amplifier, or of all amplifiers."""
        own = self._columns
        names = _names(own)
        width, height = columns - AXIS_CELLS, rows - _FRAME_ROWS
        if page == "amplifiers" or "GAIN_LIST" not in own or "MEANS" not in own:
            theirs = other._by_name() if other else {}
            values = np.asarray(own["GAIN"], np.float64)
            title = "gain [e/adu] / amplifier"
            return (_by_row(title, values, names, selected=selected, others=theirs, width=width, height=height),)
        if selected not in names:
            return ()
        amp = names.index(selected)
        means = np.atleast_1d(np.asarray(own["MEANS"][amp], np.float64))
        gains = np.atleast_1d(np.asarray(own["GAIN_LIST"][amp], np.float64))
        gain, error = float(own["GAIN"][amp]), float(own["GAIN_ERR"][amp])
        levels = [level for level in (gain - error, gain, gain + error) if math.isfinite(level)]
        title = f"{selected} gain of pairs [e/adu] / mean"
        return (plot(title, [Curve(x=means, y=gains)], width=width, height=height,
                     axes=Axes(is_log_x=is_log, x_unit="adu"), levels=levels),)  # fmt: skip

    @property
    def _columns(self) -> Mapping[str, NDArray[Any]]:
        return self.content.tables[0].columns

    def _by_name(self) -> dict[str, float]:
        gains = np.asarray(self._columns["GAIN"], np.float64)
        return dict(zip(_names(self._columns), gains.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class PlainContent:
    """Any table: its columns of single numbers."""

    content: CalibTables

    pages: ClassVar[tuple[str, ...]] = ("table",)

    @property
    def title(self) -> str:
        """Return the name of the product."""
        return {"gainCorrection": "gain correction"}.get(self.content.obstype, self.content.obstype.lower() or "table")

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return the first columns of single numbers."""
        del page
        return tuple(
            ValueColumn(
                name=name.lower().replace("gain_adjustment", "factor")[:9], spec=".5g", width=9,
                unit=self.content.tables[0].units.get(name, ""), from_width=0 if place < 3 else 48,
            )
            for place, name in enumerate(self._numbers)
        )  # fmt: skip

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each of the first table."""
        del page
        columns = self._columns
        found = []
        for row, name in enumerate(_names(columns)):
            values = tuple(finite(float(columns[key][row])) for key in self._numbers)
            reason = str(find_card(self.content.metadata, REASON_KEY + name) or "")
            is_bad = bool(reason) or (bool(values) and values[0] is None)
            found.append(
                ValueRow(key=name, values=values, state=FAIL if is_bad else OK, reason=reason or "no number" * is_bad)
            )
        return tuple(found)

    def facts(self, other: "PlainContent | None") -> tuple[tuple[str, str], ...]:
        """Return the kind of table and the columns not shown."""
        del other
        hidden = [name for name in self._columns if name not in (*self._numbers, *_NAMES)]
        told = [("class", self.content.calib_class.rpartition(".")[2]), ("rows", str(self.content.tables[0].n_rows))]
        return (*told, *((("also", ", ".join(hidden)),) if hidden else ()))

    def raster(self, page: str, selected: str, other: "PlainContent | None") -> None:
        """Return nothing."""
        del page, selected, other

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "PlainContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return the first number of all rows."""
        del page, is_log
        if not self._numbers:
            return ()
        key = self._numbers[0]
        there = (
            dict(zip(_names(other._columns), np.asarray(other._columns[key], np.float64).tolist(), strict=True))
            if other is not None and key in other._columns
            else {}
        )
        values = np.asarray(self._columns[key], np.float64)
        title = f"{key.lower().replace('_', ' ')} / row"
        width, height = columns - AXIS_CELLS, min(rows - _FRAME_ROWS, 16)
        names = _names(self._columns)
        return (_by_row(title, values, names, selected=selected, others=there, width=width, height=height),)

    @property
    def _columns(self) -> Mapping[str, NDArray[Any]]:
        return self.content.tables[0].columns

    @property
    def _numbers(self) -> tuple[str, ...]:
        kept = [name for name, values in self._columns.items() if values.ndim == 1 and values.dtype.kind in "iuf"]
        return tuple(name for name in kept if name not in _NAMES)[:_MOST_COLUMNS]


def _names(columns: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return the names of rows, made different where they are alike."""
    key = next((key for key in _NAMES if key in columns), None)
    n_rows = len(next(iter(columns.values())))
    if key is None or columns[key].ndim != 1:
        return [str(row) for row in range(n_rows)]
    found = [str(name).strip() for name in columns[key]]
    return found if len(set(found)) == len(found) else [f"{row} {name}" for row, name in enumerate(found)]


def _spread(values: Vector, decimals: int) -> str:
    low, middle, high = (f"{value:.{decimals}f}" for value in (values.min(), np.median(values), values.max()))
    return f"median {middle}, {low} .. {high}"


def _by_row(
    title: str,
    values: Vector,
    names: list[str],
    *,
    selected: str,
    others: Mapping[str, float],
    width: int,
    height: int,
) -> Panel | None:
    places = np.arange(len(values), dtype=np.float64)
    theirs = np.array([others.get(name, math.nan) for name in names])
    curves = ([Curve(x=places, y=theirs, ink=OTHER_POINT)] if others else []) + [Curve(x=places, y=values)]
    known = values[np.isfinite(values)]
    uprights = [(float(names.index(selected)), "")] if selected in names else []
    return plot(title, curves, width=width, height=height, axes=Axes(x_unit="row"), uprights=uprights,
                levels=[float(np.median(known))] if known.size else [])  # fmt: skip
