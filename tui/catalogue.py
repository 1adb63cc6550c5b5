"""The views there are: name, number key, titles; a view's module is imported when it is first shown."""

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from calibstore.errors import UserInputError
from tui.places import Place

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
    word: str = ""
    """What its one word is, e.g. a ticket; empty: it takes none."""
    options: tuple[str, ...] = ()
    """Options that its places have."""


VIEWS: Final = (
    Listed("home", "1", "Home", "Home", "tui.views.home:HomeView", "What is in use now, alarms, open work.",
           options=("at", "instrument")),
    Listed(
        "collections", "2", "Collections", "Coll", "tui.views.collections:CollectionsView",
        "Chains in search order, RUNs, what is in them.", word="COLLECTION", options=("type", "as", "show", "filter"),
    ),
    Listed(
        "timeline", "3", "Timeline", "Time", "tui.views.timeline:TimelineView",
        "Which calibration is valid when, which one wins, and why.", word="TYPE",
        options=("at", "exposure", "detector", "filter", "chain", "from", "to", "with", "state", "instrument"),
    ),
    Listed("raws", "4", "Raws", "Raws", "tui.views.raws:RawsView", "Raw exposures: build a selection, see its faults.",
           word="TICKET", options=("ticket", "for", "type", "purpose", "where")),
    Listed("data", "5", "Data", "Data", "tui.views.data:DataView", "Pictures of calibrations, amplifier by amplifier.",
           word="TYPE",
           options=("run", "ticket", "collection", "detector", "compare", "stretch", "map", "axes", "page", "row")),
    Listed("metrics", "6", "Metrics", "Metr", "tui.views.metrics:MetricsView", "Tests, limits, failures, history.",
           word="TICKET", options=("type", "run", "tier", "test", "detector", "amp", "why")),
    Listed(
        "checklist", "7", "Checklist", "Chck", "tui.views.checklist:ChecklistView",
        "The nine items of a ticket, each with what to do next.", word="TICKET", options=("item",),
    ),
    Listed("jobs", "8", "Jobs", "Jobs", "tui.views.jobs:JobsView", "What is running, what failed, its log.",
           word="JOB"),
    Listed("journal", "9", "Journal", "Jrnl", "tui.views.journal:JournalView", "Who did what, when and why.",
           word="STATE", options=("filter", "ticket", "show")),
    Listed("chains", "0", "Chains", "Chns", "tui.views.chains:ChainsView",
           "A chain's list under work: draft, effect, apply.", word="CHAIN", options=("show",)),
    Listed("states", "", "States", "Stat", "tui.views.states:StatesView",
           "States of the repository: undo one, give a chain an earlier list.", options=("of",)),
    Listed("graph", "", "Graph", "Grph", "tui.views.graph:GraphView",
           "Which calibration is made from which: made, missing, stale, in work.", word="TYPE",
           options=("ticket", "at", "instrument")),
    Listed("do", "", "Form", "Form", "tui.forms.view:FormView", "A command as a form."),
)  # fmt: skip

BY_NAME: Final = {one.name: one for one in VIEWS}


def load_view(listed: Listed) -> "type[View]":
    """Import a view's class."""
    module, name = listed.home.split(":")
    return cast("type[View]", getattr(importlib.import_module(module), name))


def check_place(place: Place) -> None:
    """Refuse a place that was typed and names no view, or words and options its view does not have.

    Raises
    ------
    UserInputError
        With the nearest name, or all of them.
    """
    views = [name for name in BY_NAME if name != "do"]
    if place.view == "do":
        return
    if place.view and place.view not in BY_NAME:
        near = difflib.get_close_matches(place.view, views, n=1)
        hint = f"did you mean {near[0]}?" if near else f"views: {', '.join(views)}"
        raise UserInputError(f"no view {place.view!r}", hint=hint, code="E-VIEW")
    listed = BY_NAME.get(place.view)
    known, taken = (listed.options, bool(listed.word)) if listed else ((), False)
    name = f"the view {place.view}" if listed else "cabstand ui"
    for one in place.options:
        if one not in known:
            near = difflib.get_close_matches(one, known, n=1)
            hint = f"did you mean --{near[0]}?" if near else _options_hint(known)
            raise UserInputError(f"{name} has no option --{one}", hint=hint, code="E-PLACE")
    if len(place.words) > taken:
        extra = " ".join(place.words[int(taken) :])
        hint = f"{place.view} {listed.word} and its options" if listed and taken else "leave it out"
        raise UserInputError(f"{name} cannot do with {extra!r}", hint=hint, code="E-PLACE")


def _options_hint(known: tuple[str, ...]) -> str:
    return "its options: " + ", ".join(f"--{one}" for one in known) if known else "cabstand ui --help"
