"""What can never win: small worlds, and the tree of a real camera with ranges from its dates."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.views import Shadowed
from calibstore.errors import NotFoundError
from tests.support.rows import put_certified, span

TOP = "LATISS/calib"


def report(repo: Any, **asked: Any) -> dict[str, Any]:
    (found,) = repo.ask(Shadowed(**asked)).data["through"]
    return dict(found)


def test_fully_covered_by_two_together_is_dead(strict_repo: Any) -> None:
    put_certified(strict_repo, "early", "2024-01-01", "2024-06-01")
    put_certified(strict_repo, "late", "2024-06-01")
    put_certified(strict_repo, "hidden", "2024-03-01", "2024-09-01")
    put_certified(strict_repo, "shown", "2023-12-31", "2024-02-01")
    strict_repo.add_chain(TOP, ["early", "late", "hidden", "shown"])
    found = report(strict_repo)
    assert found["dead_collections"] == ["hidden"]
    (dead,) = found["dead"]
    assert dead["covered_by"] == ["early", "late"]
    assert (dead["begin_tai_ns"], dead["end_tai_ns"]) == (
        span("2024-03-01", "2024-09-01").begin_tai_ns,
        span("2024-03-01", "2024-09-01").end_tai_ns,
    )
    partly = {one["name"]: one["partly_shadowed"] for one in found["collections"]}
    assert partly == {"early": 0, "late": 0, "hidden": 0, "shown": 1}


def test_one_nanosecond_left_free_is_not_dead(strict_repo: Any) -> None:
    put_certified(strict_repo, "front", "2024-01-01T00:00:00.000000001")
    put_certified(strict_repo, "behind", "2024-01-01")
    strict_repo.add_chain(TOP, ["front", "behind"])
    assert report(strict_repo)["dead_collections"] == []


def test_text_names_chains_and_the_line_that_would_take_them_out(strict_repo: Any) -> None:
    put_certified(strict_repo, "new", "2024-01-01")
    put_certified(strict_repo, "old", "2024-02-01")
    strict_repo.add_chain("ticket", ["old"])
    strict_repo.add_chain(TOP, ["new", "ticket"])
    assert strict_repo.ask(Shadowed()).lines == (
        "through LATISS/calib: 1 of 2 entries can never win",
        "",
        "Whole collections in which nothing can win:",
        "  old",
        "    bias, detector 0, [2024-02-01, ∞)",
        "      covered by new",
        "",
        "Chains of which nothing can win:",
        "  ticket",
        "",
        "Taking these out would change no answer; see for yourself:",
        "  cabstand whatif collection-chain LATISS/calib ticket --mode remove",
    )


def test_nothing_shadowed_says_so(strict_repo: Any) -> None:
    put_certified(strict_repo, "only", "2024-01-01")
    strict_repo.add_chain(TOP, ["only"])
    assert strict_repo.ask(Shadowed()).lines == ("through LATISS/calib: its one entry is the answer at some time",)
    strict_repo.add_chain(TOP, [])
    assert strict_repo.ask(Shadowed()).lines == ("through LATISS/calib: nothing is certified",)


def test_names_and_states_are_checked(strict_repo: Any) -> None:
    for command, code in (
        (Shadowed(collection="LATISS/clib"), "E-COLLECTION"),
        (Shadowed(dataset_type="bais"), "E-DATASETTYPE"),
        (Shadowed(at_state=99), "E-STATE"),
    ):
        with pytest.raises(NotFoundError) as caught:
            strict_repo.ask(command)
        assert caught.value.code == code


def chains_file() -> Path:
    folder = os.environ.get("CABSTAND_REALDATA", "")
    if not folder:
        pytest.skip("CABSTAND_REALDATA is not set; CABSTAND_REALDATA=/path/to/shared/data pytest -m realdata")
    return Path(folder) / "chains" / "lsstcomcam_dp1_defaults.txt"


FILTERS = {"u": "u_02", "g": "g_01", "r": "r_03", "i": "i_06", "z": "z_03", "y": "y_04"}
_LEAF = re.compile(r"(?P<type>[a-zA-Z]+)(?:-(?P<band>[a-z]+))?\.(?P<date>\d{8})[a-z]")


@pytest.mark.realdata
def test_shadow_report_of_a_real_camera_is_right(make_repo: Any) -> None:
    """Each CALIBRATION collection is valid from the date in its name on, for nine detectors.

    By hand: newer tickets come first, so every older one keeps the time before them. Only ``flat-all.20241112a`` of
    DM-47498 stands last and is not the oldest. Its filters u (covered from 2024-11-10 on by DM-47499), g, r and i
    (from 2024-11-07 on by DM-47447, g and r also from 2024-11-13 on) are dead; z (next: 2024-11-13, DM-47547) and
    y (next: 2024-11-20, DM-47741) still win for a day and for eight.
    """
    from tests.support.chain_trees import load_chain_tree

    repo = make_repo(camera="LSSTComCam:mini", kind="test", name="comcam")
    tree = load_chain_tree(repo, chains_file())
    for name, type_ in tree.types.items():
        leaf = _LEAF.fullmatch(name.rsplit("/", maxsplit=1)[-1])
        if type_ != "CALIBRATION" or leaf is None or not name.startswith("LSSTComCam/calib/"):
            continue
        bands = {"all": list(FILTERS.values()), None: [""]}.get(leaf["band"]) or [FILTERS[leaf["band"]]]
        date = f"{leaf['date'][:4]}-{leaf['date'][4:6]}-{leaf['date'][6:]}"
        for band in bands:
            put_certified(repo, name, date, dataset_type=leaf["type"], detectors=range(9), physical_filter=band)
    found = report(repo, collection=tree.root)
    fallback = "LSSTComCam/calib/DM-47498/fallbackFlats/flat-all.20241112a"
    assert found["dead_collections"] == []
    assert found["dead_chains"] == []
    assert {one["collection"] for one in found["dead"]} == {fallback}
    dead = {key.split("physical_filter=")[1]: one["covered_by"] for one in found["dead"] for key in one["data_ids"]}
    assert set(dead) == {FILTERS[band] for band in "ugri"}
    assert sum(len(one["data_ids"]) for one in found["dead"]) == found["dead_entries"] == 36
    calib = "LSSTComCam/calib"
    assert dead[FILTERS["u"]] == [
        f"{calib}/DM-48520/DP1/flat-u.20250207a",
        f"{calib}/DM-47499/twiflat/flat-u.20241110a",
    ]
    assert dead[FILTERS["i"]] == [
        f"{calib}/DM-48520/DP1/flat-i.20250207a",
        f"{calib}/DM-47447/gainFixup/flat-i.20241107a",
    ]
    assert dead[FILTERS["g"]] == [
        f"{calib}/DM-48520/DP1/flat-g.20250207a",
        f"{calib}/DM-47547/twiflat/flat-g.20241113a",
        f"{calib}/DM-47447/gainFixup/flat-g.20241107a",
    ]
    partly = {one["name"]: one["partly_shadowed"] for one in found["collections"] if one["partly_shadowed"]}
    assert partly[fallback] == 18
    # Shadowed from the next ticket on: all but the newest of each type and filter.
    newest = {name for name in partly if "/DM-48520/" in name}
    assert newest == set()
    assert partly[f"{calib}/DM-47365/addManualDefects/defects.20241211a"] == 9
    assert partly[f"{calib}/DM-46360/isrTaskLSST/ptc.20240926a"] == 9
    assert f"{calib}/DM-47447/gainFixup/ptc.20241107a" not in partly
    assert f"{calib}/DM-46360/isrTaskLSST/linearizer.20240926a" not in partly
