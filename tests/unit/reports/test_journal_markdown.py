"""The journal as Markdown: one line an entry, whatever people typed."""

from calibstore.model.records import JournalEntry
from calibstore.reports.journal_markdown import JournalData, JournalJob, JournalSelection, journal_markdown

ENTRY = JournalEntry(
    state=4,
    at_tai_ns=1_748_779_200_000_000_000,
    user="ada",
    host="here",
    verb="spot",
    line="cabstand spot bias DM-1 --ok",
    reason="two\nlines",
    summary="looked\nat it",
    native=("butler retrieve-artifacts",),
    hash="ff",
)


def test_line_breaks_of_people_do_not_break_the_block() -> None:
    text = journal_markdown(JournalData(title="Journal", entries=(ENTRY,)))
    assert "# 4  2025-06-01T12:00:00 TAI (2025-06-01T11:59:23 UTC)  ada on here: looked at it" in text
    assert "#    because: two lines" in text
    assert text.count("```") == 4
    assert "sealed by `ff`" in text


def test_empty_parts_are_left_out_and_cells_stay_cells() -> None:
    assert "## Jobs" not in journal_markdown(JournalData(title="t", entries=()))
    job = JournalJob(job="1", kind="generate", run="r", status="failed", error="a | b")
    chosen = JournalSelection(
        calib_type="bias", purpose="build", where="w", n_exposures=2, exclusions=((7, "why"),), is_replaced=True
    )
    text = journal_markdown(JournalData(title="t", entries=(), jobs=(job,), selections=(chosen,)))
    assert "| 1 | generate | r | failed | a \\| b |" in text
    assert "- bias, to build (replaced later): 2 exposures, `w`" in text
    assert "  - excluded 7: why" in text
