"""The command line: one verb per command, made from its declaration."""

from calibstore.cli.program import group, main

__all__ = ["group", "main"]
