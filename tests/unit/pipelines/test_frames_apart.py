"""A frame whose level is unlike the others is named when they are combined."""

from pathlib import Path

import pytest

from calibstore.model.lsst_cameras import camera
from calibstore.pipelines.combine import combine
from calibstore.pipelines.quantum import OutputFile, Quantum, RawInput
from calibstore.pipelines.rehearsal_plan import BAD_BIAS_SEQ_NUM, BUILD_NIGHT
from calibstore.pipelines.simulate_raws import rehearsal_plan, simulate_raws


@pytest.fixture(scope="module")
def raws(tmp_path_factory: pytest.TempPathFactory) -> list[RawInput]:
    folder = tmp_path_factory.mktemp("raws")
    paths = simulate_raws(rehearsal_plan(camera("LATISS", mini=True), 3, folder))
    chosen = sorted(path for path in paths if f"_{BUILD_NIGHT}_" in path.name)[:12]
    return [
        RawInput(exposure=number, path=str(path), begin_tai_ns=number, end_tai_ns=number + 1)
        for number, path in enumerate(chosen, start=1)
    ]


def _apart(raws: list[RawInput], folder: Path) -> list[int]:
    output = OutputFile(dataset_type="bias", dataset_id="0" * 36, run="r", path=str(folder / "bias.fits"))
    quantum = Quantum(
        label="bias:0", task="combine", instrument="LATISS",
        detector=camera("LATISS", mini=True).detector(0), raws=tuple(raws), outputs=(output,),
        parameters={"product": "bias"},
    )  # fmt: skip
    found = combine(quantum).details["frames_apart"]
    assert isinstance(found, list)
    return [one["exposure"] for one in found]


def test_the_planted_frame_and_no_other_is_named(raws: list[RawInput], tmp_path: Path) -> None:
    assert _apart(raws, tmp_path) == [BAD_BIAS_SEQ_NUM]


def test_good_frames_are_not_named(raws: list[RawInput], tmp_path: Path) -> None:
    assert _apart([raw for raw in raws if raw.exposure != BAD_BIAS_SEQ_NUM], tmp_path) == []
