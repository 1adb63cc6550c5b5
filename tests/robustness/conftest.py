"""Repositories that are kept, or one's own to spoil."""

from tests.support.stages import at_stage, kept_stage, stage, works_here

__all__ = ["at_stage", "kept_stage", "stage", "works_here"]
