"""The declared actions and questions: one frozen dataclass a verb."""

from calibstore.commands import (
    campaigns,
    collections,
    curated,
    generation,
    outside,
    ranges,
    raws,
    removal,
    repository,
    sites,
    states,
    store,
    verification,
    views,
)
from calibstore.commands.fields import Command, build, from_json, registered, to_argv, to_json, to_line

__all__ = [
    "Command",
    "build",
    "campaigns",
    "collections",
    "curated",
    "from_json",
    "generation",
    "outside",
    "ranges",
    "raws",
    "registered",
    "removal",
    "repository",
    "sites",
    "states",
    "store",
    "to_argv",
    "to_json",
    "to_line",
    "verification",
    "views",
]
