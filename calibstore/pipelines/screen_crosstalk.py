"""Crosstalk for the screen: the matrix in colours, the largest ratios listed, row and column of the one pointed at."""

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.pipelines.screen_rasters import Raster, element_areas
from calibstore.pipelines.screen_records import OK, WARN, Grid, Panel, ValueColumn, ValueRow, finite
from kernels.crosstalk_measure import CrosstalkMatrix

LINEAR, QUADRATIC = "linear", "quadratic"
_SCALES: Final = {LINEAR: (1e6, "1e-6"), QUADRATIC: (1e12, "1e-12")}
_GRID_HEAD: Final = 6
_NUMBER: Final = 7


@dataclass(frozen=True, slots=True)
class CrosstalkContent:
    """Crosstalk of one detector."""

    matrix: CrosstalkMatrix
    names: tuple[str, ...]

    title: ClassVar[str] = "crosstalk"
    pages: ClassVar[tuple[str, ...]] = (LINEAR, QUADRATIC)

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return ratio, its error, distance from zero, samples."""
        _, unit = _SCALES[page]
        return (
            ValueColumn(name=unit, spec="+.2f", width=9, unit=unit),
            ValueColumn(name="error", spec=".2f", width=7, unit=unit),
            ValueColumn(name="sigma", spec=".1f", width=6),
            ValueColumn(name="n", spec="d", width=7, from_width=48),
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each pair of amplifiers, the largest ratio first."""
        values, errors = self._values(page), self._errors(page)
        found = []
        # Magnitudes to ten digits: pairs that are equal but for rounding keep the order of the camera.
        for source, target in sorted(
            ((s, t) for s in range(len(self.names)) for t in range(len(self.names)) if s != t),
            key=lambda pair: (-float(f"{abs(values[pair]):.9e}") if np.isfinite(values[pair]) else 1.0, pair),
        ):
            value, error = float(values[source, target]), float(errors[source, target])
            is_valid = bool(self.matrix.is_valid[source, target])
            if page == QUADRATIC:  # most are not fitted, and zero
                is_valid = value == 0 or abs(value) > 3 * error
            found.append(
                ValueRow(
                    key=f"{self.names[source]}>{self.names[target]}",
                    values=(
                        finite(value),
                        finite(error),
                        abs(value) / error if error > 0 else None,
                        int(self.matrix.counts[source, target]),
                    ),
                    state=OK if is_valid else WARN,
                    reason="" if is_valid else "not three of its errors from zero, or not measured",
                )
            )
        return tuple(found)

    def facts(self, other: "CrosstalkContent | None") -> tuple[tuple[str, str], ...]:
        """Return how many ratios are known, the largest, and whether there are quadratic terms."""
        off = ~np.eye(len(self.names), dtype=np.bool_)
        values = self.matrix.coefficients
        n_valid = int(self.matrix.is_valid[off].sum())
        told = [("known", f"{n_valid} of {int(off.sum())} pairs, images in {self.matrix.unit}")]
        for word, choose in (("largest", np.argmax), ("smallest", np.argmin)):
            at = int(choose(np.where(off, values, 0.0)))
            source, target = divmod(at, len(self.names))
            text = f"{self.names[source]} > {self.names[target]}  {values[source, target] * 1e6:+.2f} 1e-6"
            told.append((word, text))
        n_bent = int((self.matrix.quadratic[off] != 0).sum())
        told.append(("quadratic", f"{n_bent} terms" if n_bent else "none was fitted"))
        if other is not None and other.names == self.names:
            far = np.abs(values - other.matrix.coefficients)[off].max() * 1e6
            told.append(("differs", f"by {far:.2f} 1e-6 at most"))
        return tuple(told)

    def raster(self, page: str, selected: str, other: "CrosstalkContent | None") -> Raster | None:
        """Return the matrix, sources down and targets across."""
        del selected
        values = self._values(page).copy()
        if other is not None and other.names == self.names:
            values -= other._values(page)
        np.fill_diagonal(values, np.nan)
        if not np.any(values[np.isfinite(values)]):
            return None
        return Raster(values=values, unit=_SCALES[page][1], areas=element_areas(self.names), is_rooted=True)

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "CrosstalkContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return the numbers of row and column of a pair."""
        del rows, is_log
        source_name, _, target_name = selected.partition(">")
        if source_name not in self.names or target_name not in self.names:
            return ()
        source, target = self.names.index(source_name), self.names.index(target_name)
        values = self._values(page)
        if other is not None and other.names == self.names:
            values = values - other._values(page)
        unit = _SCALES[page][1]
        if not np.any(values[np.isfinite(values)]):
            return (Grid(title=f"no {page} terms: all are zero", heads=(), rows=()),)
        from_source = self._folded(values[source], source, columns)
        into_target = self._folded(values[:, target], target, columns)
        return (
            Grid(title=f"from {source_name} into the others [{unit}]", heads=(), rows=from_source),
            Grid(title=f"into {target_name} from the others [{unit}]", heads=(), rows=into_target),
        )

    def _folded(self, values: NDArray[np.float64], own: int, columns: int) -> tuple[tuple[str, ...], ...]:
        """Return names over numbers, as many as fit in a row."""
        texts = ["-" if k == own or not np.isfinite(one) else f"{one:+.2f}" for k, one in enumerate(values)]
        size = max(_NUMBER, *map(len, texts), *map(len, self.names))
        per_row = max(1, (columns - 1) // (size + 1))
        rows: list[tuple[str, ...]] = []
        for first in range(0, len(self.names), per_row):
            part = range(first, min(first + per_row, len(self.names)))
            rows.append(tuple(self.names[k] for k in part))
            rows.append(tuple(texts[k] for k in part))
        return tuple(rows)

    def _values(self, page: str) -> NDArray[np.float64]:
        scale, _ = _SCALES[page]
        return (self.matrix.coefficients if page == LINEAR else self.matrix.quadratic) * scale

    def _errors(self, page: str) -> NDArray[np.float64]:
        scale, _ = _SCALES[page]
        return (self.matrix.errors_of_mean if page == LINEAR else self.matrix.quadratic_errors) * scale
