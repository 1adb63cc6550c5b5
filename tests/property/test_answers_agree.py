"""One question, four answers: Home, the timeline's line, its panel and `cabstand explain` never differ."""

import contextlib
import random
from typing import Any

import pytest

from calibstore.commands.store import Decertify, Explain
from calibstore.errors import ConflictError, NotFoundError
from calibstore.model.times import ns_to_iso
from calibstore.services.looks.home import home_look
from calibstore.services.looks.timeline import timeline_look
from calibstore.services.looks.timeline_cursor import AMBIGUOUS, WINS, cursor_look, row_at

DAY_NS = 86_400_000_000_000
FIRST_NS = 20_000 * DAY_NS
TOP = "LSSTComCam/calib"
DETECTORS = (0, 1)


def day(number: float) -> str:
    return ns_to_iso(FIRST_NS + round(number * DAY_NS))


def build(repo: Any, dice: random.Random) -> None:
    """Certify and decertify at random, in several chains, one of them nested twice; a RUN stands in the chain too."""
    tickets = []
    for number in range(1, 4):
        base = f"{TOP}/DM-{number}"
        into = f"{base}/t/bias.20250101a"
        for letter in "ab":
            repo.add_run(f"{base}/t/biasGen.20250101{letter}", DETECTORS)
            begin, end = sorted(dice.sample(range(12), 2))
            try:
                repo.certify(f"{base}/t/biasGen.20250101{letter}", into, day(begin), dice.choice([day(end), ""]))
            except ConflictError:
                continue  # it would overlap: refused
        if dice.random() < 0.7:
            begin, end = sorted(dice.sample(range(12), 2))
            taken_out = Decertify(
                collection=into,
                dataset_type="bias",
                begin_date=day(begin + 0.25),
                end_date=day(end),
                detector=dice.choice([(0,), ()]),
            )
            with contextlib.suppress(ConflictError, NotFoundError):  # there may be nothing to take out
                repo.do(taken_out)
        repo.add_chain(base, [into])
        tickets.append(base)
    repo.add_run(f"{TOP}/DM-4/t/biasGen.20250101a", DETECTORS[:1])
    repo.add_chain("LSSTComCam/nested", dice.sample(tickets, 2))
    members = [*dice.sample(tickets, 2), "LSSTComCam/nested"]
    dice.shuffle(members)
    if dice.random() < 0.5:
        members.append(f"{TOP}/DM-4/t/biasGen.20250101a")
    repo.add_chain(TOP, members)


@pytest.mark.parametrize("seed", range(6))
def test_home_timeline_and_explain_agree(make_repo: Any, seed: int) -> None:
    repo, dice = make_repo(camera="LSSTComCam:mini", kind="test"), random.Random(seed)
    build(repo, dice)
    instants = [day(dice.uniform(-1, 13)) for _ in range(8)]
    edges = [day(number) for number in dice.sample(range(12), 4)]
    short = repo.add_exposures([*instants, *edges], length_s=1e-9)
    long = repo.add_exposures([day(number - 0.2) for number in dice.sample(range(12), 5)], length_s=0.5 * 86_400)
    kinds = set()
    for detector in DETECTORS:
        for exposure in [*short, *long]:
            told = repo.ask(Explain(exposure=str(exposure), detector=detector)).data
            winner = told["winner"]["dataset_id"] if told["winner"] else ""
            look = timeline_look(repo.context, dataset_type="bias", detector=detector, exposure=exposure)
            panel = cursor_look(look, look.at_tai_ns, look.until_tai_ns)
            assert (panel.winner.dataset_id if panel.winner else "") == winner
            assert panel.is_ambiguous == told["is_ambiguous"]
            shown = sorted((one.collection, one.dataset_id, one.answer) for one in panel.verdicts)
            explained = ((one["collection"], one["dataset_id"], one["verdict"]) for one in told["candidates"])
            assert shown == sorted(one for one in explained if one[1])
            kinds |= {one.answer for one in panel.verdicts}
            if exposure in short:
                row = row_at(look.wins, look.at_tai_ns)
                assert row == (panel.winner.number if panel.winner else 0)
                home = home_look(repo.context, at=ns_to_iso(look.at_tai_ns))
                used = {
                    number: dataset
                    for one in home.rows
                    for number, dataset in zip(one.detectors, one.dataset_ids, strict=False)
                    if not one.is_missing
                }
                assert used.get(detector, "") == winner
                lacking = [one.detectors for one in home.rows if one.is_missing]
                assert any(detector in one or not one for one in lacking) == (not winner)
    assert WINS in kinds
    assert kinds - {WINS, AMBIGUOUS}  # something lost, too
