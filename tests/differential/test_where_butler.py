"""The selection language against the real Butler: whatever both read, both select the same exposures.

On purpose ours refuses more: two constants compared, empty lists, ranges and pairs of times that end before they begin,
a selection without instrument even where there is only one. And less: whole and decimal numbers may be mixed.
"""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from calibstore.datastore.camera_file import load_camera
from calibstore.errors import UserInputError
from calibstore.model.exposure import Exposure
from calibstore.model.timespan import Timespan
from calibstore.model.where import parse_where
from calibstore.model.where_eval import evaluate
from calibstore.model.where_fields import check_where
from tests.support import real_butler

real_butler.require()
pytestmark = [
    pytest.mark.butler,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),  # the Butler's own `not glob`
]

N_EXPRESSIONS = 400
DAY_NS = 86_400_000_000_000
T0_NS = 1_704_110_400_000_000_000
"""2024-01-01T12:00:00 TAI."""
FILTERS = {"SDSSr_65mm~empty": "r", "g_01": "g", "empty~empty": "white"}


def some_exposures() -> list[Exposure]:
    made = []
    for at in range(24):
        day = 20240101 + at // 6
        begin = T0_NS + (at // 6) * DAY_NS + (at % 6) * 60_000_000_000
        made.append(
            Exposure(
                instrument="LATISS",
                id=day * 100_000 + at % 6,
                obs_id=f"AT_O_{day}_{at % 6:06d}",
                day_obs=day,
                seq_num=at % 6,
                physical_filter=sorted(FILTERS)[at % 3],
                observation_type=("bias", "dark", "flat")[at % 3],
                observation_reason=("calibration", "x_ray", "50%")[at % 3],
                science_program=("BLOCK-T5", "block-t5", "")[(at // 3) % 3],
                exposure_time_s=(0.0, 15.0, 2.5)[at % 3],
                dark_time_s=(0.1, 15.2, 2.5)[at % 3],
                timespan=Timespan(begin, begin + 30_000_000_000),
                group=f"g{at}",
            )
        )
    return made


@pytest.fixture(scope="module")
def butler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from lsst.daf.butler import Butler
    from lsst.daf.butler import Timespan as Theirs

    folder = real_butler.make_butler(
        tmp_path_factory.mktemp("where") / "repo",
        [load_camera("LATISS")],
        [("LATISS", name, band) for name, band in FILTERS.items()],
    )
    with Butler.from_config(str(folder), writeable=True) as made:
        insert = made.registry.insertDimensionData
        for day in sorted({one.day_obs for one in some_exposures()}):
            insert("day_obs", {"instrument": "LATISS", "id": day, "timespan": Theirs.from_day_obs(day, 43200)})
        for one in some_exposures():
            insert("group", {"instrument": "LATISS", "name": one.group})
            insert(
                "exposure",
                {
                    "instrument": "LATISS",
                    "id": one.id,
                    "obs_id": one.obs_id,
                    "physical_filter": one.physical_filter,
                    "group": one.group,
                    "day_obs": one.day_obs,
                    "seq_num": one.seq_num,
                    "observation_type": one.observation_type,
                    "observation_reason": one.observation_reason,
                    "science_program": one.science_program,
                    "exposure_time": one.exposure_time_s,
                    "dark_time": one.dark_time_s,
                    "timespan": Theirs(None, None, _nsec=(one.timespan.begin_tai_ns, one.timespan.end_tai_ns)),
                },
            )
        yield made


class Writer:
    """Writes selections at random, as both languages have them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def expression(self, depth: int = 2) -> str:
        if depth and self.random.random() < 0.55:
            kind = self.random.choice(["and", "or", "not"])
            if kind == "not":
                return f"NOT ({self.expression(depth - 1)})"
            sides = [f"({self.expression(depth - 1)})" for _ in range(2)]
            return f" {self.random.choice([kind, kind.upper()])} ".join(sides)
        return self.random.choice(
            [self.numbers, self.sums, self.texts, self.lists, self.globs, self.spans, self.times]
        )()

    def whole(self) -> str:
        return self.random.choice(["exposure.seq_num", "exposure.day_obs", "exposure", "day_obs"])

    def sign(self) -> str:
        return self.random.choice(["=", "!=", "<", "<=", ">", ">="])

    def number(self) -> str:
        return str(self.random.choice([0, 1, 2, 3, 5, 20240102, 2024010300002, -1]))

    def numbers(self) -> str:
        if self.random.random() < 0.3:
            return f"exposure.exposure_time {self.sign()} {self.random.choice(['2.5', '0.0', '15.0', '1e1'])}"
        return f"{self.whole()} {self.sign()} {self.number()}"

    def sums(self) -> str:
        one = f"exposure.seq_num {self.random.choice('+-*')} {self.random.choice(['2', 'exposure.seq_num', '3 * 2'])}"
        if self.random.random() < 0.3:
            one = f"exposure.seq_num % {self.random.choice('23')}"
        if self.random.random() < 0.2:
            one = f"exposure.exposure_time / {self.random.choice(['2.0', '0.5'])}"
            return f"{one} {self.sign()} {self.random.choice(['0.0', '5.0', '7.5'])}"
        return f"{one} {self.sign()} {self.random.choice('0123456')}"

    def texts(self) -> str:
        name, values = self.random.choice(
            [
                ("exposure.observation_type", ["bias", "dark", "BIAS"]),
                ("physical_filter", list(FILTERS)),
                ("band", ["r", "g", "u"]),
                ("exposure.science_program", ["BLOCK-T5", "", "nothing"]),
            ]
        )
        return f"{name} {self.random.choice(['=', '!='])} '{self.random.choice(values)}'"

    def lists(self) -> str:
        item = [self.number(), "1..4", "0..5:2", "20240101..20240103", "2024010100000..2024010200001:3"]
        chosen = ", ".join(self.random.sample(item, self.random.randint(1, 3)))
        return f"{self.whole()} {self.random.choice(['IN', 'not in'])} ({chosen})"

    def globs(self) -> str:
        field = self.random.choice(["exposure.science_program", "exposure.observation_reason", "exposure.obs_id"])
        return (
            f"GLOB({field}, '{self.random.choice(['BLOCK*', '*_*', '50%', '*T?', 'AT_O_2024010?_*', '*', 'x?ray'])}')"
        )

    def time(self) -> str:
        form = self.random.choice(
            [
                "2024-01-02",
                "2024-01-02T12:00:00/tai",
                "60312.5",
                "mjd/60311.5/tai",
                "yday/2024:003",
                "unix/1704200000.0",
            ]
        )
        return f"T'{form}'"

    def times(self) -> str:
        return (
            f"exposure.timespan.{self.random.choice(['begin', 'end'])} {self.random.choice(['<', '>='])} {self.time()}"
        )

    def spans(self) -> str:
        pair = self.random.choice(
            ["(T'2024-01-01', T'2024-01-03')", "(null, T'2024-01-02T12:01:00/tai')", "(T'60312.5', null)", self.time()]
        )
        sides = ["exposure.timespan", pair]
        return " OVERLAPS ".join(sides)


def test_both_select_the_same_exposures(butler: Any) -> None:
    writer, stored = Writer(20261121), some_exposures()
    n_some = 0
    for _ in range(N_EXPRESSIONS):
        text = f"instrument = 'LATISS' AND ({writer.expression()})"
        expression = parse_where(text)
        check_where(expression, text)
        ours = sorted(one.id for one in stored if evaluate(expression, row_of(one)))
        theirs = sorted(one.id for one in butler.query_dimension_records("exposure", where=text, explain=False))
        assert ours == theirs, text
        n_some += 0 < len(ours) < len(stored)
    assert n_some > N_EXPRESSIONS / 3


@pytest.mark.parametrize(
    "text",
    [
        "instrument = 'LATISS' and and exposure.seq_num = 1",
        "instrument = 'LATISS' and exposure.seq_num between 1 and 2",
        "instrument = 'LATISS' and exposure.seq_num = = 1",
        "instrument = 'LATISS' and (exposure.seq_num = 1",
        'instrument = "LATISS"',
        "instrument = 'LATISS' and exposure.sequence = 1",
        "instrument = 'LATISS' and exposure.seq_num = 'a'",
        "instrument = 'LATISS' and exposure.timespan.begin > T'yesterday'",
    ],
)
def test_both_refuse(butler: Any, text: str) -> None:
    from lsst.daf.butler import ButlerUserError

    def ours() -> None:
        check_where(parse_where(text), text)

    with pytest.raises(UserInputError):
        ours()
    with pytest.raises((ButlerUserError, ValueError, TypeError, LookupError, RuntimeError)):
        butler.query_dimension_records("exposure", where=text, explain=False)


def row_of(one: Exposure) -> dict[str, object]:
    plain = {name: getattr(one, name) for name in ("instrument", "id", "obs_id", "day_obs", "seq_num")}
    texts = ("physical_filter", "observation_type", "observation_reason", "science_program", "target_name")
    return {
        **plain,
        **{name: getattr(one, name) for name in texts},
        "exposure_time_s": one.exposure_time_s,
        "dark_time_s": one.dark_time_s,
        "group_name": one.group,
        "begin_tai_ns": one.timespan.begin_tai_ns,
        "end_tai_ns": one.timespan.end_tai_ns,
        "band": FILTERS[one.physical_filter],
    }
