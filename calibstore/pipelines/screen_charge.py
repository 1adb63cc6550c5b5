"""Deferred charge, brighter-fatter kernels and pixel-border shifts for the screen."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.pipelines.bfk_dataset import BrighterFatterKernels
from calibstore.pipelines.electrostatic_dataset import DistortionMatrix
from calibstore.pipelines.screen_curves import LINE, OTHER, OTHER_POINT, Axes, Curve, plot
from calibstore.pipelines.screen_rasters import Raster
from calibstore.pipelines.screen_records import (
    AXIS_CELLS,
    FAIL,
    OK,
    Panel,
    ValueColumn,
    ValueRow,
    finite,
)
from kernels.deferred_charge_result import MeasuredCti

_FRAME_ROWS: Final = 3
_MICRO: Final = 1e6
_KERNEL: Final = 1e7


@dataclass(frozen=True, slots=True)
class CtiContent:
    """Deferred charge of one detector."""

    amplifiers: tuple[MeasuredCti, ...]

    title: ClassVar[str] = "deferred charge"
    pages: ClassVar[tuple[str, ...]] = ("trails",)

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return the model of an amplifier."""
        del page
        return (
            ValueColumn(name="CTI", spec=".3f", width=6, unit="1e-6"),
            ValueColumn(name="drift", spec=".3f", width=6, unit="1e-4"),
            ValueColumn(name="decay", spec=".2f", width=5, unit="px"),
            ValueColumn(name="turnoff", spec=".0f", width=7, unit="e"),
            ValueColumn(name="trap", spec=".0f", width=6, unit="e", from_width=48),
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each amplifier."""
        del page
        found = []
        for one in self.amplifiers:
            model = one.model
            trap = model.trap if model is not None else None
            values = (
                finite(model.global_cti * _MICRO) if model else None,
                finite(model.drift_scale * 1e4) if model else None,
                finite(model.decay_time) if model else None,
                finite(one.serial_turnoff),
                finite(trap.size_e) if trap else None,
            )
            found.append(ValueRow(key=one.name, values=values, state=FAIL if one.reason else OK, reason=one.reason))
        return tuple(found)

    def facts(self, other: "CtiContent | None") -> tuple[tuple[str, str], ...]:
        """Return the median and how many amplifiers are bad."""
        del other
        ctis = [one.model.global_cti * _MICRO for one in self.amplifiers if one.model]
        told = [("CTI", f"median {np.median(ctis):.3f}, most {max(ctis):.3f} 1e-6")] if ctis else []
        n_traps = sum(one.model is not None and one.model.trap is not None for one in self.amplifiers)
        bad = sum(bool(one.reason) for one in self.amplifiers)
        return (*told, ("traps", f"{n_traps} amplifiers"), ("bad", f"{bad} of {len(self.amplifiers)} amplifiers"))

    def raster(self, page: str, selected: str, other: "CtiContent | None") -> None:
        """Return nothing."""
        del page, selected, other

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "CtiContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return serial and parallel trails against the signal."""
        del page
        one = next((one for one in self.amplifiers if one.name == selected), None)
        if one is None:
            return ()
        theirs = next((x for x in other.amplifiers if x.name == selected), None) if other else None
        width, half = columns - AXIS_CELLS, rows // 2
        found = []
        for word, values, turnoff, height, there in (
            ("serial", one.serial_eper, one.serial_turnoff, rows - half, theirs.serial_eper if theirs else None),
            ("parallel", one.parallel_eper, one.parallel_turnoff, half, theirs.parallel_eper if theirs else None),
        ):
            curves = []
            if theirs is not None and there is not None and there.size == theirs.signals.size:
                curves.append(Curve(x=theirs.signals, y=there * _MICRO, ink=OTHER_POINT))
            if values.size == one.signals.size:
                curves.append(Curve(x=one.signals, y=values * _MICRO))
            found.append(
                plot(
                    f"{one.name} {word} EPER [1e-6] / signal [e]", curves, width=width, height=height - _FRAME_ROWS,
                    axes=Axes(is_log_x=is_log, is_log_y=is_log, x_unit="e"),
                    uprights=[(turnoff, "T")] if np.isfinite(turnoff) else [],
                )
            )  # fmt: skip
        return tuple(found)


@dataclass(frozen=True, slots=True)
class KernelContent:
    """Brighter-fatter kernels of one detector."""

    kernels: BrighterFatterKernels

    title: ClassVar[str] = "brighter-fatter kernel"
    pages: ClassVar[tuple[str, ...]] = ("kernel", "correlations")

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return numbers of a kernel."""
        del page
        return (
            ValueColumn(name="centre", spec="+.3f", width=7, unit="1e-7/e"),
            ValueColumn(name="sum", spec="+.3f", width=7, unit="1e-7/e"),
            ValueColumn(name="gain", spec=".4f", width=6, unit="e/adu"),
            ValueColumn(name="noise", spec=".2f", width=5, unit="e"),
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return a row for the detector, and one for each amplifier."""
        shown = self._matrices(page)
        bfk = self.kernels
        found = [ValueRow(key="all", values=(*_centre_sum(shown["all"]), None, None))]
        for amp, name in enumerate(bfk.amplifiers):
            reason = bfk.reasons[amp] or ("" if bfk.is_valid[amp] else "not valid")
            numbers = (*_centre_sum(shown[name]), finite(bfk.gain_e_per_adu[amp]), finite(bfk.noise_e[amp]))
            found.append(ValueRow(key=name, values=numbers, state=FAIL if reason else OK, reason=reason))
        return tuple(found)

    def facts(self, other: "KernelContent | None") -> tuple[tuple[str, str], ...]:
        """Return size, level and how many kernels are valid."""
        del other
        bfk = self.kernels
        side = bfk.detector_kernel.shape[-1]
        return (
            ("size", f"{side} x {side}, lags up to {side // 2}"),
            ("level", {"AMP": "one an amplifier", "DETECTOR": "one a detector"}.get(bfk.level, bfk.level)),
            ("valid", f"{int(bfk.is_valid.sum())} of {len(bfk.amplifiers)} amplifiers"),
        )

    def raster(self, page: str, selected: str, other: "KernelContent | None") -> Raster | None:
        """Return the kernel of an amplifier, or of the detector."""
        values = self._chosen(page, selected, other)
        return None if values is None else Raster(values=values[::-1], unit="1e-7/e", is_rooted=True)

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "KernelContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return the profiles through the centre, and the kernel's neighbours of it."""
        del is_log
        values = self._chosen(page, selected, other)
        if values is None:
            return ()
        middle = values.shape[0] // 2
        lags = np.arange(values.shape[0], dtype=np.float64) - middle
        serial, parallel = values[:, middle], values[middle, :]
        curves = [Curve(x=lags, y=parallel, ink=OTHER), Curve(x=lags, y=serial, ink=LINE), Curve(x=lags, y=serial)]
        title = f"{selected} profile [1e-7/e]: dots serial"
        return (
            plot(title, curves, width=columns - AXIS_CELLS, height=rows - _FRAME_ROWS, axes=Axes(x_unit="lag"),
                 levels=[0.0]),
        )  # fmt: skip

    def _matrices(self, page: str) -> dict[str, NDArray[np.float64]]:
        bfk = self.kernels
        if page == "correlations":
            cubes = bfk.mean_correlations
            kept = cubes[bfk.is_valid]
            whole = kept.mean(axis=0) if len(kept) else np.full(cubes.shape[1:], np.nan)
        else:
            cubes, whole = bfk.kernels, bfk.detector_kernel
        return {"all": whole * _KERNEL} | {
            name: cube * _KERNEL for name, cube in zip(bfk.amplifiers, cubes, strict=True)
        }

    def _chosen(self, page: str, selected: str, other: "KernelContent | None") -> NDArray[np.float64] | None:
        values = self._matrices(page).get(selected)
        if values is None or not np.isfinite(values).any():
            return None
        theirs = other._matrices(page).get(selected) if other is not None else None
        return values if theirs is None or theirs.shape != values.shape else values - theirs


@dataclass(frozen=True, slots=True)
class DistortionContent:
    """Shifts of pixel borders of one detector."""

    matrix: DistortionMatrix

    title: ClassVar[str] = "electrostatic distortion"
    pages: ClassVar[tuple[str, ...]] = ("shifts",)

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return shifts by the nearest charges."""
        del page
        return tuple(
            ValueColumn(name=f"a{lag}", spec="+.3f", width=7, unit="1e-7 px/e") for lag in ("00", "10", "01", "11")
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each border."""
        del page
        return tuple(
            ValueRow(
                key=name,
                values=tuple(
                    finite(values[lag]) if max(lag) < len(values) else None for lag in ((0, 0), (1, 0), (0, 1), (1, 1))
                ),
            )
            for name, values in self._borders().items()
        )

    def facts(self, other: "DistortionContent | None") -> tuple[tuple[str, str], ...]:
        """Return the size and what else the file holds."""
        del other
        kept = ", ".join(sorted(self.matrix.others))
        return (("lags", f"0 .. {self.matrix.n_lags - 1}"), *((("also", kept),) if kept else ()))

    def raster(self, page: str, selected: str, other: "DistortionContent | None") -> Raster | None:
        """Return the shifts of a border."""
        del page
        values = self._borders().get(selected)
        if values is None:
            return None
        theirs = other._borders().get(selected) if other is not None else None
        shown = values if theirs is None or theirs.shape != values.shape else values - theirs
        return Raster(values=shown[::-1], unit="1e-7 px/e", is_rooted=True)

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "DistortionContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return the shifts along the axes."""
        del page, is_log, other
        values = self._borders().get(selected)
        if values is None:
            return ()
        lags = np.arange(len(values), dtype=np.float64)
        curves = [
            Curve(x=lags, y=values[0], ink=OTHER),
            Curve(x=lags, y=values[:, 0], ink=LINE),
            Curve(x=lags, y=values[:, 0]),
        ]
        title = f"{selected} [1e-7 px/e]: dots serial"
        return (
            plot(title, curves, width=columns - AXIS_CELLS, height=rows - _FRAME_ROWS, axes=Axes(x_unit="lag"),
                 levels=[0.0]),
        )  # fmt: skip

    def _borders(self) -> dict[str, NDArray[np.float64]]:
        one = self.matrix
        found = {"north": one.north, "south": one.south, "east": one.east, "west": one.west}
        return {name: values * _KERNEL for name, values in found.items()}


def _centre_sum(kernel: NDArray[np.float64]) -> tuple[float | None, float | None]:
    middle = kernel.shape[0] // 2
    return finite(float(kernel[middle, middle])), finite(float(kernel.sum()))
