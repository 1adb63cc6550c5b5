"""A terminal that cannot show more than ASCII gets nothing else, on every screen; and nobody sees a traceback."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.pty_program import PtyProgram


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "xterm-256color", "CABSTAND_USER": "jane",
        "XDG_STATE_HOME": str(tmp_path / "state"), "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    } | more  # fmt: skip


@pytest.mark.parametrize(
    "locale", ["C", *(pytest.param(one, marks=pytest.mark.slow) for one in ("POSIX", "en_US.ISO-8859-1"))]
)
def test_only_ascii_is_sent_where_the_locale_is_not_utf_8(
    locale: str, kept_stage: Callable[[str], Path], tmp_path: Path
) -> None:
    env = environment(tmp_path, LANG=locale)
    argv = [sys.executable, "-m", "tui", "-R", str(kept_stage("live")), "ui", "home"]
    with PtyProgram(argv, env=env) as program:
        program.until("IN USE NOW")
        for key, wanted in zip("23456789", "CTRDMCJJ", strict=True):
            program.press(key)
            program.until(rf"\[{key}{wanted}")
            program.settle(quiet_s=0.3)
        for keys in (("f1",), ("escape",), ("?",), ("escape",), ("ctrl+p",), ("escape",)):
            program.press(*keys)
            program.settle(quiet_s=0.2)
        program.press(":", "f", "l", "y", "enter")
        program.until("remedy")
        program.press("ctrl+q")
        assert program.wait() == 0
        assert bytes(program.sent).isascii()
        assert b"Traceback" not in program.sent


def test_text_that_is_not_ascii_is_not_sent_by_plain_either(kept_stage: Callable[[str], Path], tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tui", "-R", str(kept_stage("live")), "ui", "timeline", "bias", "--plain"]
    with PtyProgram(argv, env=environment(tmp_path, LANG="C")) as program:
        assert program.wait() == 0
        assert b"WINS" in program.sent
        assert bytes(program.sent).isascii()
