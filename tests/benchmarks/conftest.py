"""Repositories for benchmarks, and one thread for linear algebra, as the workers have."""

import os

# Before numpy is loaded: its threads wait busily, and CPU time then measures the other load of the machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tests.support.stages import kept_stage, stage, works_here

__all__ = ["kept_stage", "stage", "works_here"]
