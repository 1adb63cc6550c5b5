"""The eight questions of new staff (DMTN-222 appendix) and one more, each with an answer and the screen for it."""

from dataclasses import dataclass
from typing import Final

from tui.places import Place


@dataclass(frozen=True, slots=True)
class Answer:
    """One question."""

    question: str
    text: tuple[str, ...]
    """Paragraphs."""
    place: Place


ANSWERS: Final = (
    Answer(
        "list the calibrations there are?",
        (
            "View 2 shows every collection: chains as trees, in the order in which they are searched. Enter shows "
            "what a collection holds, for which dates, and who certified it.",
            "On the shell: cabstand query-collections, cabstand query-datasets bias",
        ),
        Place("collections"),
    ),
    Answer(
        "get at the metrics and the plots?",
        (
            "View 6 shows the tests of a verification with limits, worst amplifier and history; view 5 the pictures. "
            "From any collection m and d lead there.",
            "The report (one HTML file) is made in item 5 of the checklist.",
        ),
        Place("metrics"),
    ),
    Answer(
        "know which calibrations are, or were, used?",
        (
            "View 3 shows, for each type, which certification wins at which time, and why the others lose. g goes to "
            "a date, a night or an exposure.",
            "On the shell: cabstand explain EXPOSURE DETECTOR TYPE",
        ),
        Place("timeline"),
    ),
    Answer(
        "apply calibrations to an exposure?",
        (
            "Processing finds them by itself through the top chain. To look at one exposure: cabstand process, here as "
            "a form. It writes which calibration (with its UUID) was applied.",
        ),
        Place("do", ("process",)),
    ),
    Answer(
        "make a new calibration?",
        (
            "Open a ticket in view 7 (n) and follow its nine items: choose exposures, generate, look at the picture. "
            "Each item says what to look at and what goes wrong.",
        ),
        Place("checklist"),
    ),
    Answer(
        "validate one?",
        (
            "Item 4 of the checklist applies the candidate to the exposures it was made of and to independent ones, "
            "and judges what is left by two tiers of limits. View 6 shows the result.",
        ),
        Place("checklist", (), {"item": "4"}),
    ),
    Answer(
        "certify one?",
        (
            "After the report, the checklist offers certify with every name filled in. The preview says which "
            "exposures change from what to what. Certified is not live: the board decides first.",
        ),
        Place("checklist", (), {"item": "certify"}),
    ),
    Answer(
        "export it, and import it elsewhere?",
        (
            "Item 8 of the checklist, once Adopted: live at home first, then per site: export, import, chain, proof "
            "of use. cabstand deploy does it step by step.",
        ),
        Place("checklist", (), {"item": "8"}),
    ),
    Answer(
        "undo a change?",
        (
            "The states (s in view 9) say of every change whether it can be taken back: u opens the form that does so "
            "in a new state, and it is refused where somebody changed the same thing since. R gives a chain an earlier "
            "list.",
            "A draft in view 0 is not written yet: there u takes a step back. On the shell: cabstand undo, redo, "
            "restore, rollback; cabstand history NAME tells what was done.",
        ),
        Place("states"),
    ),
)
