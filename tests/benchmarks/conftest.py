"""Repositories for benchmarks."""

from tests.support.stages import kept_stage, stage, works_here

__all__ = ["kept_stage", "stage", "works_here"]
