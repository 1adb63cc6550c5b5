"""The journal of a ticket as Markdown, to be pasted into it.

Deterministic: the same entries give the same text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from calibstore.model.records import JournalEntry
from calibstore.model.times import ns_to_iso, utc_text


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSelection:
    """A choice of exposures, as the journal tells it."""

    calib_type: str
    purpose: str
    where: str
    n_exposures: int
    exclusions: tuple[tuple[int, str], ...]
    is_replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalJob:
    """A job and what became of it."""

    job: str
    kind: str
    run: str
    status: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalData:
    """All that the Markdown shows."""

    title: str
    entries: tuple[JournalEntry, ...]
    selections: tuple[JournalSelection, ...] = ()
    jobs: tuple[JournalJob, ...] = ()
    verdicts: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()


def journal_markdown(data: JournalData) -> str:
    """Return the journal as Markdown.

    Parameters
    ----------
    data : JournalData
        What it shows; parts that are empty are left out.
    """
    blocks = [f"# {data.title}", _commands(data.entries)]
    if data.selections:
        blocks.append(_selections(data.selections))
    if data.jobs:
        rows = [(job.job, job.kind, job.run, job.status, job.error) for job in data.jobs]
        blocks.append(f"## Jobs\n\n{_table(('job', 'kind', 'RUN', 'outcome', 'error'), rows)}")
    for title, lines in (("Verdicts", data.verdicts), ("Decisions", data.decisions)):
        if lines:
            blocks.append("\n".join([f"## {title}", "", *(f"- {_one_line(line)}" for line in lines)]))
    native = [line for entry in data.entries for line in entry.native]
    if native:
        head = "## The same with the observatory's own tools"
        blocks.append("\n".join([head, "", "```", *native, "```"]))
    last = data.entries[-1].hash if data.entries else "none"
    blocks.append(f"Journal sealed by `{last}`; `cabstand journal --verify` checks it.")
    return "\n\n".join(blocks) + "\n"


def _commands(entries: Sequence[JournalEntry]) -> str:
    lines = ["## What was done", "", "```"]
    for entry in entries:
        who = f"{entry.user} on {entry.host}"
        utc = utc_text(entry.at_tai_ns, 0)
        lines.append(
            f"# {entry.state}  {ns_to_iso(entry.at_tai_ns, 0)} TAI ({utc} UTC)  {who}: {_one_line(entry.summary)}"
        )
        if entry.reason:
            lines.append(f"#    because: {_one_line(entry.reason)}")
        lines.append(entry.line)
    return "\n".join([*lines, "```"])


def _selections(selections: Sequence[JournalSelection]) -> str:
    lines = ["## Exposures", ""]
    for one in selections:
        replaced = " (replaced later)" if one.is_replaced else ""
        lines.append(
            f"- {one.calib_type}, to {one.purpose}{replaced}: {one.n_exposures} exposures, `{_one_line(one.where)}`"
        )
        lines += [f"  - excluded {exposure}: {_one_line(reason)}" for exposure, reason in one.exclusions]
    return "\n".join(lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_one_line(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())
