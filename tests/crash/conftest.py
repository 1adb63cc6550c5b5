"""The stages of the walk, for crashes in the middle of its lines."""

from tests.support.stages import stage, works_here

__all__ = ["stage", "works_here"]
