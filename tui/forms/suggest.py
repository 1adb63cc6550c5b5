"""What is known to the store and may stand in a field: tickets, collections, instruments."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calibstore.services.context import Context
    from calibstore.services.looks.recipes import RecipesLook

Known = Mapping[str, tuple[str, ...]]
"""Field name to values."""


def known_things(context: "Context") -> "tuple[Known, RecipesLook]":
    """Ask the store what may stand in fields, and how each calibration type is made (runs in the store thread)."""
    from calibstore.services.looks.recipes import recipes_look

    recipes = recipes_look(context)
    types = tuple(one.name for one in recipes.types())
    certified = tuple(dict.fromkeys(one.dataset_type.name for one in recipes.types() if one.is_certifiable))
    return {**known_values(context), "calib_type": types, "dataset_type": certified}, recipes


def known_values(context: "Context") -> Known:
    """Ask the store what may be completed (runs in the store thread)."""
    from calibstore.commands.campaigns import CampaignList
    from calibstore.commands.store import QueryCollections
    from calibstore.services.doors import ask

    campaigns: Any = ask(CampaignList(), context).data
    collections: Any = ask(QueryCollections(chains="table"), context).data

    def named(*types: str) -> tuple[str, ...]:
        return tuple(one["name"] for one in collections if one["type"] in types)

    tickets = tuple(dict.fromkeys(one["ticket"] for one in reversed(campaigns)))
    return {
        "ticket": tickets,
        "instrument": tuple(dict.fromkeys(one["instrument"] for one in campaigns)),
        "run": named("RUN"),
        "collection": named("CALIBRATION", "CHAINED"),
        "parent": named("CHAINED"),
        "children": named("CHAINED", "CALIBRATION"),
        "collections": named("CHAINED", "CALIBRATION"),
    }


def completed(known: Known, name: str, text: str) -> str:
    """Return the first known value that goes on from a text; empty when there is none."""
    return next((one for one in known.get(name, ()) if text and one.startswith(text) and one != text), "")
