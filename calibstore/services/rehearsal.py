"""The rehearsal: the whole checklist on a simulated camera, each step explained and done by the ordinary commands."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from calibstore.commands.fields import to_line
from calibstore.commands.repository import Rehearse
from calibstore.datastore.atomic_files import write_atomically
from calibstore.errors import ConflictError, StoreError
from calibstore.services.context import Context, forget_engines
from calibstore.services.rehearsal_steps import EVERY_PRODUCT, OPENING, STORY, prepare
from calibstore.services.rehearsal_walk import HOME, Walk

_MARK: Final = "THIS-IS-A-REHEARSAL.txt"
_MARK_TEXT: Final = b"Made by `cabstand rehearse`; `cabstand rehearse --reset` throws this folder away.\n"
_SEED: Final = 20250408


def rehearse(command: Rehearse, context: Context, *, dry_run: bool, emit: Callable[[str], None]) -> int:
    """Make a rehearsal and walk it.

    Parameters
    ----------
    command : Rehearse
        Where, which camera, and how far.
    context : Context
        Its root is the folder of the rehearsal.
    dry_run : bool
        Say what would be done.
    emit : callable
        Prints one line.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    ConflictError
        If the folder holds something that is no rehearsal, or an earlier one and `reset` is not given.
    """
    if context.is_read_only and not dry_run:
        raise StoreError("a rehearsal writes", hint="leave out --read-only", code="E-READONLY")
    root = context.root
    is_earlier = _is_rehearsal(root)
    if root.exists() and any(root.iterdir()) and not is_earlier:
        raise ConflictError(f"{root} is not empty and is no rehearsal", hint="name another folder", code="E-EXISTS")
    if is_earlier and not command.reset:
        raise ConflictError(
            f"there is a rehearsal at {root}",
            hint=f"practise on it with -R {root / HOME}, or begin anew with --reset",
            code="E-EXISTS",
        )
    story = () if command.prepare_only or command.all_products else STORY
    if dry_run:
        emit(f"Would make a rehearsal at {root} and walk {len(story)} steps. Nothing was written.")
        return 0
    if is_earlier:
        forget_engines()
        shutil.rmtree(root)
    write_atomically(root / _MARK, _MARK_TEXT)
    walk = Walk(root=root, context=context, emit=emit, n_steps=len(story) + 1)
    for line in EVERY_PRODUCT if command.all_products else OPENING:
        emit(line)
    prepare(walk, camera=command.camera, is_full=command.full, seed=_SEED, for_all_products=command.all_products)
    for tell in story:
        tell(walk)
    _close(walk, command)
    return 0


def _is_rehearsal(root: Path) -> bool:
    """Only a folder that we marked before anything else was put in it may be thrown away."""
    return (root / _MARK).is_file()


def _close(walk: Walk, command: Rehearse) -> None:
    home = walk.root / HOME
    anew = replace(command, path=str(walk.root), reset=True, prepare_only=True)
    size = sum(path.stat().st_size for path in walk.root.rglob("*") if path.is_file())
    walk.emit("")
    is_by_hand = command.prepare_only or command.all_products
    walk.emit("The rehearsal is ready." if is_by_hand else "That was the whole way.")
    walk.emit(f"  It stays at {walk.root} ({size / 1e6:.0f} MB). Practise on it:")
    walk.emit("")
    walk.emit(f"    export CABSTAND_REPO={home}")
    instrument = walk.facts["instrument"]
    tries: tuple[tuple[str, str], ...]
    if command.all_products:
        tries = _every_product(instrument)
    elif command.prepare_only:
        tries = (
            ("cabstand exposures --events", "when did the camera change?"),
            (f"cabstand campaign new {instrument} DM-99001 practice --why camera_change", "open a campaign"),
            ("cabstand campaign show DM-99001 --explain", "the checklist, with help for every item"),
        )
    else:
        tries = (
            ("cabstand campaign show DM-99001 --explain", "the checklist, with help for every item"),
            ("cabstand query-collections", "chains as trees, in search order"),
            ("cabstand explain 2025042000001 0 bias", "which bias applies to a later exposure, and why"),
            ("cabstand journal DM-99001 --markdown", "the record for the ticket"),
            (
                f"cabstand collection-chain {instrument}/calib {instrument}/calib/DM-99001 --mode remove --dry-run",
                "what would happen if it were taken out",
            ),
            (to_line(anew), "begin anew and walk it yourself"),
        )
    for line, what in tries:
        walk.emit(f"    # {what}")
        walk.emit(f"    {line}")


def _every_product(instrument: str) -> tuple[tuple[str, str], ...]:
    """Return the first lines of the way from bootstraps to flats."""
    types = "biasBootstrap darkBootstrap flatBootstrap defects linearizer ptc bias dark flat".split()
    new = f"cabstand campaign new {instrument} DM-99001 practice " + " ".join(f"--type {one}" for one in types)
    return (
        ("cabstand generate --graph", "what is made of what, what is missing, what is stale"),
        (new, "open a campaign; its last lines say which exposures each type is built from"),
        (
            "cabstand campaign show DM-99001 --explain",
            "the checklist; generate, look, certify, type after type",
        ),
    )
