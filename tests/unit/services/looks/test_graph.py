"""The dependency graph for the screen: states, work, ages and the next line of every type."""

from dataclasses import replace
from typing import Any

from calibstore.model.job_records import JobRecord
from calibstore.services.looks.graph import graph_look, with_work, work_look

BOOT = "LATISS/calib/DM-1/test/biasBootstrapGen.20250601a/run1"
WHERE = "instrument='LATISS' and exposure.observation_type='bias'"
BIAS = "LATISS/calib/DM-1/test/biasGen.20250601a"


def add_job(repo: Any, calib_type: str, run: str, *, status: str) -> None:
    def change(uow: Any, state: int) -> None:
        record = JobRecord(
            id=f"20250601-{state:04d}", kind="generate", ticket="DM-1", calib_type=calib_type, run=run, status=status,
            submitted_tai_ns=repo.context.clock(),
        )  # fmt: skip
        uow.jobs.insert(record, ["a:0", "a:1", "a:2"], state=state)
        first, second, _ = uow.jobs.quanta(record.id)
        uow.jobs.set_quantum(record.id, replace(first, status="done"))
        uow.jobs.set_quantum(record.id, replace(second, status="failed", error="disk full"))

    repo.write(change)


def test_a_fresh_ticket_can_begin_with_the_first_bootstrap_and_all_else_waits(bias_repo: Any) -> None:
    repo = bias_repo()
    look = graph_look(repo.context, "", ticket="DM-1")
    assert (look.instrument, look.scheme, look.tickets) == ("LATISS", "new", ("DM-1",))
    first, dark = look.node("biasBootstrap"), look.node("darkBootstrap")
    assert first is not None
    assert dark is not None
    assert (first.state, first.is_ready, first.next) == ("missing", True, "cabstand generate biasBootstrap DM-1")
    assert (dark.is_ready, dark.waits) == (False, ("biasBootstrap",))
    assert "darkBootstrap" in first.gives
    flat = look.node("flat")
    assert flat is not None
    assert flat.generate == "cabstand generate flat DM-1 --band BAND"
    names = [one.name for one in look.nodes]
    assert all(names.index(parent) < names.index(one.name) for one in look.nodes for parent in one.parents)
    assert any("combine" in step for step in first.steps)
    assert any(text.startswith("n_sigma=3") for text in first.parameters)
    assert not look.is_running


def test_without_a_ticket_nothing_is_built_for_one(bias_repo: Any) -> None:
    repo = bias_repo()
    look = graph_look(repo.context, "LATISS")
    assert look.ticket == ""
    assert {one.generate for one in look.nodes} == {""}


def test_what_is_made_and_not_certified_is_certified_next(bias_repo: Any, jobs_here: None) -> None:
    from calibstore.commands.generation import Generate

    repo = bias_repo()
    repo.do(Generate(calib_type="biasBootstrap", ticket="DM-1", where=WHERE))
    repo.do(Generate(calib_type="bias", ticket="DM-1", where=WHERE))
    look = graph_look(repo.context, "LATISS", ticket="DM-1")
    boot, bias = look.node("biasBootstrap"), look.node("bias")
    assert boot is not None
    assert bias is not None
    assert (boot.state, boot.run, boot.ticket, boot.is_to_certify) == ("made", BOOT, "DM-1", False)
    assert (bias.state, bias.run, bias.is_to_certify) == ("missing", BIAS, True)
    assert bias.age == "now"
    assert bias.next.startswith(f"cabstand certify-calibrations {BIAS} LATISS/calib/DM-1/test/bias.20250601a bias")


def test_jobs_at_work_and_failed_ones_are_told_with_their_lines(bias_repo: Any) -> None:
    repo = bias_repo()
    add_job(repo, "bias", BIAS, status="failed")
    look = graph_look(repo.context, "LATISS", ticket="DM-1")
    bias = look.node("bias")
    assert bias is not None
    assert bias.work is not None
    assert (bias.work.status, bias.work.n_done, bias.work.n_failed, bias.work.n_quanta) == ("failed", 1, 1, 3)
    assert bias.next == f"cabstand jobs --resume {bias.work.job}"
    add_job(repo, "bias", BIAS, status="running")  # nobody runs it
    again = with_work(look, work_look(repo.context, look)).node("bias")
    assert again is not None
    assert again.work is not None
    assert again.work.status == "dead"
    add_job(repo, "bias", BIAS, status="done")
    assert "bias" not in work_look(repo.context, look)
