"""The command line: one verb per command, made from its declaration."""

from calibstore.cli.main import group, main

__all__ = ["group", "main"]
