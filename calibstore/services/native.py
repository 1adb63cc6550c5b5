"""Lines of the observatory's own tools, quoted for a shell: every change can be done without Cabstand."""

from pathlib import Path

from calibstore.commands.fields import quoted
from calibstore.config import load_repository_file


def place(repository: Path | str) -> str:
    """Return what native lines call a repository: of a companion, the Butler repository it belongs to."""
    return load_repository_file(Path(repository)).butler or str(repository)


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
    return " ".join(quoted(word) for word in ("butler", subcommand, place(repository), *words))


def butler_python(repository: Path | str, call: str, *, imports: str = "Butler") -> str:
    """Return a line that calls the Butler's Python interface, for what its command line cannot do.

    Parameters
    ----------
    repository : Path or str
        The repository.
    call : str
        What is called on the Butler, e.g. ``collections.redefine_chain('a', [])``.
    imports : str
        Names from ``lsst.daf.butler``.
    """
    opened = f"Butler.from_config({place(repository)!r}, writeable=True)"
    return f"python -c {quoted(f'from lsst.daf.butler import {imports}; {opened}.{call}')}"
