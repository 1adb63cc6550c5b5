"""Another Cabstand repository, opened from this one."""

from dataclasses import replace
from pathlib import Path

from calibstore.config import STORE_FILE
from calibstore.errors import NotFoundError, UserInputError
from calibstore.services.context import Context


def other_repository(context: Context, location: str) -> Context:
    """Return the surroundings of an action in another repository: same person, clock and reason.

    What was confirmed and seen here was said of this repository's states: it does not hold there.

    Parameters
    ----------
    context : Context
        Surroundings here.
    location : str
        Folder of the other repository, or a name of the configuration.

    Raises
    ------
    NotFoundError
        If there is no repository.
    UserInputError
        If it is this one, or its ``cabstand.toml`` has a wrong entry.
    """
    root = Path(context.config.repositories.get(location, location)).expanduser().absolute()
    other = replace(context, root=root, confirmed="", seen=None)
    if not other.has_store:
        raise NotFoundError(
            f"no Cabstand repository at {root}",
            hint=f"give the folder that holds {STORE_FILE}, or make one: cabstand init {root} --camera NAME",
            code="E-NOREPO",
        )
    if root.resolve() == context.root.resolve():
        raise UserInputError(f"{root} is this repository itself", hint="that is the destination: home", code="E-ITSELF")
    return other
