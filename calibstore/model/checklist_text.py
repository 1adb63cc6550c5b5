"""What each checklist item means, for people who do it for the first time: at most eight lines each."""

import textwrap
from dataclasses import dataclass
from typing import Final

from calibstore.model.workflow import find_item

HELP_WIDTH: Final = 100
"""Width at which every help fits in eight lines [characters]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHelp:
    """Help on one item."""

    what: str
    why: str
    look_at: str
    goes_wrong: str

    def lines(self, width: int = HELP_WIDTH) -> tuple[str, ...]:
        """Return the help as wrapped lines, each paragraph with its label.

        Parameters
        ----------
        width : int
            Longest line [characters].
        """
        found: list[str] = []
        for label, paragraph in (
            ("What", self.what),
            ("Why", self.why),
            ("Look at", self.look_at),
            ("Goes wrong", self.goes_wrong),
        ):
            found += textwrap.wrap(paragraph, width, initial_indent=f"{label + ':':12}", subsequent_indent=" " * 12)
        return tuple(found)


_HELP: Final = {
    "ticket": ItemHelp(
        what="Open a ticket for the work, and with it a campaign: instrument, ticket and a short tag.",
        why="The ticket number goes into every collection name, so that anyone can find later what was made and why.",
        look_at="The names shown in the preview. The tag says the reason, such as newSequencer.",
        goes_wrong="A mistyped ticket ends up in all names. Check it now: names cannot be changed later.",
    ),
    "inputs": ItemHelp(
        what="Choose the raw exposures with an expression, and leave single ones out with a reason.",
        why="A bad frame in the set spoils the result; too few frames add noise to every science image. Green is up to "
        "2.5 % (DMTN-101, though its own median of 20 frames adds 3.85 %), amber up to 5 %.",
        look_at="The count (22 frames for a clipped bias), the type, the filter, the camera state of each exposure.",
        goes_wrong="A value in the wrong case selects nothing. Frames from before and after a change of the camera "
        "do not belong in one set.",
    ),
    "generate": ItemHelp(
        what="Combine the frames. The job runs on when you close the terminal; 'cabstand jobs' shows it.",
        why="Everything is made from raw frames by one recorded recipe, so that it can be made again.",
        look_at="The mosaic: stripes, steps between amplifiers, edges, dark or bright blocks. Then say ok or not ok.",
        goes_wrong="One bad exposure shows as a faint ghost of itself. Say 'not ok', leave it out, and use the next "
        "rerun letter.",
    ),
    "verify": ItemHelp(
        what="Apply the candidate to the exposures it was made of and to other ones, and measure what is left over.",
        why="Only exposures that were not used in the build tell whether it serves other nights too.",
        look_at="Failures by amplifier, the two kinds of exposures apart, and that the candidate itself was applied.",
        goes_wrong="If an older calibration was applied, nothing was tested: the verdict is then UNKNOWN. "
        "Not measured is never a pass.",
    ),
    "report": ItemHelp(
        what="Write the report: inputs, images, metrics, failures, and what could not be measured.",
        why="It is what the board reads, and what the decision is tied to by its checksum.",
        look_at="The verdict, the list of failures, and how many independent nights stand behind it.",
        goes_wrong="A report made before the last verification describes something else. Make it again.",
    ),
    "certify": ItemHelp(
        what="Give the candidate a validity range, in its own collection and the ticket chain. It is not live yet.",
        why="Later steps find it through the ticket chain; processing does not see it before the board's decision.",
        look_at="The begin in all four clocks, the exposures on both sides of it, missing detectors, the parents used.",
        goes_wrong="A begin inside a night splits that night. TAI and UTC differ by 37 s. Leave the end open "
        "unless you build for the past.",
    ),
    "hail": ItemHelp(
        what="Put the candidate before the board (TAXICAB) with the report; then record what was decided.",
        why="Everyone who uses the camera can object before anything changes for them.",
        look_at="The text: names, range, what is replaced, failures with proposed waivers, where it will go.",
        goes_wrong="A waiver needs scope, reason, person and expiry. Code that is not reviewed yet holds it up.",
    ),
    "deployment": ItemHelp(
        what="Open a second ticket for putting it in place, linked to the first one and to the board's.",
        why="One repository after another gets it, over days; this ticket tells which ones have it.",
        look_at="All three tickets link to each other, and the list of repositories is complete.",
        goes_wrong="A repository is forgotten, or one without this camera waits for ever: mark that one n/a.",
    ),
    "distribute": ItemHelp(
        what="Once Adopted: make it live at home, export it, import it elsewhere, make it live there, prove its use.",
        why="Imported is not yet live. Only a header written by the site's own processing shows that it is used.",
        look_at="The change before you confirm it, the file permissions, the proof of use, equal fingerprints.",
        goes_wrong="Changing a chain without a mode replaces it. An export of the top chain would replace the top "
        "chain of the other site.",
    ),
    "tagging": ItemHelp(
        what="At sites that clean up by themselves, tag every dataset so that it is kept.",
        why="A cleaned file leaves a calibration that is found but cannot be read.",
        look_at="Every pair of dataset type and RUN is covered; at other sites the item reads n/a.",
        goes_wrong="A tag holds one dataset per data ID and has no ranges; never process with tagged collections.",
    ),
}


def find_help(key: str) -> ItemHelp:
    """Return the help on a row of the checklist.

    Parameters
    ----------
    key : str
        Key or number of the row, such as ``verify`` or ``4``.

    Raises
    ------
    NotFoundError
        If there is no such row.
    """
    return _HELP[find_item(key).key]
