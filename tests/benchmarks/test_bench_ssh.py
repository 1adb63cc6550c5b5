"""Keys through sshd and a line of 200 ms and 256 kbit/s: answered within one round trip and 150 ms."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.delay_proxy import DelayProxy
from tests.support.pty_program import PtyProgram
from tests.support.sshd import Sshd, missing_part

pytestmark = [pytest.mark.bench, pytest.mark.ssh]
if missing_part():
    pytest.skip(missing_part(), allow_module_level=True)

DELAY_S = 0.1
ROUND_TRIP_S = 2 * DELAY_S
ALLOWED_S = ROUND_TRIP_S + 0.150
KEYS = ("down", "up", "pagedown", "3", "right", "1", "7", "9", "down", "pagedown", "ctrl+p", "escape", "?", "escape")


def test_every_key_is_answered_within_a_round_trip_and_150_ms(
    kept_stage: Callable[[str], Path], tmp_path: Path
) -> None:
    server = Sshd(tmp_path / "sshd")
    line = DelayProxy(server.port, delay_s=DELAY_S, bytes_per_s=256_000 / 8)
    home = kept_stage("live")
    told = f"LANG=C.UTF-8 COLORTERM=truecolor XDG_STATE_HOME={tmp_path / 'state'} XDG_CONFIG_HOME={tmp_path / 'config'}"
    command = f"cd '{Path.cwd()}' && {told} {sys.executable} -m tui -R '{home}' ui home"
    environment = dict(os.environ) | {"TERM": "xterm-256color"}
    rows = []
    try:
        with PtyProgram(server.argv(command, port=line.port), env=environment) as program:
            program.until("IN USE NOW")
            program.settle(quiet_s=1.0)
            for key in ("3", "7", "9", "1"):  # views are read once before, as for somebody at work
                program.press(key)
                program.settle(quiet_s=1.0)
            for key in KEYS:
                before, began = len(program.sent), time.monotonic()
                program.press(key)
                first = None
                while first is None and time.monotonic() - began < 3:
                    program.settle(quiet_s=0.0, timeout_s=0.02)
                    if len(program.sent) > before:
                        first = program.last_byte_at - began
                program.settle(quiet_s=0.6)
                rows.append((key, first, program.last_byte_at - began, len(program.sent) - before))
            program.press("ctrl+q")
            program.wait(timeout_s=30)
    finally:
        line.close()
        server.stop()
    print()
    for key, first, last, sent in rows:
        shown = "nothing to draw" if first is None else f"first {first * 1e3:4.0f} ms, last {last * 1e3:4.0f} ms"
        print(f"{key:10} {shown}  {sent:5d} B")
    late = [(key, first) for key, first, _last, _sent in rows if first is not None and first > ALLOWED_S]
    assert late == []
