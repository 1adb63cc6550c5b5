"""What can be wrong with what the frame is asked for."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from calibstore.errors import CabstandError, NotFoundError, StoreError
from tui.catalogue import BY_NAME


def no_instrument(name: str, known: Sequence[str]) -> CabstandError:
    """Return what is wrong with the name of a camera."""
    hint = f"this repository has: {', '.join(known)}" if known else "this repository has no camera"
    return NotFoundError(f"no instrument {name!r} here", hint=hint, code="E-INSTRUMENT")


def not_writable(root: Path) -> CabstandError:
    """Return why the store cannot be written."""
    return StoreError(
        f"READ-ONLY: the store in {root} may not be written on this machine",
        hint=f"see who may write there and how it is mounted: ls -ld {root}, findmnt -T {root}",
        code="E-READONLY",
    )


def no_view(name: str) -> CabstandError:
    """Return what is wrong with the name of a view."""
    near = difflib.get_close_matches(name, BY_NAME, n=1)
    hint = f"did you mean {near[0]}?" if near else f"views: {', '.join(one for one in BY_NAME if one != 'do')}"
    return NotFoundError(f"no view {name!r}", hint=hint, code="E-VIEW")
