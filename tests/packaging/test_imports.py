"""What a static graph cannot see: which heavy packages a start really loads, and what the wheel holds."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

_HEAVY = ("numpy", "astropy", "scipy", "sqlalchemy", "alembic", "textual", "PIL", "yaml")
_ROOT = Path(__file__).parents[2]


def _loaded(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint('MODULES', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.rpartition("MODULES")[2].split()}


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['cabstand', '--help']\n"
        "from tui.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as done: assert not done.code, done.code"
    )
    assert not _loaded(program) & set(_HEAVY)


@pytest.mark.parametrize(
    "module",
    [
        "calibstore.model.times",
        "calibstore.model.where",
        "calibstore.model.names",
        "calibstore.model.workflow",
        "calibstore.commands",
        "calibstore.errors",
    ],
)
def test_the_nouns_load_nothing_heavy(module: str) -> None:
    assert not _loaded(f"import {module}") & set(_HEAVY)


def test_kernels_load_numpy_only() -> None:
    modules = sorted(
        ".".join(path.relative_to(_ROOT).with_suffix("").parts)
        for path in (_ROOT / "kernels").glob("*.py")
        if path.name != "__init__.py"
    )
    assert modules
    loaded = _loaded("\n".join(f"import {module}" for module in modules))
    assert not loaded & (set(_HEAVY) - {"numpy"})


def test_opening_a_repository_does_not_load_alembic(tmp_path: Path) -> None:
    program = f"""
import sys
sys.argv = ['cabstand', 'init', r'{tmp_path / "repo"}', '--camera', 'LATISS:mini', '--kind', 'test']
from tui.__main__ import main
try: main()
except SystemExit as done: assert not done.code, done.code
"""
    assert "alembic" in _loaded(program)
    program = program.replace("'init', ", "'query-collections', '-R', ").replace(
        ", '--camera', 'LATISS:mini', '--kind', 'test'", ""
    )
    assert "alembic" not in _loaded(program)


@pytest.mark.slow
def test_the_wheel_holds_the_three_packages_and_their_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(_ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"tui", "calibstore", "kernels"}
    assert "calibstore/datastore/cameras/sbig_stl1001.yaml" in names
    assert "calibstore/model/criteria_data.yaml" in names
    assert "calibstore/db/migrations/versions/0001_lay_the_schema_of_the_store.py" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
