"""What the task `combine` is told: the kind of product, how frames are scaled, clipped and masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from calibstore.errors import UserInputError
from calibstore.pipelines.combined_product import VignettedField
from calibstore.pipelines.dark_cosmic_rays import RayFinding
from calibstore.pipelines.kept_outputs import recorded_sums
from calibstore.pipelines.quantum import Quantum
from kernels.cosmic_rays import CosmicRayRule


class Scaling(StrEnum):
    """What a frame is divided by before it is combined."""

    UNITY = "UNITY"
    DARK_TIME = "DARKTIME"
    LEVEL = "LEVEL"
    """Its mean over the focal plane where scales are given, else its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedKind:
    """How frames of one observation type become a product."""

    obstype: str
    scaling: Scaling
    unit: str
    """Of the image, ``{}`` standing for adu or electron."""
    excluded: tuple[str, ...] = ("DETECTED", "INTRP", "UNMASKEDNAN")
    """Mask planes whose samples take no part."""


_BIAS: Final = CombinedKind(obstype="bias", scaling=Scaling.UNITY, unit="{}")
_DARK: Final = CombinedKind(
    obstype="dark", scaling=Scaling.DARK_TIME, unit="{}/s", excluded=("SAT", "DETECTED", "INTRP", "UNMASKEDNAN", "CR")
)
_FLAT: Final = CombinedKind(
    obstype="flat", scaling=Scaling.LEVEL, unit="", excluded=("SAT", "DETECTED", "INTRP", "UNMASKEDNAN")
)

KINDS: Final[Mapping[str, CombinedKind]] = MappingProxyType(
    {
        "biasBootstrap": _BIAS,
        "darkBootstrap": _DARK,
        "flatBootstrap": _FLAT,
        "bias": _BIAS,
        "dark": _DARK,
        "flat": _FLAT,
        "flat_blue": _FLAT,
        "flat_red": _FLAT,
    }
)
"""Products this pipeline makes."""

VIGNETTED_MM: Final = MappingProxyType({"LSSTCam": (350.0, 317.0)})
"""Radii beyond which a flat has no light, and less light, by instrument [mm]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineParameters:
    """What a quantum says about how to combine."""

    product: str
    like: str
    """Product of `KINDS` whose signature removal and scaling hold."""
    kind: CombinedKind
    n_sigma: float | None = 3.0
    max_iter: int = 3
    band_rows: int | None = None
    verify_checksums: bool = False
    finding: RayFinding | None = None
    """Of cosmic rays; None where they are left to the clip."""
    vignetted: VignettedField | None = None
    existing: Mapping[str, str] = field(default_factory=dict)
    """Recorded SHA-256 by dataset type of outputs that may be there already."""

    @classmethod
    def of(cls, quantum: Quantum) -> Self:
        """Read the parameters of a quantum.

        Raises
        ------
        UserInputError
            If the product is none of `KINDS`.
        """
        given = quantum.parameters
        product = str(given.get("product", ""))
        like = str(given.get("like", product))
        kind = KINDS.get(like)
        if kind is None:
            raise UserInputError(
                f"{quantum.label}: product {like!r} is not one of {', '.join(KINDS)}", code="E-PRODUCT"
            )
        n_sigma, band_rows = given.get("n_sigma", 3.0), given.get("band_rows")
        return cls(
            product=product,
            like=like,
            kind=kind,
            n_sigma=None if n_sigma is None else float(str(n_sigma)),
            max_iter=int(str(given.get("max_iter", 3))),
            band_rows=None if band_rows is None else int(str(band_rows)),
            verify_checksums=bool(given.get("verify_checksums", False)),
            finding=_finding(given) if kind.obstype == "dark" and given.get("mask_cosmic_rays", True) else None,
            vignetted=vignetted_field(given, quantum.instrument) if kind.obstype == "flat" else None,
            existing=recorded_sums(given),
        )


def _finding(given: Mapping[str, object]) -> RayFinding:
    rule = CosmicRayRule(
        n_sigma=float(str(given.get("cr_n_sigma", 6.0))), minimum_e=float(str(given.get("cr_minimum_e", 150.0)))
    )
    return RayFinding(rule=rule, most_pixels=int(str(given.get("cr_most_pixels", 10_000))))


def vignetted_field(given: Mapping[str, object], instrument: str) -> VignettedField | None:
    """Return where a flat has no light: parameters ``vignetted_mm`` and ``pixel_size_mm``, else the instrument's."""
    radii = given.get("vignetted_mm", VIGNETTED_MM.get(instrument))
    if not isinstance(radii, Sequence) or len(radii) != 2:
        return None
    return VignettedField(
        dark_radius_mm=float(radii[0]),
        partly_radius_mm=float(radii[1]),
        pixel_size_mm=float(str(given.get("pixel_size_mm", 0.01))),
    )
