"""What the batch system is told: whole, no variable missing, without the faults of the published templates."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from calibstore.errors import UserInputError
from calibstore.model.campaign_records import CampaignRecord
from calibstore.model.where import parse_where
from calibstore.services.native_campaign import environment_variables, selection_variable
from calibstore.sites.bps_folder import BUILDS, SETUP, VERIFICATIONS, BpsTemplate, environment_file, render

CAMPAIGN = CampaignRecord(ticket="DM-48520", instrument="LSSTCam", tag="DP1", calib_types=("bias",))
EVERY = [*BUILDS.values(), *VERIFICATIONS.values()]
BANDED = ("flat", "flat_anaglyph", "flat_gradient_reference", "verify_flat")


def band_of(template: BpsTemplate) -> str:
    return "g" if template.name in BANDED else ""


def variables_of(template: BpsTemplate, **more: str) -> dict[str, str]:
    found = environment_variables(CAMPAIGN, "/repo/main", rerun="20250207a", run_number=2) | {"SCRATCH": "/scratch/sub"}
    if template.selection:
        found[template.variable(band_of(template))] = "instrument='LSSTCam' and exposure.day_obs=20250207"
    return found | more


def rendered(template: BpsTemplate, **more: str) -> dict:
    text = render(template.text(band_of(template)), variables_of(template, **more))
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= set(SETUP)
    return dict(yaml.safe_load(text))


@pytest.mark.parametrize("template", EVERY, ids=lambda one: one.name)
def test_every_template_renders_whole(template: BpsTemplate) -> None:
    content = rendered(template)
    payload = content["payload"]
    assert content["project"] == content["campaign"] == "DM-48520"
    assert payload["butlerConfig"] == "/repo/main"
    assert payload["output"].startswith("LSSTCam/calib/DM-48520/DP1/")
    assert payload["output"].endswith(".20250207a")
    assert "LSSTCam/raw/all" in payload["inCollection"].split(",")
    assert payload["dataQuery"].startswith("instrument='LSSTCam'")
    if band_of(template):
        assert payload["dataQuery"].endswith(" and band='g'")
        assert payload["payloadName"] == f"LSSTCam_DM-48520_{template.name}_g"
        assert "-g." in payload["output"]


def test_a_bootstrap_names_its_run_by_number_and_reads_the_ones_before() -> None:
    payload = rendered(BUILDS["flatBootstrap"])["payload"]
    assert payload["outputRun"] == "{output}/run2"
    base = "LSSTCam/calib/DM-48520/DP1"
    assert payload["inCollection"].split(",")[:2] == [
        f"{base}/biasBootstrapGen.20250207a/run2",
        f"{base}/darkBootstrapGen.20250207a/run2",
    ]


def test_a_variable_that_is_missing_or_empty_is_refused() -> None:
    template = BUILDS["bias"]
    variables = variables_of(template)
    del variables["SELECTION_BIAS"]
    with pytest.raises(UserInputError, match="not set: SELECTION_BIAS") as caught:
        render(template.text(), variables)
    assert caught.value.code == "E-VARIABLE"
    with pytest.raises(UserInputError, match="empty: TAG"):
        render(template.text(), variables_of(template, TAG=""))
    assert rendered(template, USER_CALIB_PREFIX="")["payload"]["output"].startswith("LSSTCam/")
    assert rendered(template, USER_CALIB_PREFIX="u/jane/")["payload"]["output"].startswith("u/jane/LSSTCam/")


def test_the_environment_file_exports_all_and_stops_where_the_software_is_not_set_up(tmp_path: Path) -> None:
    path = tmp_path / "environment.sh"
    given = {"SELECTION_BIAS": "instrument='LATISS' and exposure.science_program in ('a', \"b\")", "TAG": "x y"}
    path.write_text(environment_file(given))

    def shell(line: str, **setup: str) -> subprocess.CompletedProcess[str]:
        words = ["sh", "-c", f". {shlex.quote(str(path))}; {line}"]
        return subprocess.run(
            words, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **setup}, check=False
        )

    told = shell("sh -c 'echo \"$SELECTION_BIAS|$TAG\"'", CP_PIPE_DIR="/a", CP_VERIFY_DIR="/b")
    assert told.stdout == f"{given['SELECTION_BIAS']}|x y\n"
    stopped = shell("echo reached", CP_VERIFY_DIR="/b")
    assert stopped.returncode != 0
    assert "reached" not in stopped.stdout
    assert "CP_PIPE_DIR: is not set: setup cp_pipe" in stopped.stderr


# The published templates' faults (generation.md 12), each stated here so that none comes in.


def test_upstream_defect_2_crosstalk_is_submitted_under_its_own_run_and_name() -> None:
    for template in EVERY:
        content = rendered(template)
        assert content["submitPath"] == "/scratch/sub/submit/{outputRun}"
        for label, cluster in content.get("cluster", {}).items():
            assert label.startswith(template.pipeline)
            assert cluster["pipetasks"].startswith(template.pipeline)
    assert "bias" not in str(rendered(BUILDS["crosstalk"])["cluster"]).lower()


def test_upstream_defect_3_the_distortion_matrix_has_the_selection_that_is_documented() -> None:
    assert BUILDS["electroBfDistortionMatrix"].variable() == BUILDS["bfk"].variable() == "SELECTION_PTC_BFK"
    # The published template reads another name, so the native line must set that one.
    assert selection_variable("electroBfDistortionMatrix") == "SELECTION_PTC_BF"


def test_upstream_defect_4_gain_correction_has_the_selection_that_is_documented() -> None:
    assert BUILDS["gain_correction"].variable() == "SELECTION_GAIN_CORRECTION"
    assert selection_variable("gain_correction") == "SELECTION_GAIN_CORRECTION_FLAT"


def test_upstream_defect_5_every_verification_goes_to_its_own_rerun() -> None:
    for template in VERIFICATIONS.values():
        output = rendered(template, VERIFY_RERUN="20250209c")["payload"]["output"]
        assert output.endswith(".20250209c"), template.name


def test_upstream_defect_6_later_steps_read_the_chain_of_the_ticket() -> None:
    for template in EVERY:
        inputs = rendered(template)["payload"]["inCollection"].split(",")
        assert CAMPAIGN.names.ticket_chain in inputs, template.name  # itself, or as one of CALIB_COLLECTIONS
        assert "LSSTCam/calib/DM-48520/DP1" not in inputs


def test_upstream_defect_7_no_template_reads_a_variable_that_nobody_names() -> None:
    for template in EVERY:
        known = set(environment_variables(CAMPAIGN, "/repo/main", rerun="20250207a")) | {"SCRATCH", *SETUP}
        known |= {template.variable(band_of(template))}
        assert set(re.findall(r"\$\{(\w+)\}", template.text(band_of(template)))) <= known, template.name
    assert "submitPath" in rendered(VERIFICATIONS["defects"])


def test_upstream_defect_8_reruns_are_of_one_day_and_a_doubled_and_is_refused() -> None:
    variables = environment_variables(CAMPAIGN, "/repo/main", rerun="20250207a")
    assert variables["VERIFY_RERUN"] == variables["CERT_RERUN"] == variables["RERUN"]
    with pytest.raises(UserInputError):
        parse_where("instrument='LSSTCam' and and exposure.day_obs=20250207")
