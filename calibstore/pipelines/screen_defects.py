"""Defects for the screen: where the boxes are on the detector, how many of which kind, in which amplifier."""

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from calibstore.model.camera import Detector
from calibstore.pipelines.screen_rasters import Area, Raster
from calibstore.pipelines.screen_records import OK, WARN, Panel, ValueColumn, ValueRow
from kernels.defect_boxes import Boxes, boxes_to_mask

AMPLIFIERS, BOXES = "amplifiers", "boxes"
PIXEL, COLUMN, ROW, BLOCK = "pixel", "column", "row", "block"
KINDS: Final = (PIXEL, COLUMN, ROW, BLOCK)
LONG_PX, TIMES_LONGER = 20, 4
"""A box is a column (or row) from this length on, where it is so many times longer than wide [pixel]."""
BAD_SHARE: Final = 0.01
"""Share of bad pixels from which an amplifier is pointed out."""
_RASTER: Final = 256
"""Elements of the raster along each side, at most."""


@dataclass(frozen=True, slots=True)
class DefectsContent:
    """Defects of one detector."""

    boxes: Boxes
    detector: Detector
    kept: dict[str, tuple[ValueRow, ...]] = field(default_factory=dict, compare=False, repr=False)
    """Rows of pages already asked for: a cursor asks for them again and again."""
    kept_facts: list[tuple[tuple[str, str], ...]] = field(default_factory=list, compare=False, repr=False)
    kept_rasters: list[Raster] = field(default_factory=list, compare=False, repr=False)

    title: ClassVar[str] = "defects"
    pages: ClassVar[tuple[str, ...]] = (AMPLIFIERS, BOXES)

    def columns(self, page: str) -> tuple[ValueColumn, ...]:
        """Return counts of an amplifier, or corner and size of a box."""
        if page == BOXES:
            return (
                ValueColumn(name="amp", width=4),
                ValueColumn(name="kind", width=6),
                ValueColumn(name="width", spec="d", width=5, unit="px"),
                ValueColumn(name="height", spec="d", width=6, unit="px"),
                ValueColumn(name="pixels", spec="d", width=7, from_width=48),
            )
        return (
            ValueColumn(name="boxes", spec="d", width=5),
            ValueColumn(name="pixels", spec="d", width=7),
            ValueColumn(name="%", spec=".3f", width=6, unit="%"),
            ValueColumn(name="cols", spec="d", width=4),
            ValueColumn(name="rows", spec="d", width=4),
            ValueColumn(name="blocks", spec="d", width=6, from_width=48),
        )

    def rows(self, page: str) -> tuple[ValueRow, ...]:
        """Return one row for each amplifier, or for each box, the largest first."""
        if page not in self.kept:
            self.kept[page] = self._made_rows(page)
        return self.kept[page]

    def _made_rows(self, page: str) -> tuple[ValueRow, ...]:
        owners = self._owners()
        if page == BOXES:
            areas = self.boxes[:, 2].astype(np.int64) * self.boxes[:, 3]
            order = np.lexsort((self.boxes[:, 0], self.boxes[:, 1], -areas))
            return tuple(self._box_row(self.boxes[at].tolist(), owners[at]) for at in order.tolist())
        mask = self._mask()
        counts = Counter(zip(owners, self._kinds(), strict=True))
        found = []
        for amplifier in self.detector.amplifiers:
            place = amplifier.place
            own = {kind: counts[amplifier.name, kind] for kind in KINDS}
            n_bad = int(mask[place.y0 : place.y0 + place.height, place.x0 : place.x0 + place.width].sum())
            share = n_bad / (place.width * place.height)
            found.append(
                ValueRow(
                    key=amplifier.name,
                    values=(sum(own.values()), n_bad, 100 * share, own[COLUMN], own[ROW], own[BLOCK]),
                    state=WARN if share > BAD_SHARE else OK,
                    reason=f"{100 * share:.1f} % of its pixels are bad" if share > BAD_SHARE else "",
                )
            )
        return tuple(found)

    def facts(self, other: "DefectsContent | None") -> tuple[tuple[str, str], ...]:
        """Return boxes, pixels, counts by kind, and what came and went."""
        if other is not None:
            return self._made_facts(other)
        if not self.kept_facts:
            self.kept_facts.append(self._made_facts(None))
        return self.kept_facts[0]

    def _made_facts(self, other: "DefectsContent | None") -> tuple[tuple[str, str], ...]:
        counts = Counter(self._kinds())
        mask = self._mask()
        told = [("boxes", f"{len(self.boxes)}"), ("bad", f"{int(mask.sum())} px, {100 * mask.mean():.3f} %")]
        told.append(("kinds", ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)))
        outside = self._n_outside()
        told += [("outside", f"{outside} boxes reach beyond the detector")] if outside else []
        if other is not None:
            theirs = other._mask()
            told.append(("new", f"{int((mask & ~theirs).sum())} px bad here only"))
            told.append(("gone", f"{int((theirs & ~mask).sum())} px bad there only"))
        return tuple(told)

    def raster(self, page: str, selected: str, other: "DefectsContent | None") -> Raster | None:
        """Return how many bad pixels lie where: 0 for none, else 1 and the power of ten; signed for a difference."""
        del page, selected
        if other is not None:
            return self._made_raster(other)
        if not self.kept_rasters:
            self.kept_rasters.append(self._made_raster(None))
        return self.kept_rasters[0]

    def _made_raster(self, other: "DefectsContent | None") -> Raster:
        mask = self._mask()
        ny, nx = mask.shape
        block = max(1, -(-max(ny, nx) // _RASTER))
        if other is None:
            values = _powers(_counts(mask, block))
        else:
            theirs = other._mask()
            values = _powers(_counts(mask & ~theirs, block)) - _powers(_counts(theirs & ~mask, block))
        areas = []
        for amplifier in self.detector.amplifiers:
            place = amplifier.place
            x0, x1 = place.x0 / block, (place.x0 + place.width) / block
            y0, y1 = (ny - place.y0 - place.height) / block, (ny - place.y0) / block
            areas.append(Area(name=amplifier.name, x0=round(x0), y0=round(y0), x1=round(x1), y1=round(y1)))
        return Raster(
            values=values[::-1], unit="1+log10 px" + (" new, gone" if other else ""), is_signed=other is not None,
            areas=tuple(areas), is_map=True,
        )  # fmt: skip

    def panels(
        self, page: str, selected: str, *, columns: int, rows: int, is_log: bool, other: "DefectsContent | None"
    ) -> tuple[Panel | None, ...]:
        """Return nothing: the picture tells it."""
        del page, selected, columns, rows, is_log, other
        return ()

    def _box_row(self, box: list[int], owner: str) -> ValueRow:
        x0, y0, width, height = box
        return ValueRow(
            key=f"{x0},{y0}",
            values=(owner or "-", _kind(width, height), width, height, width * height),
            state=OK if owner else WARN,
            reason="" if owner else "in no amplifier",
            place=owner,
        )

    def _mask(self) -> NDArray[np.bool_]:
        shape = (self.detector.height, self.detector.width)
        corners = np.clip(self.boxes[:, :2], 0, (shape[1], shape[0]))
        ends = np.clip(self.boxes[:, :2] + self.boxes[:, 2:], 0, (shape[1], shape[0]))
        inside = np.hstack([corners, ends - corners])
        return boxes_to_mask(inside[(inside[:, 2:] > 0).all(axis=1)], shape)

    def _n_outside(self) -> int:
        ends = self.boxes[:, :2] + self.boxes[:, 2:]
        is_out = (self.boxes[:, :2] < 0).any(axis=1) | (ends[:, 0] > self.detector.width)
        return int((is_out | (ends[:, 1] > self.detector.height)).sum())

    def _owners(self) -> list[str]:
        """Return the amplifier that holds the middle of each box; empty for none."""
        middle = self.boxes[:, :2] + self.boxes[:, 2:] // 2
        owners = np.full(len(self.boxes), "", dtype="U16")
        for amplifier in self.detector.amplifiers:
            place = amplifier.place
            inside = (middle[:, 0] >= place.x0) & (middle[:, 0] < place.x0 + place.width)
            inside &= (middle[:, 1] >= place.y0) & (middle[:, 1] < place.y0 + place.height)
            owners[inside] = amplifier.name
        return [str(owner) for owner in owners]

    def _kinds(self) -> list[str]:
        return [_kind(width, height) for width, height in self.boxes[:, 2:].tolist()]


def _kind(width: int, height: int) -> str:
    if width == height == 1:
        return PIXEL
    if height >= LONG_PX and height >= TIMES_LONGER * width:
        return COLUMN
    return ROW if width >= LONG_PX and width >= TIMES_LONGER * height else BLOCK


def _counts(mask: NDArray[np.bool_], block: int) -> NDArray[np.int64]:
    ny, nx = (-(-size // block) for size in mask.shape)
    padded = np.zeros((ny * block, nx * block), np.bool_)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    counts: NDArray[np.int64] = padded.reshape(ny, block, nx, block).sum(axis=(1, 3), dtype=np.int64)
    return counts


def _powers(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(counts > 0, 1 + np.log10(np.maximum(counts, 1)), 0.0)
