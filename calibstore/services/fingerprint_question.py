"""Fingerprints shown, of now or of a past state, and held against another site's."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from calibstore.commands.store import Fingerprint
from calibstore.errors import NotFoundError, UserInputError
from calibstore.services.actions import Answer
from calibstore.services.context import Context
from calibstore.services.fingerprinting import Fingerprint as Hashes
from calibstore.services.fingerprinting import fingerprint, fingerprint_of, first_difference, from_plain, plain
from calibstore.services.layout import folded
from calibstore.services.moments import read_moment
from calibstore.services.segments import load_view
from calibstore.services.shadows import tops_asked


def show_fingerprint(command: Fingerprint, context: Context) -> Answer:
    """Hash chains, and compare them with another repository's."""
    with context.unit_of_work() as uow:
        moment = read_moment(uow, command.at_state, command.as_of)
        tree = uow.associations.tree(at_state=moment.at_state)
        names = tops_asked(uow, tree, command.collection, moment)
        view = load_view(uow, names, at_state=moment.at_state)
        ours = {name: fingerprint_of(view, name) for name in names}
    lines = [*moment.lines()]
    for name, found in ours.items():
        lines += _lines(name, found, with_lines=command.lines)
    data: dict[str, object] = {
        "state": moment.number,
        "fingerprints": {name: plain(found, with_lines=command.lines) for name, found in ours.items()},
    }
    if not names:
        lines.append("no top chain exists yet: name a collection, such as those of cabstand query-collections")
    if not command.against:
        return Answer(lines=tuple(lines), data=data)
    theirs = _other(command.against, names, context)
    differences = {name: first_difference(ours[name], theirs[name]) for name in names}
    is_same = all(ours[name].effective == theirs[name].effective for name in names)
    lines += [f"against {command.against}:"]
    for name in names:
        effective = "same" if ours[name].effective == theirs[name].effective else "DIFFERENT"
        structural = "same" if ours[name].structural == theirs[name].structural else "different"
        lines.append(f"  {name}: what applies {effective}, lists {structural}")
        lines += folded(f"first difference: {differences[name]}", "    ", "  ") if differences[name] else []
    data["against"] = {
        "path": command.against,
        "is_same": is_same,
        "differences": differences,
        "fingerprints": {name: plain(found) for name, found in theirs.items()},
    }
    return Answer(lines=tuple(lines), data=data, exit_code=0 if is_same else 4)


def _lines(name: str, found: Hashes, *, with_lines: bool) -> list[str]:
    lines = [name, f"  structural  {found.structural}", f"  effective   {found.effective}"]
    for place, ((member, digest), own) in enumerate(zip(found.members, found.member_lines, strict=True), start=1):
        lines.append(f"  {place:>4}  {digest[:12]}  {member}" + ("" if own else "  (never wins)"))
        lines += [f"        {' '.join(line.split(chr(9)))}" for line in own] if with_lines else []
    return lines


def _other(path: str, names: Sequence[str], context: Context) -> dict[str, Hashes]:
    configured = Path(context.config.repositories.get(path, path)).expanduser().absolute()
    if configured.is_file():
        return _written(configured, names)
    other = replace(context, root=configured, is_read_only=True)
    with other.unit_of_work() as uow:
        tree = uow.associations.tree()
        missing = [name for name in names if name not in tree.types]
        if missing:
            raise NotFoundError(
                f"{other.root} has no collection {', '.join(missing)}",
                hint=f"cabstand -R {other.root} query-collections lists what it has; name one that both have",
                code="E-COLLECTION",
            )
        return {name: fingerprint(uow, name) for name in names}


def _written(path: Path, names: Sequence[str]) -> dict[str, Hashes]:
    """Read what `fingerprint --lines --json` wrote at a site that cannot be reached from here."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["fingerprints"]
        kept = {name: found[name] for name in names if name in found}
    except (ValueError, KeyError, TypeError) as problem:
        raise UserInputError(
            f"{path.name} is no fingerprint written by Cabstand",
            hint="write it there with: cabstand fingerprint --lines --json > there.json",
            code="E-FINGERPRINT",
        ) from problem
    missing = [name for name in names if name not in kept]
    if missing:
        raise NotFoundError(
            f"{path.name} holds no fingerprint of {', '.join(missing)}",
            hint=f"it holds: {', '.join(found)}",
            code="E-COLLECTION",
        )
    return {name: from_plain(one) for name, one in kept.items()}


QUESTIONS = {"fingerprint": show_fingerprint}
