"""The rehearsal: made, walked to its end, small, and never thrown away by mistake."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_the_rehearsal_walks_to_its_end_and_can_begin_anew(terminal: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rehearsal"
    said = terminal(f"cabstand rehearse {folder}")
    assert "[13/13]" in said
    assert "That was the whole way." in said
    assert "home, summit-rehearsal: proved, used there" in said
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 300_000_000
    for repository in ("home", "summit"):
        again = terminal(f"cabstand -R {folder}/{repository} journal --replay {tmp_path}/{repository}-again")
        assert "collections have equal fingerprints" in again
        assert "done again" in again
    terminal(f"cabstand rehearse {folder}", code=4)
    terminal(f"cabstand rehearse {folder} --reset --prepare-only")
    assert not (folder / "bundle").exists()
    terminal(f"cabstand -R {folder}/home campaign show DM-99001", code=3)


def test_a_folder_that_is_no_rehearsal_is_never_thrown_away(terminal: Any, tmp_path: Path) -> None:
    folder = tmp_path / "precious"
    (folder / "home").mkdir(parents=True)
    (folder / "home" / "thesis.tex").write_text("years of work")
    terminal(f"cabstand rehearse {folder} --reset", code=4)
    assert (folder / "home" / "thesis.tex").exists()


def test_a_dry_run_makes_nothing(terminal: Any, tmp_path: Path) -> None:
    terminal(f"cabstand rehearse {tmp_path}/later --dry-run")
    assert not (tmp_path / "later").exists()


@pytest.mark.slow
def test_a_rehearsal_of_every_product_leaves_nights_to_walk_by_hand(terminal: Any, tmp_path: Path) -> None:
    folder = tmp_path / "products"
    said = terminal(f"cabstand rehearse {folder} --all-products")
    offered = [line.strip() for line in said.splitlines() if line.startswith("    cabstand ")]
    assert len(offered) == 3
    for line in offered:
        terminal(line.replace("cabstand", f"cabstand -R {folder}/home", 1))
    for reason in ("daily_ptc", "crosstalk_spots", "gain_flat"):
        where = f"instrument='LATISS' and exposure.observation_reason='{reason}'"
        terminal(f'cabstand -R {folder}/home exposures --where "{where}"')  # none found would end with code 2
