"""The same operations, at random, on ours and on the real Butler: the same is refused, and the same is there after it.

Where we differ on purpose, `PURPOSES` says so by the rule's id; nothing else may differ.
"""

import functools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from calibstore.commands.collections import Associate, Disassociate, RegisterCollection
from calibstore.commands.ranges import Recertify
from calibstore.commands.removal import RemoveCollections, RemoveRuns
from calibstore.commands.store import CertifyCalibrations, CollectionChain, Decertify
from calibstore.errors import ConflictError
from calibstore.model.data_id import DataId
from calibstore.model.times import ns_to_iso
from calibstore.model.timespan import MAX_TAI_NS, MIN_TAI_NS, Timespan
from tests.conftest import build_repo
from tests.support import real_butler
from tests.support.butler_worlds import MINUTE, T0, timespan
from tests.support.twins import FILTERS, INSTRUMENT, Outcome, Twins, change_chain

pytestmark = pytest.mark.butler
real_butler.require()

SEEDS = range(6)
STEPS = 55
RUNS = tuple(f"u/run{number}" for number in range(4))
CALS = tuple(f"u/cal{number}" for number in range(3))
TAGS = tuple(f"u/tag{number}" for number in range(2))
CHAINS = tuple(f"u/chain{number}" for number in range(4))
MISSING = "u/none"
DETECTORS = (0, 1, 2)
INSTANTS = tuple(T0 + place * MINUTE for place in range(9))
ALL_TIME = Timespan(MIN_TAI_NS, MAX_TAI_NS)
_told: Counter[str] = Counter()


@pytest.fixture
def twins(make_repo: Callable[..., Any], tmp_path: Path) -> Twins:
    return Twins(make_repo(camera="LSSTComCam:mini", kind="test"), tmp_path / "butler")


# ---------------------------------------------------------------------------------------------------------------------
# Where we differ on purpose

Do = Callable[[Twins], Outcome]
REFUSES, ACCEPTS, NOTHING = "refuses", "accepts", "nothing to do"


@dataclass(frozen=True)
class Purpose:
    """One difference: what each of the two says to the same wish."""

    rule: str
    """Our code; of what is quietly nothing to do, its name."""
    told: str
    ours: Do
    theirs: Callable[[Any, Twins], object]
    own: str = REFUSES
    native: str = ACCEPTS
    among: str = ""
    """Random operation in which it comes up, too."""


def _certify(begin: str = "", end: str = "", **more: Any) -> Do:
    given = {"run": RUNS[0], "collection": CALS[0], "dataset_type": "bias", "allow_missing": "a test"} | more
    return lambda twins: twins.ours(CertifyCalibrations(begin_date=begin, end_date=end, **given))


def _natively(begin: int | None, end: int | None, into: str = CALS[0]) -> Callable[[Any, Twins], object]:
    def certify(butler: Any, twins: Twins) -> None:
        butler.registry.certify(into, _biases(twins, RUNS[0]), timespan(begin, end))

    return certify


def _biases(twins: Twins, run: str) -> list[Any]:
    return [ref for ref in twins.refs[run] if ref.datasetType.name == "bias"]


def _two_of_one_data_id(twins: Twins) -> Outcome:
    def change(uow: Any, state: int) -> None:
        into = uow.collections.get(CALS[0])
        rows = [("bias", str(key), str(ref.id)) for ref, key in _same_data_id(twins)]
        uow.certifications.insert(into, rows, Timespan(INSTANTS[6], INSTANTS[7]), state=state)

    try:
        twins.repo.write(change)
    except ConflictError as refusal:
        return Outcome(False, refusal.code)
    return Outcome(True)


def _same_data_id(twins: Twins) -> list[tuple[Any, str]]:
    return [(_biases(twins, run)[0], f"detector=0,instrument={INSTRUMENT}") for run in RUNS[:2]]


def _chain(mode: str, parent: str, *children: str, **more: Any) -> Do:
    return lambda twins: twins.ours(CollectionChain(parent=parent, children=children, mode=mode, **more))


def _chain_there(mode: str, parent: str, *children: str, **more: Any) -> Callable[[Any, Twins], object]:
    return lambda butler, _twins: change_chain(mode, parent, children, **more)(butler)


def _register_there(name: str, doc: str = "") -> Callable[[Any, Twins], object]:
    return lambda butler, _twins: butler.collections.register(name, Twins.butler_type("CALIBRATION"), doc)


PURPOSES: Final = (
    Purpose(
        "E-TIMEORDER",
        "a begin after the end: the Butler keeps a row that can never match",
        _certify(ns_to_iso(INSTANTS[7]), ns_to_iso(INSTANTS[6])),
        lambda butler, twins: butler.registry.certify(
            CALS[0], _biases(twins, RUNS[0]), _astropy(INSTANTS[7], INSTANTS[6])
        ),
    ),
    Purpose(
        "E-TIMEORDER",
        "a begin that is the end: the Butler makes it one nanosecond",
        _certify(ns_to_iso(INSTANTS[6]), ns_to_iso(INSTANTS[6])),
        lambda butler, twins: butler.registry.certify(
            CALS[0], _biases(twins, RUNS[0]), _astropy(INSTANTS[6], INSTANTS[6])
        ),
    ),
    Purpose(
        "E-TIMERANGE",
        "a date outside 1970..2100: the Butler clips it, so that it becomes unbounded",
        _certify("2150-01-01", collection=CALS[1]),
        lambda butler, twins: butler.registry.certify(CALS[1], _biases(twins, RUNS[0]), _clipped()),
    ),
    Purpose(
        "E-NOBEGIN",
        "no begin at all: valid for all the past only when that is said",
        _certify(collection=CALS[1]),
        _natively(None, None, CALS[1]),
    ),
    Purpose(
        "E-VALIDITY",
        "two datasets of one data ID in one batch: in SQLite the Butler accepts them, then every look-up is ambiguous",
        _two_of_one_data_id,
        lambda butler, twins: butler.registry.certify(
            CALS[0], [ref for ref, _ in _same_data_id(twins)], timespan(INSTANTS[6], INSTANTS[7])
        ),
    ),
    Purpose(
        "same range again",
        "what is certified so already is certified so: the Butler calls it a conflict",
        _certify(ns_to_iso(INSTANTS[1]), ns_to_iso(INSTANTS[3])),
        _natively(INSTANTS[1], INSTANTS[3]),
        own=NOTHING,
        native=REFUSES,
    ),
    Purpose(
        "E-NOTRUN",
        "certifying from a chain: the Butler takes its first member only, unless told otherwise",
        _certify(ns_to_iso(INSTANTS[6]), run=CHAINS[0]),
        lambda butler, twins: _certify_there(butler, CHAINS[0]),
    ),
    Purpose(
        "E-NOTCERTIFIED",
        "taking out of ranges where there are none",
        lambda twins: twins.ours(
            Decertify(
                collection=CALS[0],
                dataset_type="bias",
                begin_date=ns_to_iso(INSTANTS[7]),
                end_date=ns_to_iso(INSTANTS[8]),
            )
        ),
        lambda butler, _twins: butler.registry.decertify(CALS[0], "bias", timespan(INSTANTS[7], INSTANTS[8])),
        among="decertify",
    ),
    Purpose(
        "E-NOPARENT",
        "a misspelt parent: the Butler makes a new chain, which nobody searches",
        _chain("prepend", "u/chain_0", CALS[1]),
        _chain_there("prepend", "u/chain_0", CALS[1]),
        among="chain",
    ),
    Purpose(
        "E-NOTMEMBER",
        "removing what is no member",
        _chain("remove", CHAINS[0], CALS[2]),
        _chain_there("remove", CHAINS[0], CALS[2]),
        among="chain",
    ),
    Purpose(
        "E-CHILDREN",
        "a list replaced by nothing, unless --empty says so",
        _chain("redefine", CHAINS[0]),
        _chain_there("redefine", CHAINS[0]),
    ),
    Purpose(
        "E-CHILDREN",
        "flattening what leads to nothing",
        _chain("prepend", CHAINS[0], CHAINS[1], flatten=True),
        _chain_there("prepend", CHAINS[0], CHAINS[1], flatten=True),
        among="chain",
    ),
    Purpose(
        "E-PLACE",
        "a place too far from the end: the Butler counts on from the end again",
        _chain("pop", CHAINS[0], "-3"),
        _chain_there("pop", CHAINS[0], "-3"),
        among="chain",
    ),
    Purpose(
        "E-COLLNAME",
        "names outside the grammar: the Butler takes any, its own commands then split it at the comma",
        lambda twins: twins.ours(RegisterCollection(name="u/a,b", type="calibration")),
        _register_there("u/a,b"),
    ),
    Purpose(
        "E-COLLECTIONTYPE",
        "making a collection that exists with another type: the Butler keeps what it is and says nothing",
        lambda twins: twins.ours(RegisterCollection(name=TAGS[0], type="calibration")),
        _register_there(TAGS[0]),
        among="register",
    ),
    Purpose(
        "E-DOC",
        "another doc for a collection that has one: the Butler forgets it",
        lambda twins: twins.ours(RegisterCollection(name=CALS[0], type="calibration", doc="another")),
        _register_there(CALS[0], "another"),
    ),
    Purpose(
        "E-EMPTY",
        "untagging what is not tagged",
        lambda twins: twins.ours(
            Disassociate(collection=TAGS[0], dataset_type=("bias",), where=f"instrument='{INSTRUMENT}' and detector=2")
        ),
        lambda butler, twins: butler.registry.disassociate(TAGS[0], _biases(twins, RUNS[0])[2:3]),
        among="disassociate",
    ),
    Purpose(
        "E-EMPTY",
        "tagging a selection that is empty",
        lambda twins: twins.ours(
            Associate(
                collection=TAGS[0],
                collections=(RUNS[0],),
                dataset_type=("bias",),
                where=f"instrument='{INSTRUMENT}' and detector=8",
            )
        ),
        lambda butler, _twins: butler.registry.associate(TAGS[0], []),
        among="associate",
    ),
    Purpose(
        "E-PROTECTED",
        "removing a RUN whose datasets are certified: in the Butler the certifications vanish unsaid",
        lambda twins: twins.ours(RemoveRuns(glob=RUNS[1])),
        lambda butler, _twins: butler.removeRuns([RUNS[1]]),
    ),
)


def _astropy(begin: int, end: int) -> Any:
    """Return what the Butler makes of two instants as its users give them."""
    from lsst.daf.butler import Timespan as Theirs

    return Theirs(begin=_instant(begin), end=_instant(end))


def _instant(tai_ns: int) -> Any:
    from astropy.time import Time

    return Time(ns_to_iso(tai_ns), format="isot", scale="tai")


def _clipped() -> Any:
    from astropy.time import Time
    from lsst.daf.butler import Timespan as Theirs

    return Theirs(begin=Time("1960-01-01", scale="tai"), end=None)


def _certify_there(butler: Any, source: str) -> None:
    from lsst.daf.butler import CollectionType

    (first, *_) = butler.collections.get_info(source).children
    assert butler.collections.get_info(source).type is CollectionType.CHAINED
    refs = butler.query_datasets("bias", collections=first, limit=None, find_first=False)
    butler.registry.certify(CALS[1], refs, timespan(INSTANTS[6], None))


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    """Two RUNs, a range of the first, a tag, a chain of two and an empty one; nobody changes them."""
    folder = tmp_path_factory.mktemp("settled")
    twins = Twins(build_repo(folder / "ours", camera="LSSTComCam:mini", kind="test"), folder / "butler")
    for run in RUNS[:2]:
        twins.insert(run, "bias", [{"instrument": INSTRUMENT, "detector": number} for number in DETECTORS])
    for name, kind in [*((name, "calibration") for name in CALS), (TAGS[0], "tagged")]:
        _both_do(
            twins,
            RegisterCollection(name=name, type=kind),
            lambda butler, n=name, k=kind: butler.collections.register(n, twins.butler_type(k)),
        )
    begin, end = INSTANTS[1], INSTANTS[3]
    for run, into in ((RUNS[0], CALS[0]), (RUNS[1], CALS[2])):
        assert _certify(ns_to_iso(begin), ns_to_iso(end), run=run, collection=into)(twins) == Outcome(True)
        refs = _biases(twins, run)
        assert twins.theirs(lambda butler, n=into, r=refs: butler.registry.certify(n, r, timespan(begin, end))).is_done
    where = f"instrument='{INSTRUMENT}' and detector < 2"
    _both_do(
        twins,
        Associate(collection=TAGS[0], collections=(RUNS[0],), dataset_type=("bias",), where=where),
        lambda butler: butler.registry.associate(TAGS[0], _biases(twins, RUNS[0])[:2]),
    )
    for chain, children in ((CHAINS[0], (RUNS[0], CALS[0])), (CHAINS[1], ())):
        _both_do(
            twins,
            CollectionChain(parent=chain, children=children, mode="redefine", create=True, empty=not children),
            change_chain("redefine", chain, children),
        )
    assert twins.all_ours() == twins.all_theirs()
    return twins


def _both_do(twins: Twins, command: Any, action: Callable[[Any], object]) -> None:
    assert twins.ours(command) == Outcome(True), command
    assert twins.theirs(action).is_done, command


@pytest.mark.parametrize("purpose", PURPOSES, ids=lambda one: f"{one.rule}: {one.told.split(':')[0]}")
def test_a_purposeful_difference(settled: Twins, purpose: Purpose) -> None:
    before = settled.all_ours()
    ours = purpose.ours(settled)
    assert (ours.is_done, ours.rule) == ((True, "nothing") if purpose.own == NOTHING else (False, purpose.rule))
    assert settled.all_ours() == before
    theirs = settled.theirs(lambda butler: purpose.theirs(butler, settled), is_trial=True)
    assert theirs.is_done == (purpose.native == ACCEPTS), theirs
    assert settled.all_theirs() == before


def test_one_dataset_twice_over_all_time(twins: Twins) -> None:
    """Two ranges of one dataset, looked up over all time: with us it is ambiguous, as over any stretch of time.

    In the Butler it is ambiguous, too, unless a RUN or TAGGED collection is searched beside it.
    """
    twins.insert(RUNS[0], "bias", [{"instrument": INSTRUMENT, "detector": number} for number in DETECTORS])
    for begin, end in (INSTANTS[1:3], INSTANTS[3:5]):
        assert _certify(ns_to_iso(begin), ns_to_iso(end))(twins) == Outcome(True)
        if begin == INSTANTS[1]:
            twins.butler.collections.register(CALS[0], twins.butler_type("CALIBRATION"))
        assert twins.theirs(lambda butler, b=begin, e=end: _natively(b, e)(butler, twins)).is_done
    for chain, children in ((CHAINS[0], (CALS[0],)), (CHAINS[1], (CALS[0], RUNS[0]))):
        _both_do(
            twins,
            CollectionChain(parent=chain, children=children, mode="redefine", create=True),
            change_chain("redefine", chain, children),
        )
    across = Timespan(INSTANTS[1], INSTANTS[4])
    data_id = {"instrument": INSTRUMENT, "detector": 0}
    alone = str(_biases(twins, RUNS[0])[0].id)
    for chain, span, theirs in (
        (CHAINS[0], across, "ambiguous"),
        (CHAINS[0], ALL_TIME, "ambiguous"),
        (CHAINS[1], across, "ambiguous"),
        (CHAINS[1], ALL_TIME, alone),
    ):
        assert twins.find_ours("bias", data_id, chain, span) == "ambiguous"
        assert twins.find_theirs("bias", data_id, chain, span) == theirs


# ---------------------------------------------------------------------------------------------------------------------
# Random operations

REFUSED_BY_US: Final = frozenset((one.among, one.rule) for one in PURPOSES if one.own == REFUSES)
"""What the Butler may accept although we refuse it."""


Question = tuple[str, dict[str, Any], str, Timespan | None]
"""Dataset type, data ID, collection, time."""


class Dice:
    """Chooses operations; each is a command of ours and what is the same in the Butler."""

    def __init__(self, seed: int, twins: Twins) -> None:
        self.random, self.twins = random.Random(seed), twins
        self.last: tuple[Any, Callable[[Any], object]] | None = None

    def operation(self) -> tuple[str, Any, Callable[[Any], object]]:
        """Return name, command and action."""
        kinds = {
            self.register: 1,
            self.certify: 15,
            self.certify_again: 1,
            self.decertify: 4,
            self.recertify: 2,
            self.associate: 4,
            self.disassociate: 2,
            self.chain: 8,
            self.remove: 2,
        }
        (chosen,) = self.random.choices(list(kinds), list(kinds.values()))
        return (chosen.__name__, *chosen())

    def one_of(self, names: tuple[str, ...], *, odd: tuple[str, ...] = ()) -> str:
        """Return a name; now and then one that is missing or of another type."""
        return self.random.choice(odd) if odd and self.random.random() < 0.08 else self.random.choice(names)

    def instant(self) -> int:
        """Return an edge: on the grid or beside it."""
        return self.random.choice(INSTANTS) + self.random.choice((0, 0, 0, -1, 1))

    def range(self) -> tuple[int | None, int | None]:
        """Return begin and end; either may be unbounded."""
        first = self.instant()
        last = first + self.random.choice((1, MINUTE, MINUTE, MINUTE, 2 * MINUTE))
        begin = None if self.random.random() < 0.08 else first
        return begin, None if self.random.random() < 0.08 else last

    def register(self) -> tuple[Any, Callable[[Any], object]]:
        name = self.one_of((*CALS, *TAGS, *CHAINS))
        right = "calibration" if name in CALS else "tagged" if name in TAGS else "chained"
        kind = self.random.choice((right, right, "calibration", "tagged"))
        type_ = self.twins.butler_type(kind)
        return RegisterCollection(name=name, type=kind), lambda butler: butler.collections.register(name, type_)

    def refs(self, run: str, dataset_type: str, detectors: tuple[int, ...]) -> list[Any]:
        """Return the Butler's references of what a command of ours takes."""
        return [
            ref
            for ref in self.twins.refs.get(run, [])
            if ref.datasetType.name == dataset_type and (not detectors or ref.dataId["detector"] in detectors)
        ]

    def certify(self) -> tuple[Any, Callable[[Any], object]]:
        run, into = self.one_of(RUNS), self.one_of(CALS, odd=(TAGS[0],))
        dataset_type = self.random.choice(("bias", "flat"))
        held = sorted({ref.dataId["detector"] for ref in self.refs(run, dataset_type, ())})
        some = self.random.choice(((), tuple(self.random.sample(held, 1))))
        begin, end = self.range()
        command = CertifyCalibrations(
            run=run,
            collection=into,
            dataset_type=dataset_type,
            detector=some,
            begin_date=_date(begin),
            end_date=_date(end),
            unbounded_begin=begin is None,
            allow_missing="a test",
        )
        refs = self.refs(run, dataset_type, some)

        def action(butler: Any) -> None:
            # As `butler certify-calibrations` does, which makes the collection.
            butler.collections.register(into, self.twins.butler_type("CALIBRATION"))
            butler.registry.certify(into, refs, timespan(begin, end))

        self.last = command, action
        return command, action

    def certify_again(self) -> tuple[Any, Callable[[Any], object]]:
        return self.last or self.certify()

    def decertify(self) -> tuple[Any, Callable[[Any], object]]:
        name, dataset_type = self.one_of(CALS, odd=(MISSING, CHAINS[0])), self.random.choice(("bias", "flat"))
        some = self.random.choice(((), (self.random.choice(DETECTORS),)))
        begin, end = self.range()
        command = Decertify(
            collection=name, dataset_type=dataset_type, detector=some, begin_date=_date(begin), end_date=_date(end)
        )
        known = [ref.dataId for run in RUNS for ref in self.refs(run, dataset_type, some)]
        ids = [{**one.required} for one in dict.fromkeys(known)] if some else None
        return command, lambda butler: butler.registry.decertify(name, dataset_type, timespan(begin, end), dataIds=ids)

    def recertify(self) -> tuple[Any, Callable[[Any], object]]:
        """Change the range of one detector, where it has one of one dataset; the Butler's users do it in two calls."""
        name, number = self.one_of(CALS), self.random.choice(DETECTORS)
        begin, end = self.range()
        command = Recertify(
            collection=name,
            dataset_type="bias",
            detector=(number,),
            begin_date=_date(begin) or "unbounded",
            end_date=_date(end) or "unbounded",
        )

        def action(butler: Any) -> None:
            found = [
                link
                for link in butler.registry.queryDatasetAssociations("bias", name, flattenChains=False)
                if link.ref.dataId["detector"] == number
            ]
            if len(found) != 1:
                raise ValueError(f"{len(found)} ranges")
            butler.registry.decertify(name, "bias", found[0].timespan, dataIds=[{**found[0].ref.dataId.required}])
            butler.registry.certify(name, [found[0].ref], timespan(begin, end))

        return command, action

    def associate(self) -> tuple[Any, Callable[[Any], object]]:
        run, number = self.one_of(RUNS), self.random.choice(DETECTORS)
        # Of nothing the Butler does not ask where it goes.
        tag = self.one_of(TAGS, odd=(MISSING, CALS[0]) if self.refs(run, "bias", (number,)) else ())
        command = Associate(
            collection=tag,
            collections=(run,),
            dataset_type=("bias",),
            where=f"instrument='{INSTRUMENT}' and detector={number}",
        )
        return command, lambda butler: butler.registry.associate(tag, self.refs(run, "bias", (number,)))

    def disassociate(self) -> tuple[Any, Callable[[Any], object]]:
        tag, number = self.one_of(TAGS, odd=(MISSING, CALS[0])), self.random.choice(DETECTORS)
        command = Disassociate(
            collection=tag, dataset_type=("bias",), where=f"instrument='{INSTRUMENT}' and detector={number}"
        )
        refs = [ref for run in RUNS for ref in self.refs(run, "bias", (number,))]
        return command, lambda butler: butler.registry.disassociate(tag, refs)

    def chain(self) -> tuple[Any, Callable[[Any], object]]:
        mode = self.random.choice(("prepend", "prepend", "extend", "remove", "pop", "redefine"))
        parent = self.one_of(CHAINS, odd=(MISSING, CALS[0]))
        everything = (*RUNS, *CALS, *TAGS, *CHAINS)
        n_children = self.random.randint(1, 3)
        if mode == "pop":
            children = tuple(str(self.random.randint(-2, 2)) for _ in range(n_children - 1))
        else:
            children = tuple(self.one_of(everything, odd=(MISSING,)) for _ in range(n_children))
        if mode == "remove":
            there = [one for one in self.members(parent) if self.random.random() < 0.5]
            children = tuple(there) or children
        flatten = mode in ("prepend", "extend", "redefine") and self.random.random() < 0.2
        command = CollectionChain(parent=parent, children=children, mode=mode, flatten=flatten)
        return command, change_chain(mode, parent, children, flatten=flatten)

    def members(self, parent: str) -> tuple[str, ...]:
        """Return a chain's list; empty where there is no such chain."""
        with self.twins.repo.context.unit_of_work() as uow:
            found = uow.collections.find(parent)
            return tuple(one.name for one in uow.collections.children(found)) if found is not None else ()

    def remove(self) -> tuple[Any, Callable[[Any], object]]:
        name = self.one_of((CALS[2], *TAGS, *CHAINS), odd=(MISSING, CALS[0]))

        def action(butler: Any) -> None:
            butler.collections.get_info(name)
            butler.collections.x_remove(name)

        return RemoveCollections(glob=name), action

    def questions(self, n_any: int, n_edges: int) -> list[Question]:
        """Return look-ups anywhere, and some at the edges of ranges that are there."""
        with self.twins.repo.context.unit_of_work() as uow:
            records = uow.collections.list()
            rows = uow.certifications.in_collections(records)
        there = {one.name for one in records}
        asked = [self.anywhere() for _ in range(n_any)]
        asked += [self.at_edge(self.random.choice(rows)) for _ in range(n_edges if rows else 0)]
        return [one for one in asked if one[2] in there]

    def anywhere(self) -> Question:
        """Return a look-up: an instant, a stretch that may straddle edges, all time, or no time."""
        dataset_type = self.random.choice(("bias", "flat"))
        data_id: dict[str, Any] = {"instrument": INSTRUMENT, "detector": self.random.choice(DETECTORS)}
        if dataset_type == "flat":
            data_id["physical_filter"] = self.random.choice(FILTERS)
        at = self.instant()
        span = self.random.choice(
            (
                None,
                Timespan(at, at + 1),
                Timespan(at, at + self.random.choice((2, MINUTE, 4 * MINUTE))),
                ALL_TIME,
            )
        )
        return dataset_type, data_id, self.random.choice((*CHAINS, *CHAINS, *CALS, *TAGS, *RUNS)), span

    def at_edge(self, row: Any) -> Question:
        """Return a look-up beside an edge of a range or across it, in its collection or in a chain."""
        edge = self.random.choice((row.timespan.begin_tai_ns, row.timespan.end_tai_ns))
        begin = min(max(edge + self.random.choice((-MINUTE, -1, -1, 0)), MIN_TAI_NS), MAX_TAI_NS - 1)
        span = Timespan(begin, min(edge + self.random.choice((1, 1, MINUTE)), MAX_TAI_NS))
        collection = self.random.choice((row.collection, row.collection, *CHAINS))
        return row.dataset_type, dict(DataId.parse(row.data_key).pairs), collection, span


def _date(tai_ns: int | None) -> str:
    return ns_to_iso(tai_ns) if tai_ns is not None else ""


def _fill(twins: Twins, dice: Dice) -> None:
    """Make RUNs with some datasets, and the empty collections."""
    for run in RUNS:
        some = [number for number in DETECTORS if dice.random.random() < 0.8] or [0]
        data_ids = [{"instrument": INSTRUMENT, "detector": number} for number in some]
        twins.insert(run, "bias", data_ids)
        twins.insert(run, "flat", [one | {"physical_filter": name} for one in data_ids for name in FILTERS])
    for name in (*CALS, *TAGS):
        kind = "calibration" if name in CALS else "tagged"
        _both_do(
            twins,
            RegisterCollection(name=name, type=kind),
            lambda butler, name=name, kind=kind: butler.collections.register(name, twins.butler_type(kind)),
        )
    for name in CHAINS:
        _both_do(
            twins,
            CollectionChain(parent=name, mode="redefine", empty=True, create=True),
            change_chain("redefine", name, ()),
        )


def _agree(twins: Twins, kind: str, command: Any, action: Callable[[Any], object]) -> None:
    """Tell both; what only one of them does must be on purpose, and is then left undone or made good in the other."""
    before = twins.all_ours()["ranges"] if isinstance(command, CertifyCalibrations) else set()
    ours = twins.ours(command)
    is_ours_alone = not ours.is_done and (kind, ours.rule) in REFUSED_BY_US
    theirs = twins.theirs(action, is_trial=is_ours_alone or ours.rule == "nothing")
    _told[f"{kind} {'done' if ours.is_done else 'refused'}"] += 1
    if ours.is_done == theirs.is_done:
        if not ours.is_done:
            _told[f"both refuse {ours.rule}"] += 1
        return
    if is_ours_alone:
        _told[f"on purpose {ours.rule}"] += 1
        return
    # Of what is certified so already nothing is done, also where the rest of the batch is new.
    assert ours.is_done, (command, ours, theirs)
    assert isinstance(command, CertifyCalibrations), (command, ours, theirs)
    assert theirs.rule == "ConflictingDefinitionError", (command, ours, theirs)
    _told["on purpose same range again"] += 1
    known = {str(ref.id): ref for refs in twins.refs.values() for ref in refs}
    for name, key, begin, end in twins.all_ours()["ranges"] - before:
        certified = functools.partial(_certify_one, into=name, ref=known[key], begin=begin, end=end)
        assert twins.theirs(certified).is_done


def _certify_one(butler: Any, *, into: str, ref: Any, begin: int, end: int) -> None:
    butler.registry.certify(into, [ref], timespan(begin, end))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_operations_leave_the_same(twins: Twins, seed: int) -> None:
    dice = Dice(seed, twins)
    _fill(twins, dice)
    for step in range(STEPS):
        kind, command, action = dice.operation()
        _agree(twins, kind, command, action)
        if step % 4 == 0 or step == STEPS - 1:
            assert twins.all_ours() == twins.all_theirs(), command
        for asked in dice.questions(2, 3):
            expected, found = twins.find_theirs(*asked), twins.find_ours(*asked)
            if found == "ambiguous" and "-" in expected and asked[3] == ALL_TIME:
                # As `test_one_dataset_twice_over_all_time` tells.
                assert len({row for row in twins.all_ours()["ranges"] if row[1] == expected}) > 1, asked
                _told["on purpose one dataset twice"] += 1
                continue
            assert found == expected, (command, asked)
            _told[f"found {'one' if '-' in expected else expected}"] += 1


def test_the_operations_were_of_every_kind() -> None:
    n_operations = sum(n for told, n in _told.items() if told.endswith((" done", " refused")))
    if n_operations < len(SEEDS) * STEPS:
        pytest.skip("counts the operations of the test above, which did not run whole")
    assert n_operations >= 300
    for kind in ("certify", "decertify", "recertify", "associate", "disassociate", "chain", "remove", "register"):
        assert _told[f"{kind} done"] >= 2, _told
    for kind in ("certify", "decertify", "associate", "chain", "remove"):
        assert _told[f"{kind} refused"] >= 2, _told
    for rule in ("E-CYCLE", "E-INCHAIN", "E-VALIDITY", "E-TAGCOLLISION", "E-COLLECTION"):
        assert _told[f"both refuse {rule}"] >= 1, _told
    for answer in ("one", "none", "ambiguous"):
        assert _told[f"found {answer}"] >= 10, _told
