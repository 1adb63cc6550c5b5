"""Products made elsewhere: held against what they are taken for, kept with their origin, never in place of another."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstore.commands.collections import RegisterDatasetType
from calibstore.commands.curated import IngestFiles
from calibstore.commands.states import Redo, Undo
from calibstore.commands.store import CertifyCalibrations
from calibstore.datastore.calib_tables import table_checksums
from calibstore.datastore.product_fits import write_image
from calibstore.errors import CabstandError
from tests.support.curated_files import matrix_file

RUN = "LATISS/calib/DM-7/elsewhere/run1"
KIND = "electroBfDistortionMatrix"


def ingest(*files: Path, **more: Any) -> IngestFiles:
    return IngestFiles(**({"dataset_type": KIND, "run": RUN, "files": tuple(map(str, files))} | more))


def refusal(repo: Any, command: Any) -> CabstandError:
    before = {one for one in repo.root.rglob("*") if "sqlite" not in one.name}
    for dry_run in (True, False):
        with pytest.raises(CabstandError) as caught:
            repo.do(command, dry_run=dry_run)
        assert caught.value.hint
        assert "\n" not in caught.value.message
    assert {one for one in repo.root.rglob("*") if "sqlite" not in one.name} == before
    return caught.value


@pytest.mark.parametrize("transfer", ["copy", "link", "direct"])
def test_a_product_comes_in_with_its_origin(strict_repo: Any, tmp_path: Path, transfer: str) -> None:
    path = matrix_file(tmp_path / "made.fits")
    effect = strict_repo.do(ingest(path, detector=0, transfer=transfer))
    with strict_repo.context.unit_of_work() as uow:
        (one,) = uow.datasets.in_run(uow.collections.get(RUN))
    assert (one.dataset_type, one.data_key, one.origin) == (KIND, "detector=0 instrument=LATISS", "imported")
    assert one.provenance["made_elsewhere"] == str(path)
    assert strict_repo.context.absolute(one.path).read_bytes() == path.read_bytes()
    assert (one.path == str(path)) == (transfer == "direct")
    assert "butler ingest-files" in effect.native[-1]
    again = strict_repo.do(ingest(path, detector=0, transfer=transfer))
    assert (again.state, again.data["is_same"]) == (None, True)


def test_text_is_kept_as_the_butler_reads_it(strict_repo: Any, tmp_path: Path) -> None:
    path = matrix_file(tmp_path / "made.ecsv")
    for transfer in ("link", "direct"):
        problem = refusal(strict_repo, ingest(path, transfer=transfer))
        assert (problem.code, "--transfer copy" in problem.hint) == ("E-CALIBFILE", True)
    strict_repo.do(ingest(path))
    with strict_repo.context.unit_of_work() as uow:
        (one,) = uow.datasets.in_run(uow.collections.get(RUN))
    kept = strict_repo.context.absolute(one.path)
    assert kept.suffix == ".fits"
    assert table_checksums(kept).content_sha256 == table_checksums(path).content_sha256 == one.content_sha256
    assert strict_repo.do(ingest(path)).data["is_same"]


def test_it_is_undone_with_its_run_and_certified(strict_repo: Any, tmp_path: Path) -> None:
    path = matrix_file(tmp_path / "made.fits")
    effect = strict_repo.do(ingest(path))
    assert effect.inverse == (f"cabstand undo {effect.state}",)
    strict_repo.do(Undo())
    with strict_repo.context.unit_of_work() as uow:
        assert uow.collections.find(RUN) is None
    strict_repo.do(Redo())
    with strict_repo.context.unit_of_work() as uow:
        assert len(uow.datasets.in_run(uow.collections.get(RUN))) == 1


def test_more_files_into_a_run_cannot_be_undone_but_go_in(comcam_repo: Any, tmp_path: Path) -> None:
    run = RUN.replace("LATISS", "LSSTComCam")
    paths = [matrix_file(tmp_path / f"{n}.fits", detector=n, instrument="LSSTComCam") for n in range(3)]
    assert len(comcam_repo.do(ingest(*paths[:2], run=run)).data["datasets"]) == 2
    effect = comcam_repo.do(ingest(*paths, run=run))
    assert (len(effect.data["datasets"]), effect.data["known"], effect.inverse) == (1, 2, ())
    with pytest.raises(CabstandError, match="brought 1 datasets"):
        comcam_repo.do(Undo(state=effect.state))


def test_what_the_file_says_must_fit(strict_repo: Any, tmp_path: Path) -> None:
    def path(name: str, **more: Any) -> Path:
        return matrix_file(tmp_path / name, **more)

    strict_repo.do(ingest(path("first.fits"), run=f"{RUN}0"))
    cases = [
        (ingest(path("a.fits", instrument="LSSTCam")), "INSTRUME is LSSTCam, not LATISS"),
        (ingest(path("b.fits", detector=3), detector=0), "DETECTOR is 3, not 0"),
        (ingest(path("c.fits", obstype="PTC")), "OBSTYPE is PTC"),
        (ingest(path("d.fits", cls="lsst.ip.isr.Linearizer")), "CALIBCLS is lsst.ip.isr.Linearizer"),
        (ingest(path("e.fits"), path("f.fits"), detector=0), "2 files are given"),
        (ingest(path("g.fits"), physical_filter="r"), "has no filter"),
    ]
    for command, words in cases:
        problem = refusal(strict_repo, command)
        assert (problem.code, words in problem.message) == ("E-CALIBFILE", True), problem
    assert refusal(strict_repo, ingest(path("h.fits", detector=9))).code == "E-DETECTOR"
    assert refusal(strict_repo, ingest(path("i.fits"), path("j.fits"))).code == "E-RUNEXISTS"
    assert refusal(strict_repo, ingest(tmp_path / "none.fits")).code == "E-READ"
    assert refusal(strict_repo, ingest(path("k.fits"), dataset_type="electroBf")).code == "E-DATASETTYPE"
    assert refusal(strict_repo, ingest(path("l.fits"), dataset_type="raw")).code == "E-DATASETTYPE"
    assert refusal(strict_repo, ingest(path("m.fits"), run="LATISS/calib")).code == "E-COLLECTIONTYPE"


def test_nothing_is_replaced(strict_repo: Any, tmp_path: Path) -> None:
    strict_repo.do(ingest(matrix_file(tmp_path / "one.fits")))
    other = ingest(matrix_file(tmp_path / "two.fits", value=2e-6))
    assert refusal(strict_repo, other).code == "E-RUNEXISTS"
    strict_repo.do(Undo())
    assert refusal(strict_repo, other).code == "E-RUNEXISTS"


def test_images_per_filter(strict_repo: Any, tmp_path: Path) -> None:
    cards = {"INSTRUME": "LATISS", "DETECTOR": 0, "FILTER": "SDSSr_65mm~empty", "LSST ISR UNITS": "adu"}
    path = tmp_path / "illumination.fits"
    write_image(path, np.ones((4, 5), np.float32), cards=cards)
    effect = strict_repo.do(ingest(path, dataset_type="illuminationCorrection", physical_filter="SDSSr_65mm~empty"))
    assert effect.data["datasets"][0]["data_id"].endswith("physical_filter=SDSSr_65mm~empty")
    with strict_repo.context.unit_of_work() as uow:
        (one,) = uow.datasets.in_run(uow.collections.get(RUN))
        assert (one.unit, one.physical_filter) == ("adu", "SDSSr_65mm~empty")
    other = ingest(path, dataset_type="illuminationCorrection", physical_filter="g", run=f"{RUN}2")
    assert "FILTER is SDSSr_65mm~empty, not g" in refusal(strict_repo, other).message
    path.write_bytes(path.read_bytes()[:2880])
    assert refusal(strict_repo, ingest(path, dataset_type="illuminationCorrection", run=f"{RUN}2")).code


def test_a_product_of_the_whole_instrument(strict_repo: Any, tmp_path: Path) -> None:
    path = matrix_file(tmp_path / "pd.fits", obstype="PHOTODIODE_CORRECTION", cls="lsst.ip.isr.PhotodiodeCorrection")
    effect = strict_repo.do(ingest(path, dataset_type="pdCorrection"))
    assert effect.data["datasets"][0]["data_id"] == "instrument=LATISS"
    problem = refusal(strict_repo, ingest(path, dataset_type="pdCorrection", detector=0))
    assert "has no detector" in problem.message


def test_a_type_of_the_sites_own(loose_repo: Any, tmp_path: Path) -> None:
    loose_repo.do(
        RegisterDatasetType(
            name="glow", storage_class="IsrCalib", dimensions=("instrument", "detector"), is_calibration=True
        )
    )
    path = matrix_file(tmp_path / "glow.fits", obstype="glow", cls="site.Glow")
    loose_repo.do(ingest(path, dataset_type="glow"))
    loose_repo.do(
        CertifyCalibrations(run=RUN, collection="LATISS/calib/glow", dataset_type="glow", begin_date="20250401")
    )
