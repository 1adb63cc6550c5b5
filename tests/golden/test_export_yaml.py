"""The export file of a simulated bias, line by line."""

from pathlib import Path
from typing import Any

from calibstore.commands.sites import ExportCalibs

BASE = "LSSTComCam/calib/DM-1"
EXPECTED = """\
description: Butler Data Repository Export
version: 1.0.2
universe_version: 8
universe_namespace: daf_butler
data:
- type: dimension
  element: instrument
  records:
  - name: LSSTComCam
    visit_max: 6050123199999
    visit_system: 2
    exposure_max: 6050123199999
    detector_max: 9
    class_name: lsst.obs.lsst.LsstComCam
- type: dimension
  element: detector
  records:
  - instrument: LSSTComCam
    id: 0
    full_name: R22_S00
    name_in_raft: S00
    raft: R22
    purpose: SCIENCE
- type: collection
  collection_type: CALIBRATION
  name: LSSTComCam/calib/DM-1/t/bias.20250101a
- type: collection
  collection_type: RUN
  name: LSSTComCam/calib/DM-1/t/biasGen.20250101a
  host: null
  timespan_begin: null
  timespan_end: null
- type: collection
  collection_type: CHAINED
  name: LSSTComCam/calib/DM-1
  children:
  - LSSTComCam/calib/DM-1/t/bias.20250101a
- type: dataset_type
  name: bias
  dimensions:
  - instrument
  - detector
  storage_class: ExposureF
  is_calibration: true
- type: dataset
  dataset_type: bias
  run: LSSTComCam/calib/DM-1/t/biasGen.20250101a
  records:
  - dataset_id:
    - !uuid '3d4a9d8a-0000-0000-0000-000000000000'
    data_id:
    - instrument: LSSTComCam
      detector: 0
    path: LSSTComCam/calib/DM-1/t/biasGen.20250101a/bias/bias_LSSTComCam_R22_S00_LSSTComCam_calib_DM-1_t_biasGen_20250101a.fits
    formatter: lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter
- type: associations
  collection: LSSTComCam/calib/DM-1/t/bias.20250101a
  collection_type: CALIBRATION
  validity_ranges:
  - timespan: !lsst.daf.butler.Timespan
      begin: !butler_time/tai/iso '2024-12-31 12:00:00.000000000'
      end: null
    dataset_ids:
    - !uuid '3d4a9d8a-0000-0000-0000-000000000000'
"""  # noqa: E501  a path is one line


def test_export_file(make_repo: Any, real_product: Any, tmp_path: Path) -> None:
    repo = make_repo(camera="LSSTComCam:mini", kind="test")
    record = real_product(repo, f"{BASE}/t/biasGen.20250101a")
    repo.certify(f"{BASE}/t/biasGen.20250101a", f"{BASE}/t/bias.20250101a", "20241231")
    repo.do(ExportCalibs(directory=str(tmp_path / "bundle"), collections=(BASE,)))
    written = (tmp_path / "bundle" / "export.yaml").read_text(encoding="utf-8")
    assert written == EXPECTED.replace("3d4a9d8a-0000-0000-0000-000000000000", record.id)
