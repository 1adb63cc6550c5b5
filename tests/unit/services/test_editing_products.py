"""Text products edited: a draft that survives, a strict reading, a diff, and a new dataset beside the old one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibstore.commands.campaigns import CampaignNew
from calibstore.commands.collections import RegisterCollection
from calibstore.commands.curated import EditProduct, IngestFiles, ShowProduct, WriteCuratedCalibrations
from calibstore.commands.generation import Generate
from calibstore.commands.lines import read_line
from calibstore.commands.states import Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain
from calibstore.datastore.calib_tables import read_calib_tables, write_calib_tables
from calibstore.errors import CabstandError
from calibstore.pipelines.defects_dataset import read_defects, to_tables
from calibstore.services.editing_products import begin_draft
from calibstore.services.showing_products import find_product
from tests.support.curated_files import boxes_text, latiss_tree, put

WHY = "a hot column since the warm-up"


@pytest.fixture
def repo(loose_repo: Any, tmp_path: Path) -> Any:
    """A repository with curated defects and crosstalk in use, and a campaign."""
    tree = latiss_tree(tmp_path / "package")
    put(tree, "manual_defects/rxx_s00/19700101T000000.ecsv", boxes_text((3, 3, 2, 2), obstype="manual_defects"))
    loose_repo.do(WriteCuratedCalibrations(instrument="LATISS", folder=str(tree), label="DM-7"))
    loose_repo.do(CollectionChain(parent="LATISS/calib", children=("LATISS/calib/DM-7",), mode="prepend"))
    loose_repo.do(CampaignNew(instrument="LATISS", ticket="DM-1", tag="first"))
    return loose_repo


def edit(**more: Any) -> EditProduct:
    return EditProduct(**({"product": "defects", "detector": 0, "ticket": "DM-1"} | more))


def changed(repo: Any, spoil: Any, **more: Any) -> EditProduct:
    """Begin a draft, change its text, and return the command that takes it."""
    path = begin_draft(edit(**more), repo.context)
    path.write_text(spoil(path.read_text(encoding="utf-8")), encoding="utf-8")
    return edit(**more, from_=str(path))


def test_an_edit_is_a_new_dataset_with_its_origin(repo: Any) -> None:
    command = changed(repo, lambda text: text.replace("10 20 1 30\n", "") + "7 8 9 10\n")
    told = repo.do(command, dry_run=True)
    assert ("+ x0=7 y0=8 width=9 height=10" in told.lines, "- x0=10 y0=20 width=1 height=30" in told.lines) == (
        True, True,
    )  # fmt: skip
    effect = repo.do(command, reason=WHY)
    assert effect.summary == told.summary
    run = effect.data["run"]
    assert run == "LATISS/calib/DM-1/first/defectGen.20250531a"
    with repo.context.unit_of_work() as uow:
        new = uow.datasets.get(str(effect.data["dataset"]))
        old = uow.datasets.get(str(effect.data["edited_from"]))
        assert uow.datasets.inputs(new.id) == ((old.id, "defects"),)
    assert {key: new.provenance[key] for key in ("edited_from", "edited_by", "edit_reason")} == {
        "edited_from": old.id, "edited_by": "ada", "edit_reason": WHY,
    }  # fmt: skip
    content = read_calib_tables(repo.context.absolute(new.path))
    assert content.calib_class == "lsst.ip.isr.defects.Defects"
    assert content.tables[0].columns["x0"].tolist() == [1, 7]
    assert (content.metadata["CAB EDITED FROM"], content.metadata["CAB EDIT REASON"]) == (old.id, WHY)
    before = read_calib_tables(repo.context.absolute(old.path)).tables[0].columns["x0"].tolist()
    assert before == [1, 10]
    assert not Path(command.from_).exists()
    certified = "LATISS/calib/DM-1/first/defects.20250531a"
    assert effect.next == (f"cabstand certify-calibrations {run} {certified} defects --begin-date TIME",)
    repo.do(CertifyCalibrations(run=run, collection=certified, dataset_type="defects", begin_date="20250401"))
    repo.do(Undo())
    repo.do(Undo(state=effect.state))
    with repo.context.unit_of_work() as uow:
        assert uow.collections.find(run) is None


def test_a_bad_line_keeps_the_draft(repo: Any) -> None:
    command = changed(repo, lambda text: text + "7 8 nine 10\n")
    for dry_run in (True, False):
        with pytest.raises(CabstandError) as caught:
            repo.do(command, dry_run=dry_run, reason=WHY)
        assert caught.value.code == "E-EDIT"
        assert f"{command.from_}:" in caught.value.message
        assert "width=nine" in caught.value.message
        assert caught.value.hint.endswith("cabstand edit-product defects 0 --ticket DM-1 --resume")
    with pytest.raises(CabstandError, match="is kept") as caught:
        begin_draft(edit(), repo.context)
    assert (caught.value.code, "--resume" in caught.value.hint) == ("E-DRAFT", True)
    path = begin_draft(edit(resume=True), repo.context)
    assert path.read_text(encoding="utf-8").endswith("7 8 nine 10\n")
    path.write_text(path.read_text(encoding="utf-8").replace("nine", "9"), encoding="utf-8")
    assert repo.do(edit(from_=str(path)), reason=WHY).data["added"] == ["x0=7 y0=8 width=9 height=10"]
    with pytest.raises(CabstandError) as caught:
        begin_draft(edit(resume=True), repo.context)
    assert caught.value.code == "E-DRAFT"


def test_no_change_makes_nothing(repo: Any) -> None:
    command = changed(repo, lambda text: text)
    effect = repo.do(command, reason=WHY)
    assert (effect.state, effect.data["is_same"]) == (None, True)
    assert not Path(command.from_).exists()


def test_a_reason_a_campaign_and_a_text_are_wanted(repo: Any) -> None:
    command = changed(repo, lambda text: text + "7 8 9 10\n")
    codes = {}
    for name, wrong, told in (
        ("reason", command, {}),
        ("text", edit(), {"reason": WHY}),
        ("ticket", edit(from_=command.from_, ticket="DM-99"), {"reason": WHY}),
        ("file", edit(from_="/none"), {"reason": WHY}),
        ("type", edit(from_=command.from_, product="defect"), {"reason": WHY}),
        ("detector", edit(from_=command.from_, detector=None), {"reason": WHY}),
        ("number", edit(from_=command.from_, detector=7), {"reason": WHY}),
        ("none", edit(from_=command.from_, product="bias"), {"reason": WHY}),
    ):
        with pytest.raises(CabstandError) as caught:
            repo.do(wrong, **told)
        assert caught.value.hint, name
        codes[name] = caught.value.code
    assert codes == {
        "reason": "E-REASON", "text": "E-EDIT", "ticket": "E-CAMPAIGN", "file": "E-READ", "type": "E-DATASETTYPE",
        "detector": "E-DETECTOR", "number": "E-DETECTOR", "none": "E-NODATASETS",
    }  # fmt: skip


def test_a_second_edit_takes_the_next_letter_and_types_without_a_name_too(repo: Any) -> None:
    first = repo.do(changed(repo, lambda text: text + "7 8 9 10\n"), reason=WHY)
    second = repo.do(changed(repo, lambda text: text + "7 8 9 11\n"), reason=WHY)
    assert str(second.data["run"]) == str(first.data["run"])[:-1] + "b"
    runs = [
        repo.do(changed(repo, lambda text, n=n: text + f"7 8 9 {n}\n", product="manual_defects"), reason=WHY).data[
            "run"
        ]
        for n in (10, 11)
    ]
    assert [str(run)[-9:] for run in runs] == ["20250531a", "20250531b"]


def test_by_uuid_and_from_a_file_of_a_script(repo: Any, tmp_path: Path) -> None:
    with repo.context.unit_of_work() as uow:
        (old,) = uow.datasets.in_run(uow.collections.get("LATISS/calib/DM-7/curated/20180101T000000Z"))
    path = put(tmp_path, "new.ecsv", boxes_text((1, 2, 3, 4)))
    effect = repo.do(edit(product=old.id, detector=None, from_=str(path)), reason=WHY)
    assert effect.data["removed"] == ["x0=10 y0=20 width=1 height=30"]
    assert path.exists()


def test_products_are_shown_in_eighty_columns(repo: Any) -> None:
    answer = repo.ask(ShowProduct(product="defects", detector=0))
    assert answer.data["rows"] == [
        {"x0": 1, "y0": 2, "width": 3, "height": 4}, {"x0": 10, "y0": 20, "width": 1, "height": 30},
    ]  # fmt: skip
    assert " 1  2     3      4" in answer.lines
    coefficients = repo.ask(ShowProduct(product="crosstalk", detector=0, limit=5))
    assert len(coefficients.data["rows"]) == 256
    assert coefficients.data["rows"][1]["CT_COEFFS"] == pytest.approx(2e-4)
    told = [line.split() for line in coefficients.lines]
    at = next(number for number, words in enumerate(told) if words[:2] == ["C10", "C11"])
    # Injected is 1e-4 times one more than the number of the pair: 255 is the last but one.
    assert "in 1e-4" in coefficients.lines[at - 2]
    assert told[at + 1] == ["C10", ".", *(str(number) for number in range(2, 17))]
    assert told[at + 16] == [told[at][-1], *(str(number) for number in range(241, 256)), "."]
    assert len(told) == at + 17
    assert max(map(len, (*answer.lines, *coefficients.lines))) <= 80
    shown = repo.ask(ShowProduct(product=str(answer.data["id"])))
    assert shown.data["id"] == answer.data["id"]
    with pytest.raises(CabstandError):
        repo.ask(ShowProduct(product="defects", detector=0, limit=0))


def test_a_product_is_named_by_the_first_digits_of_its_uuid(repo: Any) -> None:
    whole = str(repo.ask(ShowProduct(product="defects", detector=0)).data["id"])
    for prefix in (whole[:8], whole[:6].upper(), whole[:20]):
        assert repo.ask(ShowProduct(product=prefix)).data["id"] == whole
    assert begin_draft(edit(product=whole[:8], detector=None), repo.context).name == f"defects-{whole}.ecsv"
    for wrong in (whole[:5], "000000"):
        with pytest.raises(CabstandError) as caught:
            repo.ask(ShowProduct(product=wrong))
        assert caught.value.code == "E-DATASETTYPE"


def test_digits_that_several_uuids_begin_with_are_refused_with_the_list(repo: Any) -> None:
    with repo.context.unit_of_work() as uow:
        one = find_product(uow, repo.context, ShowProduct(product="defects", detector=0))
    twins = tuple(
        replace(one, id=f"abcdef12-0000-5000-8000-00000000000{n}", dataset_type=name)
        for n, name in enumerate(("crosstalk", "manual_defects"))
    )
    repo.write(lambda uow, state: uow.datasets.insert(uow.collections.get(one.run), twins, state=state))
    with pytest.raises(CabstandError) as caught:
        repo.ask(ShowProduct(product="abcdef"))
    assert all(twin.id in caught.value.message for twin in twins)
    assert caught.value.hint == "give more digits"
    with repo.context.unit_of_work() as uow:
        assert find_product(uow, repo.context, ShowProduct(product=twins[1].id[:36])).id == twins[1].id


def test_what_there_is_none_of_yet_says_how_to_have_it(loose_repo: Any) -> None:
    with pytest.raises(CabstandError) as caught:
        loose_repo.ask(ShowProduct(product="defects", detector=0))
    assert (caught.value.code, caught.value.message) == ("E-NODATASETS", "there is no defects yet")
    lines = [text.partition(": ")[2] for text in caught.value.hint.split("; ")]
    assert [read_line(line).cls for line in lines] == [Generate, WriteCuratedCalibrations]
    with pytest.raises(CabstandError) as caught:
        loose_repo.ask(ShowProduct(product="electroBfDistortionMatrix", detector=0))
    assert read_line(caught.value.hint.partition(": ")[2]).cls is IngestFiles


def test_what_is_not_in_use_is_asked_for_by_the_collection_that_holds_it(loose_repo: Any, tmp_path: Path) -> None:
    tree = latiss_tree(tmp_path / "package")
    loose_repo.do(WriteCuratedCalibrations(instrument="LATISS", folder=str(tree), label="DM-7"))
    with pytest.raises(CabstandError) as caught:
        loose_repo.ask(ShowProduct(product="defects", detector=0))
    assert caught.value.code == "E-NODATASETS"
    line, _, other = caught.value.hint.partition("; or ")
    asked = read_line(line).build()
    assert asked == ShowProduct(product="defects", detector=0, collection="LATISS/calib/DM-7")
    assert "query-datasets defects" in other
    assert len(loose_repo.ask(asked).data["rows"]) == 2
    with pytest.raises(CabstandError) as caught:
        loose_repo.ask(ShowProduct(product="defects", detector=0, collection="LATISS/calib/DM-8"))
    assert "DM-7" in caught.value.hint


def test_what_is_no_table_is_not_edited(repo: Any) -> None:
    repo.do(RegisterCollection(name="u/ada/x", type="chained"))
    (bias,) = repo.add_run("LATISS/calib/DM-1/first/biasGen.20250501a", [0])
    with pytest.raises(CabstandError) as caught:
        begin_draft(edit(product=bias.id, detector=None), repo.context)
    assert caught.value.code == "E-CALIBTABLE"


def test_defects_kept_as_regions_are_edited_as_boxes(repo: Any, tmp_path: Path) -> None:
    boxes = np.array([[1, 2, 1, 1], [10, 20, 3, 30]], np.int32)
    path = tmp_path / "made.fits"
    write_calib_tables(path, to_tables(boxes, {"INSTRUME": "LATISS", "DETECTOR": 0, "OBSTYPE": "defects"}, path=path))
    assert "SHAPE" in read_calib_tables(path).tables[0].columns
    taken = repo.do(IngestFiles(dataset_type="defects", run="LATISS/calib/DM-1/first/made", files=(str(path),)))
    own = str(taken.data["datasets"][0]["id"])
    assert repo.ask(ShowProduct(product=own)).data["rows"][1] == {"x0": 10, "y0": 20, "width": 3, "height": 30}
    command = changed(repo, lambda text: text + "7 8 9 10\n", product=own, detector=None)
    effect = repo.do(command, reason=WHY)
    assert (effect.data["added"], effect.data["removed"]) == (["x0=7 y0=8 width=9 height=10"], [])
    with repo.context.unit_of_work() as uow:
        new = uow.datasets.get(str(effect.data["dataset"]))
    assert read_defects(repo.context.absolute(new.path)).tolist() == [*boxes.tolist(), [7, 8, 9, 10]]
