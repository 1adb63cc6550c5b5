"""The whole checklist of a simulated LATISS bias by keys alone at 80x24; the same answers as the command line gives."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibstore.config import Config
from tests.support.stages import NOW_TAI_NS, Spoken
from tui.app import CabstandApp, Opening
from tui.plain import screen_text
from tui.testing import settle

TOP, CHAIN = "LATISS/calib", "LATISS/calib/DM-99001"
NIGHTS = "instrument='LATISS' and exposure.observation_type='bias' and exposure.day_obs"
PATIENCE_S = 60.0


class Keyboard:
    """Somebody at a terminal: presses keys, types, and waits until something is to be seen."""

    def __init__(self, app: CabstandApp, pilot: Any) -> None:
        self.app, self._pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before has had its effect."""
        for key in keys:
            await self._pilot.press(key)
            await settle(self._pilot)

    async def type(self, text: str) -> None:
        """Type a text."""
        await self._pilot.press(*text)
        await settle(self._pilot)

    async def see(self, *texts: str) -> None:
        """Wait until the screen shows every one of some texts."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(text in self.screen for text in texts):
                    await settle(self._pilot)
        except TimeoutError:
            missing = [text for text in texts if text not in self.screen]
            pytest.fail(f"{missing} never came:\n{self.screen}\n{[str(one) for one in self.app.errors]}")

    @property
    def screen(self) -> str:
        """What is on the screen."""
        return screen_text(self.app)


def opened(root: Path, state: Path, **more: Any) -> CabstandApp:
    """Open the interface on the repository of a rehearsal, as the guided walk does."""
    config = Config(data_dir=state / "data", state_dir=state / "state")
    settings: dict[str, Any] = {"is_writable": True, "is_guided": True} | more
    return CabstandApp(
        Opening(
            root=root, config=config, clock=lambda: NOW_TAI_NS, user="jane", host="bench", environment={}, **settings
        )
    )


async def run_form(keys: Keyboard, *, effect: str) -> None:
    """Run the form that is open once it shows its effect; come back from what it did."""
    await keys.see(effect)
    await keys.press("ctrl+r")
    await keys.see("DONE")
    await keys.press("escape")


async def confirm(keys: Keyboard, *, typed: str = "") -> None:
    """Answer the question before a change: type what must be typed; Cancel comes first."""
    await keys.see("Cancel", "Do it")
    if typed:
        await keys.see(f"Type {typed} exactly")
        await keys.type(typed)
        await keys.press("enter")
    await keys.press("right", "enter")


async def look_round(keys: Keyboard) -> None:
    await keys.see("NO CALIBRATION IN USE", "WALK 1 of 21")
    await keys.press("3", "1")
    await keys.press("4")
    await keys.see("2025040800001", "WALK 2 of 21")


async def open_the_ticket(keys: Keyboard) -> None:
    await keys.press("7")
    await keys.see("No campaign yet", "WALK 3 of 21")
    await keys.press("n")
    await keys.type("DM-99001")
    await keys.press("tab")
    await keys.type("sequencer26")
    await keys.press("tab", "tab", "tab", "space")
    await keys.see("camera_change")
    await run_form(keys, effect="names that will be used")
    await keys.see("CAMPAIGNS", "DM-99001")
    await keys.press("enter")


async def build(keys: Keyboard) -> None:
    """Choose, build, say not ok, build again without the planted frame, say ok."""
    await keys.see("> 2 Inputs", "WALK 4 of 21", "now Choose the exposures")
    await keys.press("enter")
    await run_form(keys, effect="25 exposures to build bias")
    await keys.see("> 3 Generate", "now Build the combined bias", "WALK 5 of 21")
    await keys.press("enter")
    await run_form(keys, effect="1 detector, 25 exposures")
    await keys.see("now Look at the picture", "WALK 6 of 21")
    await keys.press("enter")
    await keys.see("SPOT CHECK", "1 of 25 frames unlike the others", "2025040800006")
    await keys.press("n")
    await keys.type("light leak")
    await keys.press("enter")
    await run_form(keys, effect="to be left out: 2025040800006")
    await keys.see("Build it again as 20261120b without 2025040800006", "WALK 7 of 21")
    await keys.press("enter")
    await run_form(keys, effect="1 detector, 24 exposures")
    await keys.see("biasGen.20261120b: nobody has looked", "WALK 8 of 21")
    await keys.press("enter")
    await keys.see("SPOT CHECK", "biasGen.20261120b")
    await keys.press("o")
    await run_form(keys, effect="biasGen.20261120b: ok")


async def judge(keys: Keyboard) -> None:
    """Verify on build and independent frames, report, certify."""
    await keys.see("> 4 Verify", "now Choose the exposures to verify on", "WALK 9 of 21")
    await keys.press("enter")
    await run_form(keys, effect="30 exposures to verify bias")
    await keys.see("now Measure the combined bias", "WALK 10 of 21")
    await keys.press("enter")
    await run_form(keys, effect="24 build and 6 independent exposures")
    await keys.see("> 5 Report", "WALK 11 of 21")
    await keys.press("6", "enter")
    await keys.see("TESTS of bias", "FAIL", "C04")
    await keys.press("7")
    await keys.see("> 5 Report", "now Write the report", "WALK 12 of 21")
    await keys.press("enter")
    await run_form(keys, effect="bias/strict FAIL")
    await keys.see("> - Certify", "now Give the combined bias its range", "WALK 13 of 21")
    await keys.press("enter")
    await keys.see("certify 1 bias", "2025-04-08T14:00:33")
    await keys.press("ctrl+r")
    await confirm(keys)
    await keys.see("DONE")
    await keys.press("escape")


async def decide(keys: Keyboard) -> None:
    """Link, hail, adopt with waivers."""
    await keys.see("> 6 TAXICAB", "WALK 14 of 21")
    await keys.press("right_square_bracket")
    await keys.see("> 7 Deployment", "now Link the deployment ticket")
    await keys.press("enter")
    await keys.type("DM-99002")
    await run_form(keys, effect="Would: deployment ticket of DM-99001: DM-99002")
    await keys.see("> 7 Deployment", "WALK 15 of 21")
    await keys.press("o")
    await keys.see("> 6 TAXICAB", "now Put it before the board")
    await keys.press("enter")
    await keys.type("TAXICAB-99")
    await run_form(keys, effect="Flagged")
    await keys.see("now Record what the board decided", "WALK 16 of 21")
    await keys.press("enter")
    await keys.see("WAIVERS for DM-99001", "C04")
    await keys.press("tab")
    await keys.type("known noisy amplifier")
    await keys.press("enter")
    await keys.type("A. Chair")
    await keys.press("enter", "enter")
    await keys.see("Form > decide", "people")
    await keys.type("A. Chair")
    await keys.see("ADOPT_WITH_WAIVERS, now Adopted")
    await keys.press("ctrl+r")
    await confirm(keys)
    await keys.see("DONE")
    await keys.press("escape")


async def distribute(keys: Keyboard) -> None:
    """Live at home, live at the second repository, proved at both."""
    await keys.see("> 8 Export/import", "now MAKE IT LIVE at home", "WALK 17 of 21")
    await keys.press("enter")
    await keys.see("deploy DM-99001 at home")
    await keys.press("ctrl+r")
    await confirm(keys, typed=TOP)
    await keys.see("DONE")
    await keys.press("escape")
    await keys.see("> 8 Export/import", "WALK 18 of 21")
    await form_of_the_walk(keys, "Form > deploy")
    await keys.see("Would: deploy DM-99001 to summit-rehearsal")
    await keys.press("ctrl+r")
    await confirm(keys)
    await confirm(keys, typed=TOP)  # what changes there is known once it was imported
    await keys.see("DONE")
    await keys.press("escape")
    for place, step in (("home", 19), ("summit-rehearsal", 20)):
        await keys.see("> 8 Export/import", f"WALK {step} of 21")
        await form_of_the_walk(keys, "Form > prove")
        await keys.see(f"> destination : {place}")
        await keys.press("ctrl+r")
        await keys.see("DONE", "proof: every", "<- this")
        await keys.press("escape")
    await keys.see("WALK 21 of 21")


async def form_of_the_walk(keys: Keyboard, title: str) -> None:
    """Open the form that the guide fills in: paths are nothing to type."""
    await keys.press("colon")
    await keys.type("walk")
    await keys.press("enter")
    await keys.see("THE WHOLE WALK", "form of this step")
    await keys.press("enter")
    await keys.see(title)


@pytest.mark.slow
async def test_the_whole_checklist_by_keys_alone(rehearsal: Path, typed: Callable[..., Spoken], tmp_path: Path) -> None:
    by_lines = Path(shutil.copytree(rehearsal, tmp_path / "by-lines"))
    app = opened(rehearsal / "home", tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        keys = Keyboard(app, pilot)
        for stretch in (look_round, open_the_ticket, build, judge, decide, distribute):
            await stretch(keys)
        await keys.press("9")
        await keys.see("JOURNAL", "prove")
        await keys.press("1")
        await keys.see("All done.", "waived!", "2/7")
        assert [str(one) for one in app.errors] == []

    walk_by_lines(typed, by_lines / "home")
    at_home, there, expected = (
        fingerprint(typed, root) for root in (rehearsal / "home", rehearsal / "summit", by_lines / "home")
    )
    assert at_home == there == expected
    shown = must(typed, "cabstand campaign show DM-99001", rehearsal / "home").out
    assert "home, summit-rehearsal: proved, used there" in shown


def walk_by_lines(typed: Callable[..., Spoken], home: Path) -> None:
    """Do the same on the command line."""
    names = f"{CHAIN}/sequencer26"
    for line in (
        "cabstand campaign new LATISS DM-99001 sequencer26 --why camera_change",
        f'cabstand campaign inputs DM-99001 bias --where "{NIGHTS}=20250408"',
        "cabstand generate bias DM-99001",
        "cabstand spot bias DM-99001 --not-ok --comment 'light leak' --redo-without 6",
        "cabstand generate bias DM-99001 --exclude '2025040800006=light leak' --rerun 20261120b",
        "cabstand spot bias DM-99001 --ok",
        f'cabstand campaign inputs DM-99001 bias --purpose verify --where "{NIGHTS} in (20250408, 20250411)" '
        "--exclude '2025040800006=light leak'",
        "cabstand verify bias DM-99001",
        "cabstand report DM-99001",
        f"cabstand certify-calibrations {names}/biasGen.20261120b {names}/bias.20261120a bias "
        "--begin-date 2025-04-08T14:00:33",
        "cabstand campaign ticket DM-99001 deployment DM-99002",
        "cabstand hail DM-99001 TAXICAB-99",
    ):
        must(typed, line, home)
    shown = json.loads(must(typed, "cabstand campaign show DM-99001 --json", home).out)
    decision = shown["next"][0].replace("reason=WHY", "reason=known noisy amplifier").replace("NAME", "A. Chair")
    must(typed, decision.replace("--people A. Chair", "--people 'A. Chair'"), home)
    must(typed, f"cabstand deploy home DM-99001 --confirm {TOP}", home)


def must(typed: Callable[..., Spoken], line: str, home: Path) -> Spoken:
    said = typed(line, home)
    assert said.code == 0, f"{line}\n{said.out}{said.err}"
    return said


def fingerprint(typed: Callable[..., Spoken], home: Path) -> str:
    """Return what a repository answers through its top chain, as one number."""
    said = must(typed, f"cabstand fingerprint {TOP} --json", home)
    return str(json.loads(said.out)["fingerprints"][TOP]["effective"])
