"""Random histories: undoing all of them gives every earlier fingerprint, redoing the later ones, replay the same."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibstore.commands.collections import Associate, RegisterCollection
from calibstore.commands.removal import RemoveCollections
from calibstore.commands.repository import ShowJournal
from calibstore.commands.states import Redo, Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import CabstandError
from calibstore.model.times import ns_to_iso
from calibstore.services.context import forget_engines
from calibstore.services.fingerprinting import fingerprint_of
from calibstore.services.segments import load_view

DAY = 86_400_000_000_000
FIRST = 20_000 * DAY
BASE = "LATISS/calib/DM-1/t"
CHAINS = ("u/ada/one", "u/ada/two")
DAYS = st.tuples(st.integers(0, 5), st.integers(1, 4))
LETTERS = st.sampled_from("abc")


@st.composite
def commands(draw: st.DrawFn) -> Any:
    kind = draw(st.sampled_from(["chain", "chain", "drop", "certify", "certify", "decertify", "tag", "make", "remove"]))
    letter = draw(LETTERS)
    begin, length = draw(DAYS)
    dates = {"begin_date": ns_to_iso(FIRST + begin * DAY), "end_date": ns_to_iso(FIRST + (begin + length) * DAY)}
    run, into = f"{BASE}/biasGen.20250101{letter}", f"{BASE}/bias.20250101{draw(LETTERS)}"
    chain = draw(st.sampled_from(CHAINS))
    match kind:
        case "chain":
            mode = draw(st.sampled_from(["prepend", "extend"]))
            child = draw(st.sampled_from([run, into, "LATISS/calib/DM-1", *CHAINS]))
            return CollectionChain(parent=chain, children=(child,), mode=mode, create=True)
        case "drop":
            return CollectionChain(parent=chain, children=("0",), mode="pop")
        case "certify":
            return CertifyCalibrations(run=run, collection=into, dataset_type="bias", **dates)
        case "decertify":
            return Decertify(collection=into, dataset_type="bias", **dates)
        case "tag":
            return Associate(collection=f"u/ada/t{letter}", collections=(run,), dataset_type=("bias",), create=True)
        case "make":
            return RegisterCollection(name=f"u/ada/{letter}", type="chained")
        case _:
            name = draw(st.sampled_from([into, *CHAINS, f"u/ada/t{letter}"]))
            return RemoveCollections(glob=name, remove_from_parents=draw(st.booleans()))


def prints(repo: Any) -> dict[str, tuple[str, str]]:
    with repo.context.unit_of_work() as uow:
        names = list(uow.associations.tree().types)
        view = load_view(uow, names)
    found = {name: fingerprint_of(view, name) for name in names}
    return {name: (one.structural, one.effective) for name, one in found.items()}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(commands(), min_size=2, max_size=10))
def test_undo_goes_back_redo_forward_and_replay_is_the_same(
    history: list[Any], make_repo: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("repo", "again"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    forget_engines()
    repo = make_repo(kind="test")
    for letter in "abc":
        repo.add_run(f"{BASE}/biasGen.20250101{letter}", [0], pixels=letter)
    seen, done = [prints(repo)], []
    for command in history:
        try:
            effect = repo.do(command, dry_run=True)
            effect = repo.do(command, confirmed=effect.confirm, reason="random")
        except CabstandError:
            continue
        if effect.state is not None:
            done.append(effect.state)
            seen.append(prints(repo))

    def repeat(command: Any) -> Any:
        confirm = repo.do(command, dry_run=True).confirm
        return repo.do(command, confirmed=confirm)

    for state, expected in zip(reversed(done), reversed(seen[:-1]), strict=True):
        assert repeat(Undo()).data["about"] == state
        assert prints(repo) == expected
    for state, expected in zip(done, seen[1:], strict=True):
        assert repeat(Redo()).data["about"] == state
        assert prints(repo) == expected
    repo.ask(ShowJournal(verify=True))
    answer = repo.ask(ShowJournal(replay=str(tmp_path / "again")))
    assert answer.data["again"] == 3 * len(done)
    assert not answer.warnings
