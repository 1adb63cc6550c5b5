"""The small queries of the first screen and the timeline."""

from typing import Any

from calibstore.model.campaign_records import DecisionRecord
from calibstore.model.timespan import Timespan
from calibstore.services.segments import load_view

TOP, OLD = "LATISS/calib", "LATISS/calib/DM-1"
DAY_NS = 86_400_000_000_000


def test_exposures_are_counted_by_where_they_begin(strict_repo: Any) -> None:
    strict_repo.add_exposures(["2025-01-01T00:00:00", "2025-01-01T20:00:00", "2025-01-03T00:00:00"])
    begin = 1_735_689_600_000_000_000
    with strict_repo.context.unit_of_work() as uow:
        counts = uow.exposures.counts_by_cell("LATISS", begin, DAY_NS, 10)
        assert counts == {0: 2, 2: 1}
        assert uow.exposures.counts_by_cell("LATISS", begin - 5 * DAY_NS, DAY_NS, 5) == {}
        assert uow.exposures.count_begun("LATISS", Timespan(begin, begin + DAY_NS)) == 2
        spans = uow.exposures.begun_in("LATISS", Timespan(begin + 1, begin + 3 * DAY_NS))
        assert [span.begin_tai_ns - begin for span, _ in spans] == [72_000_000_000_000, 2 * DAY_NS]
        assert uow.exposures.last_begin("LATISS", begin + 2 * DAY_NS) == (begin + 72_000_000_000_000, 20250101)
        assert uow.exposures.last_begin("LATISS", begin) is None


def test_camera_changes_tell_the_last_one_of_each_keyword(strict_repo: Any) -> None:
    for day, state in ((1, "a"), (2, "b"), (3, "c")):
        strict_repo.add_exposures([f"2025-01-0{day}T00:00:00"], camera_state={"SEQFILE": state, "ODP": "on"})
    with strict_repo.context.unit_of_work() as uow:
        ((event, n),) = uow.exposures.camera_changes("LATISS", Timespan())
        assert (event.keyword, event.old_value, event.new_value, n) == ("SEQFILE", "b", "c", 2)
        assert uow.exposures.camera_changes("LATISS", Timespan(event.at_tai_ns + 1)) == ()


def test_links_are_read_as_they_were_at_a_state(strict_repo: Any) -> None:
    first = strict_repo.live("DM-1", "2025-01-01")
    with strict_repo.context.unit_of_work() as uow:
        before = uow.journal.last_state()
    second = strict_repo.live("DM-2", "2025-02-01")
    strict_repo.add_chain(TOP, ["LATISS/calib/DM-2"])
    with strict_repo.context.unit_of_work() as uow:
        then = load_view(uow, [TOP], at_state=before).segments([TOP])
        now = load_view(uow, [TOP]).segments([TOP])
        nothing = load_view(uow, [TOP], at_state=0).segments([TOP])
    assert [member.name for member in then.members] == [first]
    assert [member.name for member in now.members] == [second]
    assert nothing.members == ()


def test_the_newest_decision_of_each_ticket_counts(strict_repo: Any) -> None:
    def decided(ticket: str, status: str) -> DecisionRecord:
        return DecisionRecord(ticket=ticket, outcome="adopt", status=status, people=("Ada",))

    strict_repo.write(lambda uow, state: uow.campaigns.insert_decision(decided("DM-1", "Adopted"), state=state))
    strict_repo.write(lambda uow, state: uow.campaigns.insert_decision(decided("DM-2", "Adopted"), state=state))
    strict_repo.write(lambda uow, state: uow.campaigns.insert_decision(decided("DM-1", "Rejected"), state=state))
    with strict_repo.context.unit_of_work() as uow:
        assert uow.campaigns.newest_decisions() == {"DM-1": "Rejected", "DM-2": "Adopted"}


def test_inputs_that_are_exposures_are_no_parents(strict_repo: Any) -> None:
    (exposure,) = strict_repo.add_exposures(["2025-01-01T00:00:00"])
    raw = strict_repo.add_raw(exposure)
    (parent,) = strict_repo.add_run("LATISS/calib/DM-1/t/biasGen.20250101a", [0])
    (child,) = strict_repo.add_run(
        "LATISS/calib/DM-1/t/biasGen.20250101b", [0], inputs=((raw, "raw"), (parent.id, "bias"))
    )
    with strict_repo.context.unit_of_work() as uow:
        assert uow.datasets.calibration_inputs([child.id, parent.id]) == (
            (child.id, parent.id, "bias", parent.data_key),
        )
