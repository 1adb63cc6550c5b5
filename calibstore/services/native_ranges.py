"""Python calls that change ranges in a Butler repository: it has no command for them."""

import json
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from calibstore.model.data_id import DataId
from calibstore.model.timespan import Timespan
from calibstore.services.ranges import begin_option, end_option

_OPENING = "from astropy.time import Time; from lsst.daf.butler import Butler, Timespan; "


def decertify_call(
    root: Path, collection: str, dataset_type: str, taken: Timespan, data_keys: Collection[str] = ()
) -> str:
    """Return the call that takes a stretch of time out, of some data IDs or all."""
    ids = f", dataIds={_data_ids(data_keys)}" if data_keys else ""
    return _python(
        f"Butler.from_config({_text(str(root))}, writeable=True).registry"
        f".decertify({_text(collection)}, {_text(dataset_type)}, {_timespan(taken)}{ids})"
    )


def certify_call(
    root: Path, *, run: str, collection: str, dataset_type: str, timespan: Timespan, data_keys: Collection[str]
) -> str:
    """Return the call that certifies some datasets of a RUN: the Butler's command takes all of them."""
    return _python(
        f"b = Butler.from_config({_text(str(root))}, writeable=True); b.collections.register({_text(collection)}, "
        f"type=CollectionType.CALIBRATION); b.registry.certify({_text(collection)}, "
        f"[b.find_dataset({_text(dataset_type)}, d, collections={_text(run)}) for d in {_data_ids(data_keys)}], "
        f"{_timespan(timespan)})",
        opening=_OPENING.replace("Butler, ", "Butler, CollectionType, "),
    )


def recertify_call(
    root: Path, collection: str, dataset_type: str, changes: Sequence[tuple[Timespan, Timespan, Collection[str]]]
) -> str:
    """Return the call that gives data IDs another range, both halves in one transaction.

    Parameters
    ----------
    root : Path
        The repository.
    collection, dataset_type : str
        What is certified.
    changes : sequence of (Timespan, Timespan, collection of str)
        Range now, range then, and the data keys that have it.
    """
    what, into = _text(dataset_type), _text(collection)
    first, rest = [], []
    for number, (old, new, keys) in enumerate(changes):
        name = f"refs{number}" if len(changes) > 1 else "refs"
        first.append(
            f"{name} = [a.ref for a in r.queryDatasetAssociations({what}, collections={into}) "
            f"if a.timespan == {_timespan(old)} and dict(a.ref.dataId.required) in {_data_ids(keys)}]; "
            f"r.decertify({into}, {what}, {_timespan(old)}, dataIds=[x.dataId for x in {name}])"
        )
        rest.append(f"r.certify({into}, {name}, {_timespan(new)})")
    return _python(
        f"b = Butler.from_config({_text(str(root))}, writeable=True); r = b.registry; s = ExitStack(); "
        f"s.enter_context(b.transaction()); {'; '.join([*first, *rest])}; s.close()",
        opening=f"from contextlib import ExitStack; {_OPENING}",
    )


def _python(call: str, *, opening: str = _OPENING) -> str:
    return shlex.join(["python", "-c", opening + call])


def _data_ids(data_keys: Collection[str]) -> str:
    return json.dumps([dict(DataId.parse(key)) for key in sorted(set(data_keys))])


def _text(text: str) -> str:
    # Quoted twice, so that single quotes are left to the shell.
    return json.dumps(text)


def _timespan(timespan: Timespan) -> str:
    return f"Timespan({_time(begin_option(timespan))}, {_time(end_option(timespan))})"


def _time(text: str) -> str:
    return f'Time({_text(text)}, scale="tai")' if text else "None"
