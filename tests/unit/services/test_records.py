"""The journal verb: who did what, when and why; Markdown for the ticket; the seals."""

import sqlite3
from typing import Any

import pytest

from calibstore.commands.campaigns import Decide
from calibstore.commands.repository import ShowJournal
from calibstore.errors import NotFoundError, StoreError, UserInputError

TICKET = "DM-48520"


def test_the_table_tells_line_user_and_reason(campaign: Any) -> None:
    campaign.ready().hail()
    campaign.do(Decide(ticket=TICKET, outcome="defer", people=("Ann",)), reason="no quorum")
    answer = campaign.repo.ask(ShowJournal(ticket=TICKET))
    text = "\n".join(answer.lines)
    assert "$ cabstand decide DM-48520 defer --people Ann --reason 'no quorum'" in text
    assert "because: no quorum" in text
    assert {row["ticket"] for row in answer.data} == {TICKET}
    assert answer.data[-1]["user"] == "ada"
    assert answer.data == sorted(answer.data, key=lambda row: row["state"])


def test_last_counts_from_the_newest(campaign: Any) -> None:
    everything = campaign.repo.ask(ShowJournal()).data
    assert campaign.repo.ask(ShowJournal(last=2)).data == everything[-2:]
    with pytest.raises(UserInputError):
        campaign.repo.ask(ShowJournal(last=0))


def test_markdown_is_the_same_each_time_and_holds_the_whole_story(campaign: Any) -> None:
    campaign.ready(failing=["noise_ratio"]).hail()
    waiver = "test=noise_ratio,detector=0,amp=C00,reason=known,who=Ann,expires=2026-01-01"
    campaign.do(Decide(ticket=TICKET, outcome="adopt_with_waivers", people=("Ann",), waive=(waiver,)))
    asked = ShowJournal(ticket=TICKET, markdown=True)
    text = "\n".join(campaign.repo.ask(asked).lines)
    assert text == "\n".join(campaign.repo.ask(asked).lines)
    for part in (
        "# Journal of DM-48520: LATISS bias DP1",
        "cabstand campaign inputs DM-48520 bias --where",
        "bias, to build: 8 exposures",
        "strict FAIL (8 build, 3 independent exposures)",
        f"waiver: {waiver}",
        "ADOPT_WITH_WAIVERS (Adopted) by Ann",
        "export TICKET=DM-48520",
        "butler certify-calibrations",
    ):
        assert part in text, part
    assert text.count("```") % 2 == 0


def test_an_altered_entry_is_named(campaign: Any) -> None:
    campaign.choose()
    answer = campaign.repo.ask(ShowJournal(verify=True))
    assert answer.data["first_altered"] is None
    with sqlite3.connect(campaign.repo.context.store_path) as connection:
        connection.execute("update journal set reason = 'because' where state = 3")
    connection.close()
    with pytest.raises(StoreError) as caught:
        campaign.repo.ask(ShowJournal(verify=True))
    assert caught.value.exit_code == 7
    assert "state 3: " in caught.value.message


def test_a_ticket_without_entries_is_not_found(campaign: Any) -> None:
    with pytest.raises(NotFoundError):
        campaign.repo.ask(ShowJournal(ticket="DM-1"))
