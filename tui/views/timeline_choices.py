"""Which timeline is shown: of which type, filter and detector, beside which other chain."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.views.base import View

if TYPE_CHECKING:
    from calibstore.services.looks.timeline_parts import TimelineLook


class TimelineChoices(View):
    """A timeline that another one can be chosen from."""

    look: "TimelineLook | None" = None

    def other(self, words: tuple[str, ...] | None = None, options: Mapping[str, str] | None = None) -> None:
        """Show another type, detector, filter, chain or exposure, at the same instant."""
        raise NotImplementedError

    def action_next_type(self, way: int) -> None:
        """Show the next dataset type; after the last, the overview."""
        if self.look is None:
            return
        kinds = ("", *self.look.types)
        at = kinds.index(self.look.dataset_type) if self.look.dataset_type in kinds else 0
        kind = kinds[(at + way) % len(kinds)]
        self.other(words=(kind,) if kind else ())

    def action_all_types(self) -> None:
        """Show the overview."""
        self.other(words=())

    def action_next_filter(self) -> None:
        """Show the next filter."""
        look = self.look
        if look is None or not look.filters:
            self.say("this type has no filter")
            return
        at = look.filters.index(look.physical_filter) if look.physical_filter in look.filters else -1
        self.other(options={"filter": look.filters[(at + 1) % len(look.filters)]})

    def action_next_detector(self) -> None:
        """Show a detector of the next group, or the next detector where all agree."""
        look = self.look
        if look is None or not look.detectors:
            return
        if len(look.groups) > 1:
            own = next((at for at, one in enumerate(look.groups) if look.detector in one.detectors), -1)
            self.other(options={"detector": str(look.groups[(own + 1) % len(look.groups)].detectors[0])})
            return
        at = look.detectors.index(look.detector) if look.detector in look.detectors else -1
        self.other(options={"detector": str(look.detectors[(at + 1) % len(look.detectors)])})

    def action_compare(self) -> None:
        """Compare with the next chain that is not live, then with none."""
        look = self.look
        if look is None or not look.dataset_type:
            return
        if not look.pending:
            self.say(f"every ticket chain is listed in {look.top}")
            return
        known = ("", *look.pending)
        chain = known[(known.index(look.compared) + 1) % len(known) if look.compared in known else 0]
        self.other(options={"with": chain})
