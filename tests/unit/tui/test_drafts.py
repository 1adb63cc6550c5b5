"""What was typed is on disk within a second and comes back whole."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tui.drafts import Drafts

KEY = "form/certify-calibrations/DM-48520"


def test_a_draft_comes_back_to_the_next_session(tmp_path: Path) -> None:
    first = Drafts(tmp_path, "repo-1")
    first.save(KEY, {"fields": {"begin_date": "2025"}})
    first.save(KEY, {"fields": {"begin_date": "20250408", "people": ["A", "B"]}}, at="14:02")
    first.flush()
    found = Drafts(tmp_path, "repo-1").load(KEY)
    assert found is not None
    assert (found.content, found.saved_at) == (
        {"fields": {"begin_date": "20250408", "people": ["A", "B"]}},
        "14:02",
    )
    assert Drafts(tmp_path, "repo-2").load(KEY) is None


def test_what_is_not_on_disk_yet_is_there_already_for_its_writer(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path, "r")
    drafts.save("a", {"n": 1})
    drafts.save("b/with spaces", {"n": 2})
    assert [one.key for one in drafts.list()] == ["a", "b/with spaces"]
    drafts.flush()
    drafts.discard("a")
    assert drafts.load("a") is None
    assert [one.key for one in drafts.list()] == ["b/with spaces"]
    drafts.flush()
    assert [one.key for one in Drafts(tmp_path, "r").list()] == ["b/with spaces"]


def test_what_is_kept_does_not_change_with_what_was_given(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path, "r")
    fields = {"a": ["1"]}
    drafts.save("k", {"fields": fields})
    fields["a"].append("2")
    kept = drafts.load("k")
    assert kept is not None
    assert kept.content == {"fields": {"a": ["1"]}}


def test_a_killed_session_loses_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, threading; from pathlib import Path; from tui.drafts import Drafts\n"
        "drafts = Drafts(Path(sys.argv[1]), 'r')\n"
        "for n in range(50): drafts.save('k', {'n': n})\n"
        "print('typed', flush=True); threading.Event().wait()\n"
    )
    session = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert session.stdout is not None
        session.stdout.readline()
        typed = time.monotonic()
        while not list(tmp_path.rglob("*.json")) and time.monotonic() < typed + 20:
            time.sleep(0.01)  # the session writes by itself: nobody tells it to
        os.kill(session.pid, signal.SIGKILL)
    finally:
        session.kill()
        session.wait()
        assert session.stdout is not None
        session.stdout.close()
    kept = Drafts(tmp_path, "r").load("k")
    assert kept is not None
    assert kept.content == {"n": 49}


@pytest.mark.parametrize("damage", [b"{", b"\xff\xfe", b'{"key": "k"}', b'{"key": "k", "content": 3}', b"[]"])
def test_a_damaged_file_is_kept_aside_and_said(tmp_path: Path, damage: bytes) -> None:
    drafts = Drafts(tmp_path, "r")
    drafts.save("k", {"n": 1})
    drafts.flush()
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(damage)
    said = []
    again = Drafts(tmp_path, "r", tell=said.append)
    assert again.load("k") is None
    assert again.list() == ()
    (problem,) = said
    assert problem.code == "E-DRAFT"
    aside = path.with_suffix(".damaged")
    assert str(aside) in problem.hint
    assert aside.read_bytes() == damage
    again.save("k", {"n": 2})
    again.flush()
    assert json.loads(path.read_text())["content"] == {"n": 2}


def test_a_disk_that_refuses_is_said_once_and_what_was_typed_stays(tmp_path: Path) -> None:
    (tmp_path / "drafts").write_text("a file where the folder should be")
    drafts = Drafts(tmp_path, "r")
    drafts.save("k", {"n": 1})
    drafts.flush()
    drafts.save("k", {"n": 2})
    drafts.flush()
    (problem,) = drafts.problems
    assert "is not on disk" in problem.message
    kept = drafts.load("k")
    assert kept is not None
    assert kept.content == {"n": 2}
