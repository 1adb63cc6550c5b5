"""From a fresh ticket to a dark made with its own bias, by keys alone: forms of both types with changed parameters."""

from pathlib import Path
from typing import Any

import pytest

from calibstore.commands.campaigns import CampaignInputs, CampaignNew
from calibstore.commands.generation import Spot
from calibstore.config import Config
from tui.app import CabstandApp, Opening
from tui.dialogs.confirm import ConfirmDialog
from tui.forms.view import FormView
from tui.places import parse_place
from tui.spans import plain_text
from tui.testing import settle
from tui.widgets.line_table import LineTable
from tui.widgets.text_pane import TextPane

TICKET = "DM-9"


@pytest.fixture
def repo(bias_repo: Any) -> Any:
    """A ticket for a bias and a dark, the exposures of both chosen."""
    made = bias_repo(n_build=6, n_darks=6)
    made.do(CampaignNew(instrument="LATISS", ticket=TICKET, tag="t", calib_type=("dark", "bias")))
    for name in ("bias", "dark"):
        where = f"instrument='LATISS' and exposure.observation_type='{name}'"
        made.do(CampaignInputs(ticket=TICKET, calib_type=name, where=where))
    return made


class Keys:
    """The application under test."""

    def __init__(self, pilot: Any) -> None:
        self.pilot, self.app = pilot, pilot.app

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await settle(self.pilot)

    @property
    def form(self) -> FormView:
        assert isinstance(self.app.view, FormView), self.app.place
        return self.app.view

    @property
    def wizard(self) -> str:
        """What the checklist shows in its panes of text."""
        return "\n".join(plain_text(one.shown) for one in self.app.query_one("#wizard").query(TextPane))

    async def until(self, title: str) -> str:
        """Wait until the lower half of the form says something."""
        for _ in range(400):
            pane = self.form.query_one("#effect", TextPane)
            if pane.pane_title.startswith(title):
                return plain_text(pane.shown)
            await self.pilot.pause(0.02)
        raise AssertionError(f"{pane.pane_title}\n{plain_text(pane.shown)}")

    async def to_field(self, name: str) -> None:
        for _ in range(40):
            here = self.form.query_one("#fields").here  # type: ignore[attr-defined]
            if here is not None and here.name == name:
                return
            await self.press("down")
        raise AssertionError(f"no field {name}")

    async def job_done(self, repo: Any) -> None:
        """Wait until the runner of the newest job, a process of its own, has ended."""
        for _ in range(1200):
            with repo.context.unit_of_work() as uow:
                job = uow.jobs.list(ticket=TICKET)[-1]
            if not job.is_open:
                assert job.status == "done", job.error
                return
            await self.pilot.pause(0.05)
        raise AssertionError(f"{job.id} {job.status}")

    async def run(self) -> str:
        """Run the form, say yes where it asks, and return what was done."""
        await self.until("EFFECT: nothing is written yet")
        await self.press("ctrl+r")
        if isinstance(self.app.screen, ConfirmDialog):
            await self.press("right", "enter")  # Cancel stands first
        return await self.until("DONE")


async def test_a_bias_and_a_dark_made_with_it_by_keys(repo: Any, tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "data", state_dir=tmp_path / "state")
    opening = Opening(
        root=repo.root, config=config, clock=repo.context.clock, user="jane", host="bench", environment={},
        place=parse_place(["checklist", TICKET, "--item", "generate"]), is_writable=True,
    )  # fmt: skip
    app = CabstandApp(opening)
    async with app.run_test(size=(80, 24)) as pilot:
        keys = Keys(pilot)
        await settle(pilot)
        shown = keys.wizard
        assert "[>] bias  can be built now" in shown
        assert "[ ] dark  waits for bias" in shown

        await keys.press("enter")  # the step that is next
        await keys.until("EFFECT")
        assert app.place.text == f"do generate bias {TICKET}"
        await keys.to_field("set:n_sigma")
        await keys.press("2", ".", "x")
        assert "not a number" in plain_text(app.query_one("#note", TextPane).shown)
        await keys.press("backspace", "5")
        told = await keys.run()
        assert "2.5 sigma" in told
        assert f"cabstand generate bias {TICKET} --set n_sigma=2.5 --detach" in told

        await keys.job_done(repo)
        repo.do(Spot(calib_type="bias", ticket=TICKET, ok=True))
        await keys.press("7")
        await keys.press("r")
        shown = keys.wizard
        assert "certify it, so that dark can be made with it" in shown
        await keys.press("enter")
        await keys.until("EFFECT")
        assert app.place.words[0] == "certify-calibrations"
        assert "certify" in await keys.run()

        for key in (":", *f"graph --ticket {TICKET}".replace(" ", "\x00")):
            await pilot.press({":": "colon", "\x00": "space", "-": "minus"}.get(key, key))
        await keys.press("enter")
        table = app.query_one("#nodes", LineTable)
        while table.cursor_key != "dark":
            await keys.press("down")
        await keys.press("enter")
        await keys.until("EFFECT")
        assert app.place.text == f"do generate dark {TICKET}"
        await keys.to_field("set:n_sigma")
        await keys.press("2")  # the simulated night has too few darks for the default
        await keys.to_field("set:mask_cosmic_rays")
        await keys.press("right")
        await keys.press("ctrl+t")
        await keys.to_field("set:cr_minimum_e")
        await keys.press(*"200")
        told = await keys.run()
        assert "--set n_sigma=2 --set mask_cosmic_rays=false --set cr_minimum_e=200" in told
        assert "with        bias of" in told
        await keys.job_done(repo)
    with repo.context.unit_of_work() as uow:
        jobs = uow.jobs.list(ticket=TICKET)
        assert [(one.calib_type, one.status) for one in jobs] == [("bias", "done"), ("dark", "done")]
        (bias,) = uow.datasets.in_run(uow.collections.get(jobs[0].run), dataset_type="bias")
        (dark,) = uow.datasets.in_run(uow.collections.get(jobs[1].run), dataset_type="dark")
        assert bias.id in {given for given, _role in uow.datasets.inputs_of([dark.id])[dark.id]}
        assert any("--set n_sigma=2.5" in one.line for one in uow.journal.entries())
