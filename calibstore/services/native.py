"""Lines of the observatory's own tools, quoted for a shell: every change can be done without Cabstand."""

import shlex
from pathlib import Path


def butler(subcommand: str, repository: Path | str, *words: str) -> str:
    """Return a `butler` line.

    Parameters
    ----------
    subcommand : str
        E.g. ``collection-chain``.
    repository : Path or str
        The repository argument.
    *words : str
        Options and arguments after it.
    """
    return shlex.join(["butler", subcommand, str(repository), *words])
