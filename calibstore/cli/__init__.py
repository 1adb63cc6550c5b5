"""The command line: one verb per command, made from its declaration."""

from calibstore.cli.program import main

__all__ = ["main"]
