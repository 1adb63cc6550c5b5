"""`cabstand edit-product` with an editor: what the editor leaves is read, asked about and taken; drafts outlive it."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.curated_files import NEWEST_DEFECTS
from tests.support.stages import speak

LINE = f"cabstand edit-product {NEWEST_DEFECTS} --ticket DM-1 --reason 'a hot column'"


@pytest.fixture
def editor(tmp_path: Path) -> Callable[[str, int], str]:
    """Give a maker of editors: programs that add a line and end with a code."""

    def make(line: str, code: int = 0) -> str:
        program = tmp_path / "editor.py"
        program.write_text(
            f"import pathlib, sys\np = pathlib.Path(sys.argv[1])\np.write_text(p.read_text() + {line + chr(10)!r})\n"
            f"sys.exit({code})\n",
            encoding="utf-8",
        )
        return shlex.join([sys.executable, str(program)])

    return make


@pytest.fixture
def home(at_stage: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platformdirs.PlatformDirs.user_state_path", tmp_path / "state")
    return at_stage("curated")


def drafts(tmp_path: Path) -> list[Path]:
    return [one for one in (tmp_path / "state").rglob("*.ecsv") if one.is_file()]


def test_a_good_edit_is_taken_and_its_draft_goes(home: Path, tmp_path: Path, editor: Any) -> None:
    seen = speak(f"{LINE} --dry-run", home, EDITOR=editor("7 8 9 10"))
    assert (seen.code, "+ x0=7 y0=8 width=9 height=10" in seen.out) == (0, True), seen
    assert len(drafts(tmp_path)) == 1
    # the draft of the look is kept: it is gone on with, by an editor that changes nothing more
    again = speak(LINE, home, EDITOR="true")
    assert (again.code, "--resume" in again.err) == (4, True)
    done = speak(f"{LINE} --resume", home, VISUAL="true", EDITOR="false")
    assert (done.code, "make a new defects" in done.out) == (0, True), done
    assert not drafts(tmp_path)
    assert re.search(r"To take it back:\n +cabstand undo \d+", done.err)


def test_a_bad_edit_and_an_editor_that_fails_keep_the_draft(home: Path, tmp_path: Path, editor: Any) -> None:
    said = speak(LINE, home, EDITOR=editor("7 8 nine 10"))
    assert (said.code, said.err.count("error [E-EDIT]")) == (2, 1)
    assert "width=nine" in said.err
    assert "--resume" in said.err
    (draft,) = drafts(tmp_path)
    assert draft.read_text(encoding="utf-8").endswith("7 8 nine 10\n")
    for broken, words in ((editor("", 3), "code 3"), ("/no/such/editor", "/no/such/editor"), ("'", "EDITOR='")):
        said = speak(f"{LINE} --resume", home, EDITOR=broken)
        assert (said.code, words in said.err) == (2, True), said
        assert drafts(tmp_path) == [draft]


def test_without_an_editor_the_way_out_is_told(home: Path, tmp_path: Path) -> None:
    said = speak(LINE, home)
    assert (said.code, "--from FILE" in said.err, "EDITOR" in said.err) == (2, True, True)
    assert not drafts(tmp_path)


def test_a_person_is_asked_once_and_the_editor_opens_once(
    home: Path, tmp_path: Path, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("click.confirm", lambda text, **_more: asked.append(text) is None)
    said = speak(LINE, home, at_a_terminal=True, EDITOR=editor("7 8 9 10"))
    assert (said.code, asked) == (0, ["Do this?"]), said
    assert said.err.count("Nothing is written yet.") == 1
    assert not drafts(tmp_path)
