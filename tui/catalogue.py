"""The views there are: name, number key, titles; a view's module is imported when it is first shown."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from tui.views.base import View


@dataclass(frozen=True, slots=True)
class Listed:
    """One view of the row of views."""

    name: str
    key: str
    """Number key; empty: reached otherwise."""
    title: str
    short: str
    home: str
    """Module and class."""
    help: str


VIEWS: Final = (
    Listed("home", "1", "Home", "Home", "tui.views.home:HomeView", "What is in use now, alarms, open work."),
    Listed(
        "collections", "2", "Collections", "Coll", "tui.views.collections:CollectionsView",
        "Chains in search order, RUNs, what is in them.",
    ),
    Listed(
        "timeline", "3", "Timeline", "Time", "tui.views.timeline:TimelineView",
        "Which calibration is valid when, which one wins, and why.",
    ),
    Listed("raws", "4", "Raws", "Raws", "tui.views.raws:RawsView", "Raw exposures: build a selection, see its faults."),
    Listed("data", "5", "Data", "Data", "tui.views.data:DataView", "Pictures of calibrations, amplifier by amplifier."),
    Listed("metrics", "6", "Metrics", "Metr", "tui.views.metrics:MetricsView", "Tests, limits, failures, history."),
    Listed(
        "checklist", "7", "Checklist", "Chck", "tui.views.checklist:ChecklistView",
        "The nine items of a ticket, each with what to do next.",
    ),
    Listed("jobs", "8", "Jobs", "Jobs", "tui.views.jobs:JobsView", "What is running, what failed, its log."),
    Listed("journal", "9", "Journal", "Jrnl", "tui.views.journal:JournalView", "Who did what, when and why."),
    Listed("do", "", "Form", "Form", "tui.forms.view:FormView", "A command as a form."),
)  # fmt: skip

BY_NAME: Final = {one.name: one for one in VIEWS}


def load_view(listed: Listed) -> "type[View]":
    """Import a view's class."""
    module, name = listed.home.split(":")
    return cast("type[View]", getattr(importlib.import_module(module), name))
