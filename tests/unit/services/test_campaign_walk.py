"""The checklist walked with real jobs: select, build, not ok, build again, verify, report, certify, hail, adopt."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from calibstore.cli.verbs import add_verbs
from calibstore.commands import build, registered
from calibstore.commands.campaigns import CampaignNew, CampaignShow
from calibstore.commands.fields import asked_fields
from calibstore.commands.generation import Spot
from calibstore.commands.raws import Ingest

TICKET = "DM-48520"


def read(line: str) -> Any:
    """Return the command of a ``cabstand`` line by the real command line's own parser."""
    import click

    words = shlex.split(line.split("  #", maxsplit=1)[0])[1:]
    group = click.Group("cabstand")
    add_verbs(group)
    verb = [words[0]] if words[0] in registered() else words[:2]
    found: Any = group
    for word in verb:
        found = found.commands[word]
    context = found.make_context(" ".join(verb), words[len(verb) :])
    cls = registered()[" ".join(verb)]
    names = {one.name for one in asked_fields(cls)}
    return build(cls, {name: value for name, value in context.params.items() if name in names})


@pytest.mark.usefixtures("jobs_here")
def test_the_next_lines_lead_from_the_ticket_to_adopted(
    make_repo: Callable[..., Any], simulated_biases: Callable[..., Any]
) -> None:
    repo = make_repo(now="2025-06-01T12:00:00")
    repo.do(Ingest(paths=(str(simulated_biases("LATISS:mini", 5, 2, 0)),)))
    repo.do(CampaignNew(instrument="LATISS", ticket=TICKET, tag="DP1"))
    typed: list[str] = []
    has_complained = False
    while len(typed) < 15:
        answer = repo.ask(CampaignShow(ticket=TICKET))
        state = {row["key"]: row["state"] for row in answer.data["items"]}
        if state["hail"] == "done":
            break
        line = answer.data["next"][0]
        command = read(line.replace("TAXICAB-NUMBER", "TAXICAB-1").replace("WHY", "known").replace("NAME", "Ann"))
        if command.verb == "spot" and not has_complained:
            has_complained = True
            command = Spot(calib_type="bias", ticket=TICKET, not_ok=True, comment="ghost", redo_without=("2",))
        elif command.verb == "spot":
            command = Spot(calib_type="bias", ticket=TICKET, ok=True)
        typed.append(command.verb)
        repo.do(command)
    assert typed == [
        "campaign inputs",
        "generate",
        "spot",
        "generate",
        "spot",
        "campaign inputs",
        "verify",
        "report",
        "certify-calibrations",
        "hail",
        "decide",
    ]
    with repo.context.unit_of_work() as uow:
        build_list = uow.campaigns.selection(TICKET, "bias", "build")
        verification = uow.verifications.latest(TICKET, "bias")
        (decision,) = uow.campaigns.decisions(TICKET)
    assert [reason for _, reason in build_list.exclusions] == ["ghost"]
    assert (verification.n_in_build, verification.n_independent) == (4, 2)
    assert verification.candidate_run.endswith("biasGen.20250601b")
    assert decision.is_adopted
    assert {waiver.amplifier for waiver in decision.waivers} >= {"C04"}  # the planted one
