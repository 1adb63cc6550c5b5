"""Prose on the fields of forms, for F1: what belongs there, in which spelling, and what follows from it."""

from typing import Final

from calibstore.commands.fields import Command
from tui.forms.model import REASON, FormField, Kind

_TIMES: Final = (
    "Times: a time without zone is TAI (2025-04-08T00:00:00); with Z or an offset it is UTC; 20250408 is a day_obs, "
    "which lasts from 12:00 TAI to 12:00 TAI of the next day: as a begin it means the start of that day, as an end "
    '"through that day". A plain MJD works too. The effect below shows every time in TAI, UTC, as day_obs and in the '
    "site's local time."
)
_SELECTION: Final = (
    "A selection says which exposures are meant, in the words of the observatory's own queries: "
    "instrument='LATISS' and exposure.observation_type='bias' and exposure.day_obs=20250408. Parts are joined with "
    "and, or, not and brackets; exposure.day_obs in (20250408, 20250411) takes several nights. A time in T'...' is "
    "UTC here, as in the Butler. View 4 builds such an expression and counts while you type."
)
_EXCLUDE: Final = (
    "One exposure a line, with the reason why it is left out: 2025040800006='light leak'. The reason is kept with the "
    "selection and shown to the board; what was left out of the build is no independent evidence either."
)
_WAIVE: Final = (
    "One waiver a line: test=noise_ratio,detector=0,amp=C04, reason=known noisy amplifier, who=A. Chair, "
    "expires=2027-01-31. It has a scope (test, detector, amplifier), a reason, a name and an end. A result that is "
    "UNKNOWN needs instead_of=what was looked at: nothing passes because it was not measured."
)
_RERUN: Final = (
    "The rerun names this attempt: the date as yyyymmdd and a letter, such as 20250408b. Left empty, the next free "
    "letter of today is taken. An earlier attempt is never overwritten."
)
_OVERRIDE: Final = (
    "Only against the workflow gate: type the name of the ticket that is not adopted. It needs a reason and the "
    "deployer's role, is written into the journal, and is shown wherever this calibration shows."
)
_PAST: Final = "Reads as everything was at that time. " + _TIMES
_TAGGED: Final = "A TAGGED collection holds each dataset type and data ID at most once, without dates."
_OF_VERB: Final[dict[tuple[str, str], str]] = {
    ("associate", "collection"): _TAGGED,
    ("disassociate", "collection"): _TAGGED,
    ("timeline", "collection"): "The chain or collection in which the search begins.",
    ("recertify", "begin_date"): "Left empty the begin stays. The old range is closed and the new one opened by the "
    "same state: at no instant is there neither. " + _TIMES,
    ("recertify", "end_date"): "Left empty the end stays. " + _TIMES,
    ("acknowledge", "states"): "Changes made outside Cabstand are observed as states of their own; acknowledging says "
    "that somebody looked at them. Nothing is changed by it.",
}
"""Where a field of one verb means something of its own."""
_BY_NAME: Final = {
    "begin_date": _TIMES,
    "end_date": _TIMES,
    "where": _SELECTION,
    "exclude": _EXCLUDE,
    "redo_without": "Ids, or the numbers of the exposures in the list of the mosaic. Not ok leads to the next rerun "
    "letter, with these left out and the fields filled in.",
    "waive": _WAIVE,
    "rerun": _RERUN,
    "override": _OVERRIDE,
    "unbounded_begin": "A range without a begin also changes what applies to every past exposure. Say yes only when "
    "that is meant; on main repositories the ticket's name must be typed as well.",
    "allow_missing": "A detector without a calibration falls back to an older one, or to none. The reason is shown "
    "to the board together with the detectors that are missing.",
    "people": "The people present when the board decided, one a line, as they want to be named in the record.",
    "outcome": "adopt: goes live as it is. adopt_with_waivers: goes live with named tests accepted. "
    "request_processing: show it on real data first. reject_rebuild: not this one; a new attempt. withdraw: the "
    "ticket's people take it back. defer: the next meeting. Only an adopted ticket may go live.",
    "detach": "Runs go on without this interface; view 8 shows how far they are. Without it this form waits, and so "
    "does every other change, until the job has ended.",
    "wait": "Waits, and so does every other change, until the job has ended. View 8 shows the same without waiting.",
    "location": "The folder of that site's Cabstand repository, as seen from here. It is kept for next time.",
    "transfer": "direct: the files stay where they are and only their places are recorded. copy: brought into the "
    "repository. link: as copy, without taking the space twice, where the file system allows it.",
    "run": "The RUN collection that holds the new calibrations, as generate named it.",
    "collection": "By the naming rule: INSTRUMENT/calib/TICKET/TAG/TYPE.YYYYMMDDx.",
    "mode": "prepend: found first from now on; what is listed already moves. extend: found only where nothing before "
    "it has an answer. remove: taken out of the list; nothing is deleted. pop: the same by place. redefine: the whole "
    "list anew; refused for live chains of main repositories. There is no default, because each changes what is in "
    "use. View 0 drafts a list and shows its effect.",
    "drop": "Members taken out by the same state, so that nobody ever sees the list half changed.",
    "base_state": "The state of the list that was looked at. If somebody changed the list since, nothing is written: "
    "the refusal says who and what, and gives the line for the list as it is now.",
    "glob": "A name, or a pattern with *; the effect names each collection that is meant, and what stands on it: links "
    "from other collections, chains, sites, exposures, products, verifications. Rows are closed and files stay, so "
    "that undo brings everything back.",
    "force": "Goes on although other things depend on them. What processing finds now is never removed: take it out "
    "of the chain first.",
    "remove_from_parents": "A chain that lists a collection protects it. Said yes, the collection is taken out of "
    "those chains by the same state.",
    "to_state": "The number of a state, as the journal and the view States (s in view 9) list them. The effect below "
    "shows the list of then beside the one of now.",
    "state": "The number of a state, as the journal and the view States (s in view 9) list them. Only changes of "
    "chains, ranges and collections are taken back, and only where nothing changed the same rows since.",
    "at_state": "Reads as everything was after that state; nothing is ever lost.",
    "as_of": _PAST,
    "of_begin": "Where a data ID is certified for several ranges in this collection, the begin of the one meant.",
    "line": "The words of another command, without cabstand before them. It is tried and thrown away: the answer "
    "tells for which dates and detectors a look-up would find something else.",
    REASON: "The reason is written into the journal beside what was done, who did it and when. Some things are only "
    "done with one: overriding a gate, a rejection, leaving detectors out.",
}

_KEYS: Final = (
    "Keys in a form: tab and shift+tab go from field to field, arrows move, space or arrows turn a choice; page up "
    "and page down move the effect; ^r runs, ^y copies the native lines, ^x throws the draft away, esc goes back and "
    "keeps it. Nothing is written before you run it, and every key is on disk within a second."
)


def field_help(cls: type[Command], field: FormField | None) -> str:
    """Return paragraphs on a field and its command, parted by blank lines."""
    parts = []
    if field is not None:
        parts.append(f"{field.label}: {field.help}.{_spelling(field)}")
        told = _OF_VERB.get((cls.verb, field.name)) or _BY_NAME.get(field.name)
        if told:
            parts.append(told)
    parts.append(f"{cls.verb}: {(cls.__doc__ or '').strip()}")
    parts.append(_KEYS)
    return "\n\n".join(parts)


def _spelling(field: FormField) -> str:
    said = " It is needed." if field.is_required else " It may be left out."
    if field.default:
        said = f" Left empty it is {field.default}."
    if field.choices:
        said += f" One of: {', '.join(field.choices)}."
    elif field.kind in (Kind.WHOLE, Kind.NUMBER):
        said += f" A {field.kind.value}."
    elif field.kind is Kind.MANY:
        said += f" One {field.example} a line."
    return said
