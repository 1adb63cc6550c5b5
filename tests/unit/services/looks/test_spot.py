"""The spot check's data: which frames and which amplifiers are unlike the others, and where not ok leads."""

from typing import Any

import pytest

from calibstore.errors import WorkflowError
from calibstore.services.looks.spot import spot_look

TICKET = "DM-48520"


def test_it_names_what_is_unlike_the_others(campaign: Any) -> None:
    campaign.choose()
    bad = campaign.build[3]
    amplifiers = {f"C{n:02d}": {"median": 1.0 + 0.01 * n, "half_width_16_84": 6.0} for n in range(7)}
    amplifiers["C07"] = {"median": 9.0, "half_width_16_84": 6.0}
    campaign.reruns = 1
    campaign.repo.add_run(
        campaign.run,
        [0],
        provenance={
            "amplifiers": amplifiers,
            "frames_apart": [{"exposure": bad, "mean_adu": 19.2, "median_adu": 3.5}],
            "n_inputs": 8,
        },
    )
    found = spot_look(campaign.repo.context, TICKET, "bias")
    assert [one.name for one in found.detectors[0].amplifiers if one.is_apart] == ["C07"]
    assert [(one.number, one.apart) for one in found.exposures if one.is_apart] == [
        (4, "mean 19.2 adu, the others 3.5")
    ]
    assert found.next_run.endswith("biasGen.20250601b")
    assert found.said_before == ""


def test_before_anything_is_built_it_says_what_to_build(campaign: Any) -> None:
    campaign.choose()
    with pytest.raises(WorkflowError) as caught:
        spot_look(campaign.repo.context, TICKET, "bias")
    assert caught.value.hint == f"cabstand generate bias {TICKET}"
