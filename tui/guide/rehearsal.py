"""Making the repository of the guided walk."""

import sys
from pathlib import Path
from typing import Any, Final

from calibstore.config import Config

FOLDER: Final = "guided-rehearsal"
"""Inside the data folder; `cabstand rehearse` keeps its own beside it."""


def open_rehearsal(config: Config, surroundings: Any, named: str, *, is_reset: bool) -> Path:
    """Return the home repository of the guided walk; make it first where there is none.

    Parameters
    ----------
    config : Config
        Names the data folder.
    surroundings : Surroundings
        Clock, user and host.
    named : str
        Another folder for the rehearsal; empty for the usual one.
    is_reset : bool
        Throw an earlier walk away.

    Raises
    ------
    CabstandError
        If the folder holds something that is no rehearsal.
    """
    root = Path(named).expanduser().absolute() if named else config.data_dir / FOLDER
    home = root / "home"
    if home.is_dir() and not is_reset:
        return home
    from calibstore.commands.repository import Rehearse
    from calibstore.services.context import Context
    from calibstore.services.rehearsal import rehearse

    sys.stderr.write(f"Preparing a rehearsal at {root}: two repositories and simulated frames, some seconds ...\n")
    context = Context(
        root=root, clock=surroundings.clock, user=surroundings.user, host=surroundings.host, config=config
    )
    command = Rehearse(path=str(root), reset=root.exists(), prepare_only=True)
    rehearse(command, context, dry_run=False, emit=lambda _text: None)
    return home
