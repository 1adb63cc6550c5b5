"""What a calibration type is, its names and the dataset types it is stored as."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from calibstore.errors import UserInputError
from calibstore.model.calib_recipes import Parameter, Parents, Setting, Step
from calibstore.model.selection_rules import SelectionRules

NEW_SCHEME: Final = "new"
BINS: Final = (8, 64)
"""Bin sizes of the images and mosaics made for looking at [pixel]."""


_BRINGS: Final = {"curated": "write-curated-calibrations", "ingest": "ingest-photodiode", "import": "ingest-files"}
"""Source of a type that is not made here to the verb that brings it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibName:
    """Name parts of one calibration type in the collections of DMTN-222."""

    dataset_type: str
    stem: str = ""
    """Of the generation collection, without band and rerun; empty: never generated."""
    certified: str = ""
    """Of the CALIBRATION collection; empty: never certified."""
    verification: str = ""
    """Of the verification collection; empty: none published."""
    has_band: bool = False
    """Whether collections carry a band suffix (``flatGen-g``)."""
    is_bootstrap: bool = False
    """Whether the generation collection ends with ``/run<N>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetType:
    """A dataset type as the Butler registers it."""

    name: str
    dimensions: tuple[str, ...]
    storage_class: str
    is_calibration: bool = False
    """Only calibration types can be certified."""
    unit: str = ""
    """Of the pixels."""
    suffix: str = "fits"
    """Of its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibType:
    """A calibration type that `generate` makes, as it is made on one instrument."""

    name: str
    dataset_type: DatasetType
    """What is made; of another name where two ways lead to one product (anaglyph flats are flats)."""
    names: CalibName
    companions: tuple[DatasetType, ...] = ()
    """Made in the same job for looking at: binned images, mosaics, thumbnails."""
    intermediates: tuple[DatasetType, ...] = ()
    """Made on the way."""
    observation_type: str = ""
    """Of the exposures it is built from; empty: it is built from other products only."""
    parents: Parents = field(default_factory=Parents)
    gives: tuple[str, ...] = ()
    """Calibrations that become stale when this one changes."""
    title: str = ""
    source: str = ""
    """Where it comes from when nothing here makes it: curated, import or ingest."""
    parameters: tuple[Parameter, ...] = ()
    steps: tuple[Step, ...] = ()
    rules: SelectionRules = field(default_factory=SelectionRules)
    """Of the exposures it is built from."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Calibrations without which it cannot be built."""
        return self.parents.needs

    @property
    def wants(self) -> tuple[str, ...]:
        """Calibrations applied when there are some; when not, the step is recorded as not applied."""
        return (*self.parents.wants, *self.parents.existing)

    @property
    def is_certifiable(self) -> bool:
        """Whether it has a certified collection."""
        return bool(self.names.certified) or self.dataset_type.name != self.name

    @property
    def is_made(self) -> bool:
        """Whether `generate` makes it; others are brought in."""
        return bool(self.steps)

    @property
    def bring_line(self) -> str:
        """The line that tells how it is brought in; empty where it is made here."""
        return "" if self.is_made else f"cabstand {_BRINGS.get(self.source, 'ingest-files')} --help"

    @property
    def has_band(self) -> bool:
        """Whether its collections carry a band."""
        return self.names.has_band

    @property
    def has_filter(self) -> bool:
        """Whether its products are of one physical filter."""
        return "physical_filter" in self.dataset_type.dimensions

    @property
    def all_dataset_types(self) -> tuple[DatasetType, ...]:
        """The product, its companions and intermediates."""
        return (self.dataset_type, *self.companions, *self.intermediates)

    def settings(self, given: Iterable[str] = ()) -> dict[str, Setting]:
        """Return every parameter's value: the defaults, and what was given; not those the task itself knows.

        Parameters
        ----------
        given : iterable of str
            ``NAME=VALUE``.

        Raises
        ------
        UserInputError
            E-SETTING: an unknown name (the nearest are named), one given twice, or a value that does not fit.
        """
        known = {one.name: one for one in self.parameters}
        values = {name: one.default for name, one in known.items() if one.default is not None}
        seen: set[str] = set()
        for text in given:
            name, equals, value = text.partition("=")
            name = name.strip()
            if not equals or name not in known:
                near = [one for one in get_close_matches(name, known, n=3) if one != name]
                guess = f"did you mean {' or '.join(near)}? " if near else ""
                told = "is no NAME=VALUE" if not equals else f"sets no parameter of {self.name}"
                listed = f"cabstand generate {self.name} --parameters lists them" if known else "it has none"
                raise UserInputError(f"--set {text} {told}", hint=f"{guess}{listed}", code="E-SETTING")
            if name in seen:
                raise UserInputError(f"--set {name} is given twice", hint="give each parameter once", code="E-SETTING")
            seen.add(name)
            values[name] = known[name].read(value)
        return values


CALIB_NAMES: Final = tuple(
    CalibName(
        dataset_type=dataset_type,
        stem=stem,
        certified=certified,
        verification=verification,
        has_band="b" in marks,
        is_bootstrap="r" in marks,
    )
    for dataset_type, stem, certified, verification, marks in (
        ("biasBootstrap", "biasBootstrapGen", "", "", "r"),
        ("darkBootstrap", "darkBootstrapGen", "", "", "r"),
        ("flatBootstrap", "flatBootstrapGen", "", "", "r"),
        ("defects", "defectGen", "defects", "verifyDefects", ""),
        ("linearizer", "linearizerGen", "linearizer", "verifyLinearizer", ""),
        ("cti", "ctiGen", "cti", "", ""),
        ("ptc", "ptcGen", "ptc", "verifyPtc", ""),
        ("gain", "gainGen", "gain", "", ""),
        ("pdCorrection", "pdCorrectionGen", "pdCorrection", "", ""),
        ("bfk", "bfkGen", "bfk", "verifyBfk", ""),
        ("electroBfDistortionMatrix", "electroBFDistortionMatrixGen", "electroBfDistortionMatrix", "", ""),
        ("bias", "biasGen", "bias", "verifyBias", ""),
        ("dark", "darkGen", "dark", "verifyDark", ""),
        ("flat_gradient_reference", "flatGradientReferenceGen", "flat_gradient_reference", "", "b"),
        ("flat", "flatGen", "flat", "verifyFlat", "b"),
        ("flatAnaglyph", "flatAnaglyphGen", "", "", "b"),
        ("gain_correction", "gainCorrectionGen", "gain_correction", "", ""),
        ("crosstalk", "crosstalkGen", "crosstalk", "verifyCrosstalk", ""),
        ("fringe", "fringeGen", "fringe", "", ""),
        ("sky", "skyGen", "sky", "", ""),
        (
            "illuminationCorrection", "illuminationCorrectionGen", "illuminationCorrection",
            "verifyIlluminationCorrection", "",
        ),
        ("science", "", "", "verifyScience", ""),
    )
)  # fmt: skip
"""Every type whose names are published, ours or not, in the order in which they are built (generation.md 1)."""

GENERATED: Final = tuple(one.dataset_type for one in CALIB_NAMES if one.stem)
"""Names of the types that `generate` makes, unless a configuration declares more."""
