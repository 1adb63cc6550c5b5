"""Anything people may type: read, or refused with a code and a way out; a refusal writes nothing, nothing crashes.

$CABSTAND_FUZZ_INPUTS is the number of inputs of each reader; whole command lines are a tenth of it.
"""

import io
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from calibstore.cli.program import run
from calibstore.cli.session import Surroundings
from calibstore.commands import registered
from calibstore.commands.fields import asked_fields
from calibstore.commands.lines import read_line
from calibstore.config import REPOSITORY_FILE, load_repository_file
from calibstore.errors import CabstandError
from calibstore.model.collections import validate_collection_name
from calibstore.model.data_id import DataId
from calibstore.model.names import find_name, parse_name
from calibstore.model.times import parse_time
from calibstore.model.where import parse_where
from calibstore.sites.butler_yaml_reader import parse_export

N_INPUTS = int(os.environ.get("CABSTAND_FUZZ_INPUTS", "2000"))
BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/t/biasGen.20250101a"
INTO = f"{BASE}/t/bias.20250101a"
ODD = (
    "", " ", "\t", "\n", "\0", "\x1b[2J", "\u202e", "\u200b", "é", "名", "😀", "\ufeff", "%", "%s", "{}", "{0}",
    "'", '"', "''",
    "\\", "/", "//", "..", "../..", "~", "$HOME", "`id`", ";", "|", "&", "*", "?", "[", "]", "[!", "(", ")",
    ",", "--", "-", "=",
    "-1", "0", "1", "99999999999999999999999", "1e400", "nan", "inf", "0x10", "1_000", "٣", "½", "true", "null", "None",
)  # fmt: skip
DATES = (
    "2025-01-01", "2025-01-01T00:00:00", "2025-01-01 12:00:00.123456789", "20250401", "60676.5", "unbounded",
    "1970-01-01",
    "2100-01-01", "2099-12-31T23:59:60", "2016-12-31T23:59:60Z", "2025-02-30", "2025-13-01",
    "2025-01-01T25:00", "Z", "T",
    "2025-01-01T00:00:00+24:00", "2025-01-01T00:00:00-00:37", "/tai", "/utc", "2025-01-01/tai", "1969-12-31",
    "now", "today",
)  # fmt: skip
WORDS = (
    "exposure", "detector", "exposure.seq_num", "detector.raft", "instrument", "'LATISS'", "and", "or", "not",
    "in", "overlaps",
    "=", "!=", "<", ">=", "+", "-", "*", "/", "%", "(", ")", ",", "..", "1..5", "1..9:2", "T'2025-01-01'",
    "T'x'", "1", "2.5",
    "1e9", ":bind", "GLOB(exposure.obs_id, 'a*')", "UUID('x')", "POINT(1,2)", "null", "bias.timespan", "run",
    "'", "day_obs",
)  # fmt: skip
NAMES = (
    BASE, RUN, INTO, "LATISS/calib", "LATISS/raw/all", "u/ada/list", "u/ada/x", "LATISS", "bias", "dark",
    "bias*", "DM-1",
    "detector=0 instrument=LATISS", "run", "chained", "tagged", "prepend", "2025040800001", "home", "adopt", "sigma",
)  # fmt: skip
EXPORT = """\
description: Butler Data Repository Export
version: 1.0.2
universe_version: 8
universe_namespace: daf_butler
data:
- type: dimension
  element: instrument
  records:
  - {name: LATISS, visit_max: 1, visit_system: 0, exposure_max: 1, detector_max: 1, class_name: x.Y}
- type: collection
  collection_type: RUN
  name: r
- type: collection
  collection_type: CALIBRATION
  name: k
- type: dataset_type
  name: bias
  dimensions: [instrument, detector]
  storage_class: ExposureF
  is_calibration: true
- type: dataset
  dataset_type: bias
  run: r
  records:
  - dataset_id: [!uuid '018f0000000070008000000000000000']
    data_id: [{instrument: LATISS, detector: 0}]
    path: a.fits
    formatter: lsst.obs.base.formatters.fitsExposure.FitsExposureFormatter
- type: associations
  collection: k
  collection_type: CALIBRATION
  validity_ranges:
  - timespan: !lsst.daf.butler.Timespan
      begin: !butler_time/tai/iso '2025-01-01 00:00:00.000000000'
      end: null
    dataset_ids: [!uuid '018f0000000070008000000000000000']
"""
TOML = 'database = "postgresql+psycopg://host/db"\nbutler = "/repo/main"\n[roles]\nada = ["board", "builder"]\n'
ONLY_LOOKED_AT = frozenset(
    {
        "init",
        "rehearse",
        "migrate",
        "generate",
        "process",
        "verify",
        "export-calibs",
        "jobs",
        "report",
        "ingest",
        "import",
    }
)
"""Verbs that make folders where they are told to, or start processes: these only as dry runs here."""


def piece(pick: random.Random) -> str:
    """Return a few characters that may mean something."""
    kind = pick.randrange(6)
    if kind == 0:
        return "".join(chr(pick.choice([pick.randrange(32, 127), pick.randrange(0xD800), 0x1F600])) for _ in range(4))
    if kind == 1:
        return str(
            pick.choice([pick.randrange(-10, 100), pick.randrange(10**9), 2**63, -(2**64), 10**30, pick.random()])
        )
    return pick.choice(pick.choice([ODD, DATES, WORDS, NAMES]))


def changed(text: str, pick: random.Random) -> str:
    """Return a text with something cut out, put in, doubled or moved."""
    for _ in range(pick.choice([1, 1, 2, 4])):
        at, to = sorted((pick.randrange(len(text) + 1), pick.randrange(len(text) + 1)))
        to = min(to, at + pick.choice([0, 1, 3, 40]))
        middle = pick.choice([piece(pick), "", text[at:to] * 2, text[at:to][::-1]])
        text = text[:at] + middle + text[to:]
    return text


WHERES = (
    "instrument='LATISS' and detector in (0..8)",
    "exposure.observation_type = 'bias' and not (exposure.seq_num < 3 or exposure.seq_num > 5)",
    "exposure.timespan overlaps (T'2025-01-01', null)",
    "exposure.exposure_time * 2 >= 15.5 + -1 and day_obs in (20250101, 20250103..20250110:2)",
    "glob(exposure.obs_id, 'AT_O_*') or exposure in (1, 2)",
)


def where(pick: random.Random) -> str:
    dice = pick.random()
    if dice < 0.3:
        return any_of(WORDS, " ")(pick)
    text = pick.choice(WHERES)
    return text if dice < 0.4 else changed(text, pick)


def any_of(known: tuple[str, ...], glue: str) -> Callable[[random.Random], str]:
    def make(pick: random.Random) -> str:
        if pick.random() < 0.4:
            return changed(pick.choice(known), pick)
        return glue.join(
            pick.choice(known) if pick.random() < 0.8 else piece(pick) for _ in range(pick.randrange(1, 9))
        )

    return make


def time_of(text: str) -> None:
    for role in ("begin", "end"):
        parse_time(text, role=role)


def name_of(text: str) -> None:
    find_name(text)
    try:
        parse_name(text)
    finally:
        validate_collection_name(text)


READERS: dict[str, tuple[Callable[[str], object], Callable[[random.Random], str]]] = {
    "expressions": (parse_where, where),
    "names": (name_of, any_of(NAMES, "/")),
    "dates": (time_of, any_of(DATES, "")),
    "data IDs": (
        DataId.parse,
        any_of(("instrument=LATISS", "detector=0", "exposure=1", "physical_filter=g", "band=r"), " "),
    ),
    "lines": (lambda text: read_line(text).build(), lambda pick: " ".join(words(pick))),
    "exports": (parse_export, lambda pick: changed(EXPORT, pick)),
}


def code_of(refused: CabstandError, text: str) -> str:
    """Return the code of a refusal, which must tell a way out."""
    assert refused.code, text
    assert refused.hint, f"{text!r}: {refused.code} {refused.message}"
    return refused.code


@pytest.mark.parametrize("kind", READERS)
def test_readers_read_or_refuse(kind: str) -> None:
    reader, make = READERS[kind]
    pick = random.Random(kind)
    codes = Counter[str]()
    for _ in range(N_INPUTS):
        text = make(pick)
        try:
            reader(text)
            codes["read"] += 1
        except CabstandError as refused:
            codes[code_of(refused, text)] += 1
        except Exception as problem:
            raise AssertionError(f"{text!r} gives {problem!r}") from problem
    print(f"\n{N_INPUTS:,} {kind}: {dict(codes)}")
    assert codes.total() == N_INPUTS
    assert codes["read"] > 0
    assert len(codes) > 1


def test_settings_of_a_repository(tmp_path: Path) -> None:
    pick, codes = random.Random(5), Counter[str]()
    for _ in range(N_INPUTS):
        text = changed(TOML, pick)
        (tmp_path / REPOSITORY_FILE).write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            load_repository_file(tmp_path)
            codes["read"] += 1
        except CabstandError as refused:
            codes[code_of(refused, text)] += 1
        except Exception as problem:
            raise AssertionError(f"{text!r} gives {problem!r}") from problem
    print(f"\n{N_INPUTS:,} settings: {dict(codes)}")
    assert len(codes) > 1


COLLECTIONS = (BASE, RUN, INTO, "LATISS/calib", "u/ada/list", "u/ada/new", "LATISS/calib/DM-2", "u/ada/list")
IN_REPOSITORY = {
    **dict.fromkeys(("collection", "collections", "parent", "children", "chain", "glob", "name", "drop"), COLLECTIONS),
    "run": (RUN, RUN, BASE),
    "dataset_type": ("bias", "bias", "dark"),
    "ticket": ("DM-1", "DM-2", "DM-3"),
    "instrument": ("LATISS",),
    "detector": ("0", "0", "1"),
    "exposure": ("2025040800001", "2025-02-01", "2025040700000"),
}
"""Fields whose values are mostly something that is there."""


def json_code(text: str) -> str:
    """Return the code of a refusal as scripts get it; the last line is one object."""
    try:
        return str(json.loads(text.splitlines()[-1])["error"]["code"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def words(pick: random.Random) -> list[str]:
    """Return a command line: a verb with most of its words and some that are none of its own."""
    verb = pick.choice(sorted(registered()))
    made, options = verb.split(), []
    for one in asked_fields(registered()[verb]):
        if one.declared.is_argument:
            if pick.random() < 0.95:
                made += [value(one, pick) for _ in range(pick.choice([1, 1, 2]) if one.is_many else 1)]
        elif pick.random() < 0.3:
            options += [one.option] + ([] if one.type is bool else [value(one, pick)])
    if pick.random() < 0.1:
        options.append(pick.choice(["--" + piece(pick), piece(pick), "--at-state", "-x"]))
    return made + options


def value(one: Any, pick: random.Random) -> str:
    dice = pick.random()
    if one.declared.choices and dice < 0.7:
        return str(pick.choice(one.declared.choices))
    if dice < 0.3:
        return changed(pick.choice(NAMES + DATES), pick)
    if one.type is int and dice < 0.9:
        return str(pick.choice([0, 0, 1, 2, 5, -1, 10, 2**31, 2**63, 10**25]))
    if one.name in IN_REPOSITORY and dice < 0.9:
        return pick.choice(IN_REPOSITORY[one.name])
    pool = (
        DATES if "date" in one.name or one.name in ("as_of", "from_", "to") else WORDS if one.name == "where" else NAMES
    )
    return where(pick) if pool is WORDS else pick.choice(pool)


@pytest.fixture
def typed(loose_repo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a repository with something in it, and type into it from an empty folder."""
    loose_repo.add_exposures(["2025-04-08T00:00:00", "2025-04-09T00:00:00"])
    loose_repo.add_run(RUN, [0])
    loose_repo.certify(RUN, INTO, "20250101")
    loose_repo.add_chain("u/ada/list", [BASE, RUN])
    loose_repo.live("DM-2", "2024-01-01")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return loose_repo


def test_whole_command_lines(typed: Any) -> None:
    pick, codes, exits, verbs = random.Random(11), Counter[str](), Counter[int](), Counter[str]()
    number = max(N_INPUTS // 10, 1)
    written = 0
    problems: list[str] = []
    with typed.context.unit_of_work() as uow:
        state = uow.journal.last_state()
    for _ in range(number):
        line = words(pick)
        is_dry = line[0] in ONLY_LOOKED_AT or pick.random() < 0.4
        head = ["-R", str(typed.root), *(["--dry-run"] if is_dry else []), *(["--json"] if pick.random() < 0.3 else [])]
        argv = [
            *head,
            *(["--yes"] if pick.random() < 0.7 else []),
            *(["--reason", "a test"] if pick.random() < 0.5 else []),
            *line,
        ]
        argv = [word.replace("\0", "") for word in argv]
        out, err = io.StringIO(), io.StringIO()
        surroundings = Surroundings(
            environment=dict(os.environ), clock=typed.context.clock, user="ada", host="here", out=out, err=err
        )
        code = run(argv, surroundings)
        told = err.getvalue()
        exits[code] += 1
        verbs[line[0]] += 1
        with typed.context.unit_of_work() as uow:
            now = uow.journal.last_state()
        is_refused = "error [" in told
        faults = [
            what
            for what, is_so in {
                "crashes": "Traceback" in told or "E-INTERNAL" in told or code not in range(9),
                "tells no way out": is_refused and " -- " not in told,
                "is refused with exit code 0": is_refused and not code,
                "wrote": (is_dry or is_refused) and now != state,
                "tells no code as JSON": is_refused and "--json" in argv and not json_code(out.getvalue()),
            }.items()
            if is_so
        ]
        problems += [f"{' '.join(map(repr, argv[2:]))} {what}: {told}" for what in faults]
        if is_refused:
            codes[told.rpartition("error [")[2].partition("]")[0]] += 1
        written += now - state
        state = now
    print(f"\n{number:,} lines of {len(verbs)} verbs: exits {dict(exits)}, {written} states, {dict(codes)}")
    assert not problems, f"{len(problems)} faults:\n" + "\n".join(problems[:40])
    assert set(exits) >= ({0, 2, 3} if number >= 200 else set())
    with typed.context.unit_of_work() as uow:
        assert uow.journal.first_altered() is None
