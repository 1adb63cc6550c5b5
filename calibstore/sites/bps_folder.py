"""What the Rubin batch system is told to build a calibration: its configuration, and every variable it reads.

The configuration says what the published templates say. It is rendered here: a variable that is not set is refused,
where ``envsubst`` leaves an empty text and the batch system a literal ``${NAME}``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from calibstore.errors import UserInputError

SETUP: Final = {"CP_PIPE_DIR": "setup cp_pipe", "CP_VERIFY_DIR": "setup cp_verify"}
"""Variables that the observatory's own software sets, and what sets them; they stay in the rendered text."""

BASE: Final = "${USER_CALIB_PREFIX}${INSTRUMENT}/calib/${TICKET}"
_RAWS: Final = "${RAW_COLLECTION},${CALIB_COLLECTIONS}"
_CHAIN: Final = f"{BASE},{_RAWS}"
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BpsTemplate:
    """What is told to the batch system for one calibration type."""

    name: str
    """As in the file name: ``bps_<name>.yaml``."""
    pipeline: str
    stem: str
    """Of the output collection."""
    selection: str
    """Variable of the selection; empty for what is made from products only."""
    inputs: str = _CHAIN
    cluster: str = "exposure"
    """Dimension by which its first task is clustered; empty for none."""
    is_verification: bool = False
    is_bootstrap: bool = False
    memory_mb: int = 0

    def text(self, band: str = "") -> str:
        """Return the configuration with its variables, for one band where it is made by band."""
        folder = "CP_VERIFY_DIR" if self.is_verification else "CP_PIPE_DIR"
        rerun = "VERIFY_RERUN" if self.is_verification else "RERUN"
        leaf = f"{self.stem}-{band}" if band else self.stem
        query = "${" + self.variable(band) + "}" if self.selection else "instrument='${INSTRUMENT}'"
        lines = [
            f'pipelineYaml: "${{{folder}}}/pipelines/${{INSTRUMENT}}/{self.pipeline}.yaml"',
            'project: "${TICKET}"',
            'campaign: "${TICKET}"',
            'submitPath: "${SCRATCH}/submit/{outputRun}"',
            *([f"requestMemory: {self.memory_mb}"] if self.memory_mb else []),
            *self._cluster_lines(),
            "payload:",
            f'  payloadName: "${{INSTRUMENT}}_${{TICKET}}_{self.name}{"_" + band if band else ""}"',
            f'  output: "{BASE}/${{TAG}}/{leaf}.${{{rerun}}}"',
            *(['  outputRun: "{output}/run${BOOTSTRAP_RUN_NUMBER}"'] if self.is_bootstrap else []),
            '  butlerConfig: "${REPO}"',
            f'  inCollection: "{self.inputs}"',
            f'  dataQuery: "{query}{" and band=" + repr(band) if band else ""}"',
        ]
        return "\n".join(lines) + "\n"

    def variable(self, band: str = "") -> str:
        """Return the name of the variable that holds its selection."""
        if not band:
            return self.selection
        stem = self.selection.removesuffix("_V")
        return f"{stem}_{band}{'_V' if self.selection.endswith('_V') else ''}"

    def _cluster_lines(self) -> list[str]:
        # The first task of a verification has no name that all instruments share.
        if not self.cluster or self.is_verification:
            return []
        return [
            "clusterAlgorithm: lsst.ctrl.bps.quantum_clustering_funcs.dimension_clustering",
            "cluster:",
            f"  {self.pipeline}By{self.cluster.capitalize()}:",
            f"    pipetasks: {self.pipeline}Isr",
            f"    dimensions: {self.cluster}",
        ]


def _bootstraps(*types: str) -> str:
    runs = [f"{BASE}/${{TAG}}/{one}Gen.${{RERUN}}/run${{BOOTSTRAP_RUN_NUMBER}}" for one in types]
    return ",".join((*runs, _RAWS))


def _build(name: str, pipeline: str, stem: str, selection: str, *, inputs: str = _CHAIN,
           cluster: str = "exposure", is_bootstrap: bool = False, memory_mb: int = 0) -> BpsTemplate:  # fmt: skip
    return BpsTemplate(
        name=name, pipeline=pipeline, stem=stem, selection=selection and f"SELECTION_{selection}", inputs=inputs,
        cluster=cluster, is_bootstrap=is_bootstrap, memory_mb=memory_mb,
    )  # fmt: skip


def _verify(kind: str, selection: str, *, memory_mb: int = 0) -> BpsTemplate:
    stem = f"verify{kind[0].upper()}{kind[1:]}"
    return BpsTemplate(
        name=f"verify_{kind}", pipeline=stem, stem=stem, selection=f"SELECTION_{selection}_V", is_verification=True,
        memory_mb=memory_mb,
    )  # fmt: skip


_BFK: Final = "PTC_BFK"
BUILDS: Final = {
    "biasBootstrap": _build(
        "biasBootstrap", "cpBiasBootstrap", "biasBootstrapGen", "BIAS_BOOTSTRAP", inputs=_RAWS, is_bootstrap=True
    ),
    "darkBootstrap": _build(
        "darkBootstrap", "cpDarkBootstrap", "darkBootstrapGen", "DARK_BOOTSTRAP", inputs=_bootstraps("biasBootstrap"),
        is_bootstrap=True,
    ),
    "flatBootstrap": _build(
        "flatBootstrap", "cpFlatBootstrap", "flatBootstrapGen", "FLAT_BOOTSTRAP",
        inputs=_bootstraps("biasBootstrap", "darkBootstrap"), is_bootstrap=True,
    ),
    "defects": _build(
        "defects", "cpDefects", "defectGen", "", cluster="",
        inputs=_bootstraps("biasBootstrap", "darkBootstrap", "flatBootstrap"),
    ),
    "linearizer": _build("linearizer", "cpLinearizer", "linearizerGen", "PTC_LINEARIZER"),
    "cti": _build("cti", "cpCti", "ctiGen", "PTC_CTI"),
    "ptc": _build("ptc", "cpPtc", "ptcGen", "PTC"),
    "bfk": _build("bfk", "cpBfk", "bfkGen", _BFK),
    "electroBfDistortionMatrix": _build(
        "electrostaticBFDistortionMatrix", "cpElectrostaticBFDistortionMatrix", "electroBFDistortionMatrixGen", _BFK,
        cluster="",
    ),
    "bias": _build("bias", "cpBias", "biasGen", "BIAS"),
    "dark": _build("dark", "cpDark", "darkGen", "DARK"),
    "flat": _build("flat", "cpFlat", "flatGen", "FLAT", cluster="detector"),
    "flatAnaglyph": _build("flat_anaglyph", "cpFlatAnaglyph", "flatAnaglyphGen", "FLAT", cluster="detector"),
    "flat_gradient_reference": _build(
        "flat_gradient_reference", "cpFlatGradientReference", "flatGradientReferenceGen", "FLAT", inputs=_RAWS
    ),
    "crosstalk": _build("crosstalk", "cpCrosstalk", "crosstalkGen", "CROSSTALK"),
    "gain_correction": _build(
        "gain_correction", "cpGainCorrection", "gainCorrectionGen", "GAIN_CORRECTION", inputs=_RAWS, cluster="detector"
    ),
    "illuminationCorrection": _build(
        "illuminationCorrection", "cpIlluminationCorrection", "illuminationCorrectionGen", "ILLUMINATION_CORRECTION",
        inputs=_RAWS, memory_mb=8192,
    ),
    "sky": _build("sky", "cpSky", "skyGen", "SKY", inputs=_RAWS, cluster="detector"),
}  # fmt: skip
"""Templates that build, by dataset type."""

VERIFICATIONS: Final = {
    "bias": _verify("bias", "BIAS"),
    "dark": _verify("dark", "DARK"),
    "flat": _verify("flat", "FLAT"),
    "ptc": _verify("ptc", "PTC"),
    "linearizer": _verify("linearizer", "PTC_LINEARIZER"),
    "bfk": _verify("bfk", _BFK),
    "defects": _verify("defects", "DEFECTS"),
    "science": _verify("science", "SCIENCE"),
    "illuminationCorrection": _verify("illuminationCorrection", "ILLUMINATION_CORRECTION", memory_mb=8192),
}
"""Templates that verify, by dataset type."""


def render(text: str, variables: Mapping[str, str]) -> str:
    """Return a configuration with its variables filled in; only those of `SETUP` stay.

    Raises
    ------
    UserInputError
        E-VARIABLE: one is not set, or is empty and must not be.
    """
    missing = sorted({one for one in _VARIABLE.findall(text) if one not in variables and one not in SETUP})
    empty = sorted({one for one in _VARIABLE.findall(text) if variables.get(one) == "" and one not in _MAY_BE_EMPTY})
    if missing or empty:
        told = [f"not set: {', '.join(missing)}"] if missing else []
        told += [f"empty: {', '.join(empty)}"] if empty else []
        raise UserInputError(
            f"variables of the batch system {'; '.join(told)}", hint="cabstand campaign show TICKET", code="E-VARIABLE"
        )
    return _VARIABLE.sub(lambda found: variables.get(found[1], found[0]).replace('"', '\\"'), text)


_MAY_BE_EMPTY: Final = ("USER_CALIB_PREFIX",)


def environment_file(variables: Mapping[str, str]) -> str:
    """Return a shell file that exports every variable and stops where the observatory's own are not set."""
    import shlex

    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    checks = [f': "${{{name}:?is not set: {remedy}}}"' for name, remedy in SETUP.items()]
    return "\n".join(("# Read it into a shell: . ./environment.sh", *lines, *checks)) + "\n"
