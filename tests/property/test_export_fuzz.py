"""Exports with something wrong in them: one line with a code, never a traceback, never a half-written store."""

import copy
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibstore.commands.sites import ExportCalibs, Import
from calibstore.errors import CabstandError
from calibstore.sites.butler_yaml import TIME_TAG, TIMESPAN_TAG, UUID_TAG
from calibstore.sites.butler_yaml_reader import parse_export

BASE = "LATISS/calib/DM-1"
N_INPUTS = int(os.environ.get("CABSTAND_FUZZ_EXPORTS", "250"))
"""Inputs of each kind."""
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 2**31, 2**63, 2**64, 10**400, 1e308, float("nan"), float("inf"), "", " ", "x" * 5000,
    "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "a\nb", "\x1b[2J", "\u202e", "\ud7ff", "é" * 40, [], {},
    [[]], [None], {"a": 1}, [1, 2, 3], "2024-01-02", "RUN", "CHAINED", "TAGGED", "CALIBRATION", BASE,
)  # fmt: skip


class _Tagged(yaml.SafeLoader):
    """Keeps the tags of an export, so that it can be written again after a change."""


class _Scalar(str):
    """A scalar with a tag."""

    tag = ""


class _Mapping(dict[str, Any]):
    """A mapping with a tag."""

    tag = ""


def _keep(loader: Any, node: Any) -> Any:
    made: Any = _Scalar(node.value) if isinstance(node, yaml.ScalarNode) else _Mapping(loader.construct_mapping(node))
    made.tag = node.tag
    return made


class _Writer(yaml.SafeDumper):
    """Writes what `_Tagged` read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# One by one: a Butler imported by another test registers constructors of its own for all safe loaders.
for _tag in (UUID_TAG, TIME_TAG, TIMESPAN_TAG):
    _Tagged.add_constructor(_tag, _keep)
_Writer.add_representer(_Scalar, lambda dumper, value: dumper.represent_scalar(value.tag, str(value), style="'"))
_Writer.add_representer(_Mapping, lambda dumper, value: dumper.represent_mapping(value.tag, dict(value)))


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of everything in a document."""
    found = [at] if at else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*at, key))
    return found


def change(document: Any, place: tuple[Any, ...], how: str, value: Any) -> Any:
    """Return a copy of a document with one thing taken out, doubled or replaced."""
    made = copy.deepcopy(document)
    holder = made
    for key in place[:-1]:
        holder = holder[key]
    if how == "remove":
        del holder[place[-1]]
    elif how == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[place[-1]]))
    else:
        holder[place[-1]] = value
    return made


@pytest.fixture
def bundle(make_repo: Callable[..., Any], real_product: Any, tmp_path: Path) -> Path:
    """A bundle of two biases."""
    repo = make_repo(camera="LATISS", kind="user", name="source")
    for letter, begin, end in (("a", "2024-01-02", "2025-01-01"), ("b", "2025-01-01", "")):
        real_product(repo, f"{BASE}/t/biasGen.20250101{letter}")
        repo.certify(f"{BASE}/t/biasGen.20250101{letter}", f"{BASE}/t/bias.20250101{letter}", begin, end)
    repo.do(ExportCalibs(directory=str(tmp_path / "made"), collections=(BASE,)))
    return tmp_path / "made"


def check_refusal(fault: CabstandError) -> None:
    """Check that a refusal is one a person can read and act on."""
    assert fault.message.splitlines()
    assert all(one.isprintable() or one == "\n" for one in fault.message + fault.hint), repr(fault.message)
    assert fault.exit_code
    assert fault.code.startswith("E-")
    assert fault.hint


class Target:
    """A repository that every input is imported into; it goes back to what it was after one that is taken."""

    def __init__(self, make: Callable[..., Any], bundle: Path, folder: Path) -> None:
        self.folder = folder / "bundle"
        shutil.copytree(bundle, self.folder)
        self.make = make
        self.n_made = self.n_refused = self.n_taken = 0
        self.repo = self._fresh()

    def _fresh(self) -> Any:
        self.n_made += 1
        repo = self.make(camera="LATISS", kind="user", name=f"target{self.n_made}")
        self.before = self.rows(repo)
        return repo

    @staticmethod
    def rows(repo: Any) -> str:
        connection = sqlite3.connect(repo.context.store_path)
        text = "\n".join(connection.iterdump())
        connection.close()
        return text

    def take(self) -> None:
        """Import the folder as it is now; check that it is refused whole or taken whole."""
        try:
            self.repo.do(Import(directory=str(self.folder)))
        except CabstandError as fault:
            check_refusal(fault)
            self.n_refused += 1
            assert self.rows(self.repo) == self.before
            assert not (self.repo.root / "data").exists()
            return
        self.n_taken += 1
        with self.repo.context.unit_of_work() as uow:
            assert uow.journal.first_altered() is None
            for record in uow.datasets.all_with_files():
                assert (self.repo.root / record.path).stat().st_size == record.size_bytes
        if self.rows(self.repo) != self.before:
            self.repo = self._fresh()


@pytest.fixture
def target(make_repo: Callable[..., Any], bundle: Path, tmp_path: Path) -> Target:
    return Target(make_repo, bundle, tmp_path)


@pytest.mark.slow
def test_every_part_taken_out_or_replaced(target: Target) -> None:
    """Every key and value of the export, with each odd value."""
    for name in ("cabstand.json", "MANIFEST.sha256"):
        (target.folder / name).unlink()
    path = target.folder / "export.yaml"
    document = yaml.load(path.read_text(), Loader=_Tagged)
    every = [(place, how, None) for place in places(document) for how in ("remove", "double")]
    every += [(place, "replace", value) for place in places(document) for value in ODD_VALUES]
    chosen = random.Random(4).sample(every, min(N_INPUTS, len(every)))
    for place, how, value in chosen:
        path.write_text(yaml.dump(change(document, place, how, value), Dumper=_Writer, sort_keys=False))
        target.take()
    print(f"\n{len(chosen)} of {len(every)} documents: {target.n_refused} refused, {target.n_taken} taken")
    assert target.n_refused > len(chosen) // 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["export.yaml", "cabstand.json"])
def test_bytes_changed_put_in_and_cut(target: Target, name: str) -> None:
    """Bytes of the export file or the facts, at random."""
    (target.folder / "MANIFEST.sha256").unlink()
    if name == "export.yaml":
        (target.folder / "cabstand.json").unlink()
    path = target.folder / name
    good, source = path.read_bytes(), random.Random(7)
    for _ in range(N_INPUTS):
        content = bytearray(good)
        for _ in range(source.choice((1, 1, 1, 2, 8))):
            at = source.randrange(len(content))
            how = source.randrange(4)
            if how == 0:
                content[at] ^= 1 << source.randrange(8)
            elif how == 1:
                content[at:at] = source.choice(
                    (b"\n", b"&a ", b"*a", b"!x ", b"\xff", b"\x00", b"- ", b": ", b"[", b"'")
                )
            elif how == 2:
                del content[at : at + source.randrange(1, 60)]
            else:
                content[at:at] = content[at : at + source.randrange(1, 200)]
        path.write_bytes(bytes(content))
        target.take()
    print(f"\n{N_INPUTS} files: {target.n_refused} refused, {target.n_taken} taken")
    assert target.n_refused > N_INPUTS // 2


@pytest.mark.slow
def test_every_fact_replaced(target: Target) -> None:
    """Every key and value of cabstand.json, with each odd value."""
    (target.folder / "MANIFEST.sha256").unlink()
    path = target.folder / "cabstand.json"
    document = json.loads(path.read_text())
    every = [(place, "remove", None) for place in places(document)]
    every += [(place, "replace", value) for place in places(document) for value in ODD_VALUES]
    chosen = random.Random(11).sample(every, min(N_INPUTS, len(every)))
    for place, how, value in chosen:
        path.write_text(json.dumps(change(document, place, how, value)))
        target.take()
    print(f"\n{len(chosen)} of {len(every)} documents: {target.n_refused} refused, {target.n_taken} taken")


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    blocks=st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["dimension", "collection", "run", "dataset_type", "dataset", "associations"])},
            optional={
                "name": _plain,
                "element": st.sampled_from(["instrument", "detector", "physical_filter"]) | _plain,
                "records": st.lists(_plain, max_size=3) | _plain,
                "collection_type": st.sampled_from(["RUN", "CHAINED", "TAGGED", "CALIBRATION"]) | _plain,
                "children": _plain,
                "dimensions": _plain,
                "storage_class": _plain,
                "validity_ranges": st.lists(_plain, max_size=3) | _plain,
                "dataset_ids": _plain,
                "collection": _plain,
            },
        ),
        max_size=5,
    )
)
def test_documents_of_the_right_shape_and_wrong_content(blocks: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump({"version": "1.0.2", "data": blocks})
    try:
        parse_export(text)
    except CabstandError as fault:
        check_refusal(fault)
        is_one_line = fault.message.startswith("export.yaml") and "\n" not in fault.message
    else:
        is_one_line = True
    assert is_one_line
