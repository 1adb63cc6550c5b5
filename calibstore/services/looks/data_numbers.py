"""The amplifiers and detectors of a product in numbers, and the tests they failed."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from calibstore.model.camera import Camera
from calibstore.model.counting import counted
from calibstore.model.records import DatasetRecord
from calibstore.services.looks.data_subject import Subject

if TYPE_CHECKING:
    from calibstore.db.unit_of_work import UnitOfWork

FailedTests = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Detector name -> amplifier -> tests with the number of exposures."""

_MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class AmplifierRow:
    """One amplifier in numbers."""

    name: str
    median: float | None
    """Of its pixels, in the unit of the product."""
    width: float | None
    """Half of the distance between the 16 and 84 per cent points, likewise."""
    z: float | None
    """Distance of the median from that of all amplifiers shown [robust sigma]."""
    tests: tuple[str, ...] = ()
    """Tests that failed, with the number of exposures, e.g. ``noise_ratio 30``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRow:
    """One detector of the focal plane."""

    detector: int
    name: str
    kind: str
    median: float | None
    """Of its amplifiers' medians."""
    z: float | None
    n_failing: int
    """Amplifiers with a failed test."""
    dataset_id: str
    """Empty: there is no product of this detector."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Middle and robust sigma of many values."""

    center: float = 0.0
    sigma: float = 0.0

    def z(self, value: float | None) -> float | None:
        """Return how far a value lies from the middle; None where that cannot be said."""
        return None if value is None or self.sigma <= 0 else (value - self.center) / self.sigma


def detector_rows(camera: Camera, subject: Subject, failed: FailedTests, crowd: Crowd) -> tuple[DetectorRow, ...]:
    """Return every detector of the camera, those without a product too."""
    rows = []
    for one in camera.detectors:
        product = subject.products.get(one.id)
        own = list(medians_of(product).values()) if product else []
        median = statistics.median(own) if own else None
        rows.append(
            DetectorRow(
                detector=one.id,
                name=one.full_name,
                kind=one.kind,
                median=median,
                z=crowd.z(median),
                n_failing=sum(bool(name) for name in failed.get(one.full_name, {})),
                dataset_id=product.id if product else "",
            )
        )
    return tuple(rows)


def amplifier_rows(
    product: DatasetRecord,
    detector_name: str,
    camera: Camera,
    failed: FailedTests,
    crowd: Crowd,
) -> tuple[AmplifierRow, ...]:
    """Return the amplifiers of a product, in the order of the camera."""
    own, widths = medians_of(product), _numbers(product, "half_width_16_84")
    return tuple(
        AmplifierRow(
            name=amplifier.name,
            median=own.get(amplifier.name),
            width=widths.get(amplifier.name),
            z=crowd.z(own.get(amplifier.name)),
            tests=failed.get(detector_name, {}).get(amplifier.name, ()),
        )
        for amplifier in camera.detector(product.detector or 0).amplifiers
    )


def medians_of(product: DatasetRecord) -> dict[str, float]:
    """Return the recorded medians of a product's amplifiers."""
    return _numbers(product, "median")


def _numbers(product: DatasetRecord, key: str) -> dict[str, float]:
    amplifiers = product.provenance.get("amplifiers")
    found = amplifiers.items() if isinstance(amplifiers, dict) else ()
    return {
        str(name): float(values[key])
        for name, values in found
        if isinstance(values, dict) and isinstance(values.get(key), int | float)
    }


def crowd_of(values: Sequence[float]) -> Crowd:
    """Return middle and robust sigma; of fewer than three values nothing can be said."""
    if len(values) < 3:
        return Crowd()
    center = statistics.median(values)
    return Crowd(center, _MAD_TO_SIGMA * statistics.median(abs(one - center) for one in values))


def failed_tests(uow: "UnitOfWork", ticket: str, subject: Subject) -> tuple[dict[str, dict[str, tuple[str, ...]]], str]:
    """Return failed tests by detector name and amplifier, of the camera's own tier, and what they were found by.

    Only a verification of exactly these products counts.
    """
    ids = {detector: one.id for detector, one in subject.products.items()}
    for one in reversed(uow.verifications.list(ticket) if ticket else ()):
        if one.calib_type != subject.dataset_type or not ids.items() <= one.candidates.items():
            continue
        own = [judged for judged in uow.verifications.judgements(one.id) if judged.profile != "peer"]
        if not own:
            continue
        summary = own[-1].summary
        listed = summary.get("failures")
        counts: Counter[tuple[str, str, str]] = Counter()
        for texts in listed.values() if isinstance(listed, dict) else ():
            for text in texts:
                words = str(text).split()
                counts[words[0], words[1] if len(words) > 2 else "", words[-1]] += 1
        failed: dict[str, dict[str, tuple[str, ...]]] = {}
        for (detector, amplifier, test), number in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
            place = failed.setdefault(detector, {})
            place[amplifier] = (*place.get(amplifier, ()), f"{test} {number}")
        return failed, f"{own[-1].profile} {own[-1].verdict}, {counted(len(one.exposures), 'exposure')}"
    return {}, ""
