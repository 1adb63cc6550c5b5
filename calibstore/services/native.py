"""Lines of the observatory's own tools, quoted for a shell: every change can be done without Cabstand."""

from pathlib import Path

from calibstore.commands.fields import quoted


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
    return " ".join(quoted(word) for word in ("butler", subcommand, str(repository), *words))
