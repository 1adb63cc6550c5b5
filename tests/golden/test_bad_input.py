"""Bad input to every verb: one line that holds the value and a remedy, the documented exit code, nothing written."""

import contextlib
import json
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BASE = "LATISS/calib/DM-1"
RUN = f"{BASE}/first/biasGen.20261120a"
CERTIFIED = f"{BASE}/first/bias.20261120a"
OTHER = f"{BASE}/first/bias.20261120b"
WHERE = "instrument='LATISS' and exposure.observation_type='bias'"
FIRST = "2025040800001"
CERTIFY = f"certify-calibrations {RUN} {OTHER} bias"
ADOPT = "decide DM-1 adopt_with_waivers --people 'A. Chair'"

# stage of the walk, what is typed, exit code, words that standard error must hold
Row = tuple[str, str, int, tuple[str, ...]]


def _rows(stage: str, code: int, *lines: tuple[str, ...]) -> list[Row]:
    return [(stage, line, code, words) for line, *words in lines for words in (tuple(words),)]


MISSING = _rows(
    "certified", 2,
    ("init", "--camera"), ("ingest", "PATH"), ("ingest-photodiode LATISS", "LOCATION"),
    ("generate", "TYPE", "TICKET"), ("generate bias", "TICKET"),
    ("campaign new", "INSTRUMENT", "TICKET", "TAG"), ("campaign inputs", "TICKET", "TYPE", "--where"),
    ("campaign inputs DM-1 bias", "--where"), ("campaign ticket DM-1", "ROLE", "KEY"), ("campaign show", "TICKET"),
    ("spot", "TYPE", "TICKET"), ("verify bias", "TICKET"), ("report", "TICKET"),
    ("certify-calibrations", "RUN", "COLLECTION", "DATASET_TYPE"), ("decertify", "COLLECTION"),
    ("recertify", "COLLECTION"), ("remove-collections", "GLOB"), ("remove-runs", "GLOB"),
    ("collection-chain LATISS/calib", "CHILDREN"), ("hail DM-1", "KEY"), ("decide DM-1", "OUTCOME", "--people"),
    ("decide DM-1 adopt", "--people"), ("deploy home", "TICKET"), ("export-calibs", "DIRECTORY", "COLLECTION"),
    ("import", "DIRECTORY"), ("prove home", "TICKET", "FILE"), ("process", "EXPOSURE"),
    ("explain", "EXPOSURE", "DETECTOR"), ("associate", "COLLECTION", "--collections", "--dataset-type"),
    ("disassociate a", "--dataset-type"), ("register-collection", "NAME", "TYPE"),
    ("register-dataset-type flat", "STORAGE_CLASS", "DIMENSIONS"),
    ("write-curated-calibrations LATISS", "FOLDER"), ("ingest-files", "TYPE", "RUN", "FILE"),
    ("edit-product defects 0", "--ticket"), ("show-product", "UUID"),
)  # fmt: skip

WRONG_KIND = _rows(
    "certified", 2,
    ("timeline --detector x", "'x'"), ("timeline --from yesterday", "yesterday"), ("whatif explain 1 0", "question"),
    ("doctor --checksums --repair", "--checksums"),
    ("whatif", "no line"), ("gaps --to never", "never"), ("diff", "--from-state"), ("diff --from-state x", "'x'"),
    ("history", "NAME_OR_DATA_ID"), ("history detektor=0", "detektor"), ("history a b", "'a b'", "give one"),
    ("shadowed --at-state 1 --as-of 2025-01-01", "both say when"), ("fingerprint --as-of x", "x"),
    ("explain abc 0 bias", "abc", "exposure id", "TAI"), ("explain 2025040800001 zero", "zero"),
    ("process 2025040800001 x", "'x'"), ("journal --last many", "many"), ("journal --last -1", "-1"),
    ("generate bias DM-1 --n-sigma three", "three"), ("generate flta DM-1", "flta", "flat"),
    ("verify biasBootstrap DM-1", "biasBootstrap"), ("campaign ticket DM-1 hail TAXICAB-1", "hail", "hailing"),
    ("campaign inputs DM-1 bias --purpose look --where x", "look", "verify"),
    ("query-collections --chains trees", "trees", "did you mean tree"),
    ("query-collections --collection-type runs", "runs", "did you mean run"),
    ("decide DM-1 adopted --people J", "adopted", "did you mean adopt"),
    ("init /nowhere --camera LATISS --kind mian", "mian", "did you mean main"),
    ("certfy-calibrations", "certfy-calibrations", "'certify-calibrations'"), ("campaign nwe", "nwe", "'new'"),
    ("query-datasets --colections x", "--colections", "'--collections'"),
    ("query-datasets --limit -5", "-5"), (f'exposures --where "{WHERE}" --limit -3', "-3"), ("jobs --log", "--log"),
    ("collection-chain LATISS/calib a --mode redifine", "redifine", "did you mean redefine"),
    ("collection-chain LATISS/calib first --mode pop", "'first'", "whole numbers", "--mode remove"),
    ("collection-chain LATISS/calib a --mode remove --flatten", "--flatten", "prepend, extend, redefine"),
    ("register-collection some/name ru", "ru", "did you mean run"),
    ("register-dataset-type flat ExposureF detectr", "'detectr'", "did you mean detector"),
    ("spot bias DM-1 --ok --detectors a", "'a'"),
    ("write-curated-calibrations LATISS TMP", "top chain", "--label"),
    ("write-curated-calibrations LATISS TMP --label dm-7", "'dm-7'"), ("show-product bias", "detector"),
    ("show-product bias 7", "7", "it has 0"), ("show-product bias x", "'x'"),
    ("ingest-files raw x/y TMP/garbage.fits", "raw", "cabstand ingest"),
)  # fmt: skip

UNKNOWN = _rows(
    "certified", 3,
    *[(line, "'DM-7'", "did you mean DM-1?") for line in (
        "campaign show DM-7", "generate bias DM-7",
        "generate --graph --ticket DM-7", "spot bias DM-7", "verify bias DM-7", "report DM-7",
        "hail DM-7 TAXICAB-1", "decide DM-7 adopt --people J", "journal DM-7",
        f'campaign inputs DM-7 bias --where "{WHERE}"', "campaign ticket DM-7 deployment DM-8",
    )],
    ("deploy home DM-7", "DM-7"), ("campaign new LATIS DM-9 x", "'LATIS'", "LATISS"),
    ("exposures --instrument LSSTCam", "LSSTCam", "LATISS"),
    (f"explain {FIRST} 0 bias --instrument LSSTCam", "LSSTCam", "LATISS"),
    ("timeline bais", "'bais'", "did you mean bias?"), ("shadowed --at-state 999", "999", "journal"),
    (f"gaps {BASE}x", f"'{BASE}x'", f"did you mean {BASE}?"), ("diff TMP/absent", "absent"),
    (f"history {BASE}x", f"'{BASE}x'", f"did you mean {BASE}?"), ("query-datasets --at-state 999", "999"),
    (f"whatif collection-chain LATISS/calib {BASE}x --mode prepend", "refused", f"did you mean {BASE}?"),
    (f"fingerprint {BASE}x", f"'{BASE}x'", f"did you mean {BASE}?"),
    (f"explain {FIRST} 0 bias --collection {BASE}x", f"{BASE}x", f"did you mean {BASE}?"),
    ("explain 2025040899999 0 bias", "2025040899999"), (f"explain {FIRST} 7 bias", "7", "it has 0 only"),
    (f"explain {FIRST} 0 bais", "'bais'", "did you mean bias?"), ("process 2025040899999 0", "2025040899999"),
    (f"process {FIRST} 7", "7"), (f"process {FIRST} 0 --collection nope", "'nope'"),
    ("query-datasets bias --collections nope", "'nope'"), ("query-datasets bais", "'bais'", "did you mean bias?"),
    *[(f"jobs {flag}20200101-0001", "20200101-0001") for flag in ("", "--resume ", "--cancel ")],
    ("init TMP/x --camera LATIS", "'LATIS'", "LATISS"), ("init TMP/x --camera TMP/no.yaml", "no.yaml"),
    (f"certify-calibrations {RUN}x {OTHER} bias --begin-date 20250408", f"'{RUN}x'", f"did you mean {RUN}?"),
    (f"certify-calibrations {RUN} {OTHER} bais --begin-date 20250408", "'bais'", "did you mean bias?"),
    (f"decertify {CERTIFIED}x bias", f"'{CERTIFIED}x'", f"did you mean {CERTIFIED}?"),
    (f"decertify {CERTIFIED} dark --begin-date 20250408", "dark"),
    (f"decertify {CERTIFIED} bias --begin-date 20250408 --detector 9", "detector 9"),
    (f"decertify {CERTIFIED} bias --begin-date 20200408 --end-date 20200501", "2020-04-08", "2025-04-08"),
    (f"recertify {CERTIFIED} bais --end-date 20250501", "bais", "did you mean bias?"),
    (f"recertify {CERTIFIED} bias --end-date 20250501 --detector 9", "detector 9"),
    (f"recertify {CERTIFIED} bias --end-date 20250501 --of-begin 20200101", "20200101", "2025-04-08"),
    (f"remove-collections {CERTIFIED}x", f"'{CERTIFIED}x'", f"did you mean {CERTIFIED}?"),
    (f"remove-runs {RUN}x", f"'{RUN}x'", f"did you mean {RUN}?"),
    ("spot bias DM-1 --ok --detectors 8", "8", "it has 0"),
    (f"collection-chain LATISS/calibs {BASE} --mode prepend", "'LATISS/calibs'", "did you mean LATISS/calib?"),
    (f"collection-chain LATISS/calib {BASE}0 --mode prepend", f"'{BASE}0'", f"did you mean {BASE}?"),
    (f"collection-chain LATISS/calib {BASE} --mode remove", BASE, "none"),
    ("collection-chain LATISS/calib 5 --mode pop", "place 5", "no members"),
    (f"associate LATISS/calib_tagged/DM-1 --collections {RUN} --dataset-type bias", "--create"),
    (f"associate LATISS/calib_tagged/DM-1 --collections {RUN} --dataset-type raw --create", "raw", RUN),
    (f"associate LATISS/calib_tagged/DM-1 --collections {RUN} --dataset-type bais --create", "did you mean bias?"),
    ("acknowledge", "no change made outside"), ("acknowledge 99", "99"),
    ("observe", "accompanies no Butler", "butler:"),
    ("import TMP/absent", "absent"), ("import TMP", "export.yaml"), ("fingerprint --against TMP/absent", "absent"),
    ("export-calibs TMP/bundle nope", "nope"),
    ("write-curated-calibrations LATISS TMP/absent --label DM-7", "absent"),
    ("write-curated-calibrations LATIS TMP --label DM-7", "'LATIS'", "LATISS"),
    ("ingest-files defcts x/y TMP/absent.fits", "'defcts'", "did you mean defects?"),
    ("edit-product DM-1 --ticket DM-1", "'DM-1'", "query-datasets"), ("show-product bais 0", "'bais'", "mean bias?"),
    ("edit-product bias 0 --ticket DM-7 --from x", "'DM-7'", "DM-1"),
    ("show-product 00000000-0000-0000-0000-000000000000", "00000000", "query-datasets"),
)  # fmt: skip

_WHERES: tuple[tuple[str, ...], ...] = (
    ("instrument='LATISS' and exposure.observation_type='BIAS'", "'BIAS'", "'bias'"),
    ("instrument='latiss'", "'latiss'", "'LATISS'"),
    ("instrument='LATISS' and (exposure.day_obs=20250408", "^"),
    ("instrument='LATISS' and exposure.day_obs==20250408", "^"),
    ("instrument='LATISS' and exposure.dayobs=20250408", "dayobs", "day_obs"),
    ("instrument='LATISS' and exposure.day_obs='20250408'", "20250408"),
    ("instrument='LATISS' and exposure.day_obs=20200101", "20200101"),
    ("instrument='LATISS' and exposure.day_obs=20250231", "20250231"),
    ("instrument='LATISS'; drop table exposure", "^"),
    ("instrument='LATISS' and exposure.timespan overlaps (T'2025-13-01', T'2025-01-01')", "2025-13-01"),
)
SELECTIONS = _rows(
    "certified", 2,
    *[
        (f'{verb} --where "{where}"', *words)
        for where, *words in _WHERES
        for verb in ("exposures", "campaign inputs DM-1 bias", "generate bias DM-1", "verify bias DM-1")
    ],
    ("campaign inputs DM-1 bias --where ''", "empty"), (f'exposures --where "{WHERE}" --for bais', "bais"),
    (f'exposures --where "{WHERE}" --exclude {FIRST}', FIRST),
    (f'exposures --where "{WHERE}" --exclude {FIRST}=', FIRST),
    (f'exposures --where "{WHERE}" --exclude 99=bad', "99"), (f'exposures --where "{WHERE}" --exclude six=bad', "six"),
)  # fmt: skip


def _without(*seq_nums: int) -> str:
    return " ".join(f"--exclude 20250408{seq_num:05d}=x" for seq_num in seq_nums)


WORK = [
    *_rows(
        "certified", 2,
        (f"generate bias DM-1 {_without(1, 2, 3, 4)}", "2 frames"),
        (f"generate bias DM-1 {_without(1, 2, 3, 4, 5, 7)}", "exclu"),
        ("generate bias DM-1 --set clip=3", "clip=3", "bias --parameters"),
        ("generate bias DM-1 --set n_sigmas=3", "did you mean n_sigma?"),
        ("generate bias DM-1 --set n_sigma", "n_sigma"),
        ("generate --parameters", "TYPE", "bias --parameters"), ("generate photodiode --parameters", "photodiode"),
        ("generate bias DM-1 --band g", "'g'"), ("generate flat DM-1", "flat", "--band"),
        ("generate --graph --at yesterday", "yesterday"),
        *[(f"generate bias DM-1 --n-sigma {value}", value) for value in ("0", "-1", "nan", "inf", "0.5")],
        ("generate bias DM-1 --max-iter -1", "-1"), ("generate bias DM-1 --processes -1", "-1"),
        ("verify bias DM-1 --processes -1", "-1"),
        *[(f"{verb} bias DM-1 --rerun {value}", value.removesuffix("31a")) for verb in ("generate", "verify")
          for value in ("20261120", "20261120A", "2026112a", "20261120aaa", "today", "20261331a")],
        ("spot bias DM-1 --ok --not-ok --comment x", "--not-ok"), ("spot bias DM-1 --not-ok", "--comment"),
        ("spot bias DM-1 --redo-without 3", "--redo-without"),
        ("spot bias DM-1 --not-ok --comment x --redo-without 77", "'77'"),
        ("spot bias DM-1 --not-ok --comment WHAT --redo-without 1", "WHAT"),
        ("spot biasBootstrap DM-1", "biasBootstrap"),
    ),
    *_rows("certified", 4, ("generate bias DM-1 --rerun 20261120a", "20261120a"),
           ("verify bias DM-1 --rerun 20261120a", "20261120a"), ("jobs --resume 20261120-0001", "20261120-0001"),
           ("jobs --cancel 20261120-0001", "20261120-0001"), ("report DM-1", "bias.20261120a.md", "--overwrite")),
    *_rows("opened", 3, ("generate bias DM-1", "DM-1", "campaign inputs"), ("verify bias DM-1", "DM-1", "generate")),
    *_rows("opened", 5, ("spot bias DM-1 --ok", "DM-1"), ("report DM-1", "DM-1"), ("hail DM-1 TAXICAB-1", "DM-1"),
           ("decide DM-1 adopt --people J", "DM-1")),
    *_rows("generated", 3, ("verify bias DM-1", "DM-1", "campaign inputs")),
    *_rows("certified", 7, ("report DM-1 --out /proc/x", "/proc/x")),
    *_rows("live", 7, (f"process {FIRST} 0 --out /proc/x", "/proc/x")),
    *_rows("certified", 3, (f"process {FIRST} 0", "LATISS/calib", "explain")),
]  # fmt: skip

NAMES = [
    *_rows(
        "certified", 2,
        *[(f"campaign new LATISS '{key}' x", f"'{key}'", "DM-48520")
          for key in ("DM48520", "dm-1", "DM-", "DM-1x", "D M-3")],
        ("campaign new LATISS -- -1 x", "'-1'"),
        *[(f"campaign new LATISS DM-9 '{tag}'", f"'{tag}'", "slash") for tag in ("a/b", "a,b", "a b", "")],
        ("campaign new LATISS DM-9 x --why because", "because"), ("campaign new LATISS DM-9 x --type bais", "bais"),
        ("campaign new LATISS DM-9 x --type drak", "drak", "dark"),
        ("campaign new LATISS DM-9 x --user-prefix a,b/", "a,b"),
        ("campaign ticket DM-1 hailing taxicab", "'taxicab'"), ("campaign ticket DM-1 deployment DM-1", "DM-1"),
        ("campaign ticket DM-1 deployment DM-NUMBER", "'DM-NUMBER'"), ("hail DM-1 hello", "'hello'"),
        (f"certify-calibrations {RUN} mine,yours bias --begin-date 20250408", "'mine,yours'", "','"),
        (f"certify-calibrations {RUN} u/jane/mine bias --begin-date 20250408", "u/jane/mine"),
        (f"collection-chain a,b {CERTIFIED} --mode prepend --create", "'a,b'"),
        ("register-collection a,b run", "'a,b'"), ("register-dataset-type 2flats ExposureF instrument", "2flats"),
    ),
    *_rows("certified", 4, ("campaign new LATISS DM-1 other", "DM-1", "campaign show")),
]  # fmt: skip

_TIMES = ("20250231", "2025-02-31", "61000x", "yesterday", "2025-04-08T25:00:00", "99999999", "1", "20250408T", "nan",
          "1850-01-01T00:00:00", "2025-04-08T14:00:00+99:00", "1e20", "2500-01-01", "mjd", "'mjd 9e9'")  # fmt: skip
RANGES = [
    *_rows(
        "certified", 2,
        *[(f"{CERTIFY} --begin-date {time}", time.strip("'")) for time in _TIMES],
        *[(f"{CERTIFY} --begin-date 20250408 --end-date {time}", time.strip("'")) for time in _TIMES],
        *[(f"decertify {CERTIFIED} bias --begin-date {time}", time.strip("'")) for time in _TIMES],
        (f"{CERTIFY} --begin-date 20250408 --end-date 20250401", "20250408", "20250401", "TAI", "UTC"),
        (f"{CERTIFY} --begin-date 2025-04-08T00:00:00 --end-date 2025-04-08T00:00:00", "2025-04-08T00:00:00"),
        (CERTIFY, "--unbounded-begin"), (f"{CERTIFY} --begin-date 20250408 --unbounded-begin", "--unbounded-begin"),
        (f"decertify {CERTIFIED} bias --begin-date 20250410 --end-date 20250401", "20250410", "20250401"),
        (f"certify-calibrations {RUN} {OTHER} biasBootstrap --begin-date 20250408", "biasBootstrap", "never certified"),
        (f"certify-calibrations {BASE} {OTHER} bias --begin-date 20250408", BASE, "CHAINED"),
        (f"decertify {RUN} bias --begin-date 20250408", RUN, "RUN collection"),
        *[(f"recertify {CERTIFIED} bias --end-date {time}", time.strip("'")) for time in _TIMES],
        (f"recertify {CERTIFIED} bias", "--end-date unbounded"),
        (f"recertify {CERTIFIED} bias --end-date 20250301", "20250301", "the begin that is kept"),
        (f"remove-collections {RUN}", RUN, "remove-runs"), (f"remove-runs {CERTIFIED}", CERTIFIED, "remove-coll"),
    ),
    *_rows(
        "certified", 4,
        (f"certify-calibrations {RUN} {CERTIFIED} bias --begin-date 2025-04-09T14:00:00", CERTIFIED, "recertify"),
        (f"certify-calibrations {RUN} {RUN} bias --begin-date 20250408", RUN),
        (f"certify-calibrations {RUN} LATISS/calib bias --begin-date 20250408", "LATISS/calib"),
    ),
]  # fmt: skip

REMOVAL = [
    *_rows("certified", 5, (f"remove-runs {RUN}", CERTIFIED, "protected: 1 link", "--force"),
           (f"remove-collections {CERTIFIED}", f"{BASE} lists {CERTIFIED}", "--remove-from-parents")),
    *_rows("live", 5, (f"remove-runs {RUN} --force --reason x", "LATISS/calib leads", "--mode remove"),
           (f"remove-collections {CERTIFIED} --remove-from-parents", "LATISS/calib leads", "--mode remove")),
]  # fmt: skip

CHAINS = [
    *_rows("certified", 2, (f"collection-chain {BASE} {CERTIFIED}", "--mode prepend"),
           (f"collection-chain LATISS/calib {BASE} --mode prepend --override DM-2 --reason x", "'DM-2'", "DM-1")),
    *_rows("certified", 4, (f"collection-chain {BASE} {BASE} --mode prepend", BASE),
           (f"collection-chain {RUN} {CERTIFIED} --mode prepend", RUN)),
    *_rows("live", 4, (f"collection-chain {BASE} LATISS/calib --mode prepend", f"LATISS/calib > {BASE}")),
    *_rows("certified", 5, (f"collection-chain LATISS/calib {BASE} --mode prepend", BASE, "cabstand hail"),
           (f"collection-chain LATISS/calib {BASE} --mode prepend --override DM-1", "--reason")),
]  # fmt: skip

STATES = [
    *_rows("live", 2, ("undo x", "STATE", "'x'"), ("restore LATISS/calib", "--to-state")),
    *_rows("live", 3, ("undo 999", "999"), ("restore LATISS/calb --to-state 1", "LATISS/calb"),
           ("rollback LATIS", "LATIS")),
    *_rows("certified", 5, ("redo", "nothing to do again"), ("undo 1", "init")),
    *_rows("certified", 2, ("query-dimension-records filter", "'filter'", "physical_filter"),
           ("query-dimension-records exposure --where 'band ='", "after =")),
]  # fmt: skip

BOARD = [
    *_rows(
        "hailed", 2,
        ("decide DM-1 adopt --people ''", "--people"), ("decide DM-1 adopt --people NAME", "NAME"), (ADOPT, "--waive"),
        ("decide DM-1 reject_rebuild --people J", "--reason"), (f"{ADOPT} --waive garbage", "'garbage'", "test="),
        (f"{ADOPT} --waive test=noise_ratio", "reason", "'test=noise_ratio'"),
        *[(f"{ADOPT} --waive 'test=noise_ratio,reason=x,who=y,expires={day}'", day)
          for day in ("2020-01-01", "soon", "2027-02-31")],
        (f"{ADOPT} --waive 'test=noise_ratio,color=red,reason=x,who=y,expires=2027-01-01'", "color=red"),
        (f"{ADOPT} --waive 'test=noise_ratio,reason=WHY,who=y,expires=2027-01-01'", "WHY"),
        (f"{ADOPT} --waive 'test=noise_ratio,reason=x,who=NAME,expires=2027-01-01'", "NAME"),
    ),
    *_rows(
        "hailed", 5,
        ("decide DM-1 adopt --people 'A. Chair'", "noise_ratio", "adopt_with_waivers"),
        *[(f"{ADOPT} --waive 'test={what},reason=x,who=y,expires=2027-01-01'", "FAIL noise_ratio")
          for what in ("nosuch", "noise_ratio,detector=77", "noise_ratio,detector=0,amp=C99")],
    ),
    *_rows("decided", 5, ("decide DM-1 adopt --people J", "adopt is not possible", "Adopted", "reject_rebuild")),
]  # fmt: skip

SITES = [
    *_rows("certified", 5, ("deploy home DM-1", "DM-1", "cabstand hail")),
    *_rows("decided", 3, ("deploy nowhere DM-1", "nowhere", "home")),
    *_rows("decided", 5, ("deploy main DM-1", "DM-1", "cabstand deploy home"),
           ("deploy home DM-1", "LATISS/calib", "--confirm")),
    *_rows("decided", 2, ("deploy summit-LSSTCam DM-1", "LSSTCam")),
    *_rows("decided", 4, (f"export-calibs TMP {BASE}", "TMP")),
    *_rows("decided", 7, (f"export-calibs /proc/x {BASE}", "/proc/x")),
    *_rows("live", 3, ("prove home DM-1 TMP/absent.fits", "absent.fits")),
    *_rows("live", 2, ("prove home DM-1 TMP/text.yaml", "text.yaml")),
    *_rows("live", 7, ("prove home DM-1 TMP/garbage.fits", "garbage.fits")),
]  # fmt: skip

FOLDERS = [
    *_rows("new", 2, ("ingest TMP/garbage.fits --transfer move", "move"),
           ("init TMP/text.yaml --camera LATISS", "text.yaml"),
           ("ingest TMP/garbage.fits --observation-type 'a b'", "a b"),
           ("init TMP/y --camera LATISS --camera LATISS:mini", "LATISS"),
           ("init TMP/y --camera TMP/text.yaml", "text.yaml"), ("rehearse TMP/z --camera LSSTCam", "LSSTCam")),
    *_rows("new", 3, ("ingest TMP/*.xyz", "*.xyz"), ("ingest TMP/empty", "empty"),
           ("ingest TMP/garbage.fits --instrument LATIS", "LATIS")),
    *_rows("new", 4, ("init HOME --camera LATISS", "HOME"), ("rehearse TMP --prepare-only", "TMP")),
    *_rows("new", 7, ("init /proc/x --camera LATISS", "/proc/x"),
           ("rehearse TMP/text.yaml --prepare-only", "text.yaml")),
]  # fmt: skip

TABLE = [
    *MISSING,
    *WRONG_KIND,
    *UNKNOWN,
    *SELECTIONS,
    *WORK,
    *NAMES,
    *RANGES,
    *REMOVAL,
    *CHAINS,
    *STATES,
    *BOARD,
    *SITES,
]
TABLE += FOLDERS


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with files that are not what they should be."""
    folder = tmp_path / "shelf"
    (folder / "empty").mkdir(parents=True)
    (folder / "text.yaml").write_text("hello")
    (folder / "garbage.fits").write_bytes(b"SIMPLE  = x" * 300)
    return folder


@pytest.fixture(autouse=True)
def _state_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.PlatformDirs.user_state_path", tmp_path / "state")
    monkeypatch.setattr("platformdirs.PlatformDirs.user_data_path", tmp_path / "data")


def _is_one_error(said: Any) -> None:
    """Check the form of an error: one line with a remedy; details, indented or under a caret, may follow it."""
    assert "Traceback" not in said.err
    assert "E-INTERNAL" not in said.err
    assert said.out == ""
    lines = said.err.splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith("error [E-")]
    assert len(at) == 1, said.err
    assert " -- " in lines[at[0]], "no remedy: " + said.err
    assert all(line.startswith(" ") or "^" in said.err for line in lines[at[0] + 1 :]), said.err


@pytest.mark.parametrize(("at", "line", "code", "words"), TABLE, ids=[f"{row[0]}-{row[1][:90]}" for row in TABLE])
def test_bad_input_is_one_line_with_a_remedy_and_writes_nothing(
    *,
    at: str,
    line: str,
    code: int,
    words: tuple[str, ...],
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    content_of: Callable[[Path], dict[str, str]],
    shelf: Path,
) -> None:
    home = kept_stage(at)

    def filled(text: str) -> str:
        return text.replace("TMP", str(shelf)).replace("HOME", str(home))

    before = content_of(home), content_of(shelf)
    said = typed(f"cabstand {filled(line)}", home)
    assert (said.code, said.err) == (code, said.err)
    _is_one_error(said)
    assert [filled(word) for word in words if filled(word) not in said.err] == []
    assert (content_of(home), content_of(shelf)) == before


@pytest.mark.parametrize("row", [TABLE[0], UNKNOWN[0], SELECTIONS[2], BOARD[0]], ids=lambda row: str(row[1]))
def test_an_error_as_json_is_one_document(
    row: Row, kept_stage: Callable[[str], Path], typed: Callable[..., Any]
) -> None:
    at, line, code, _words = row
    said = typed(f"cabstand {line} --json", kept_stage(at))
    assert said.code == code
    assert set(json.loads(said.out)["error"]) == {"code", "message", "hint"}


@pytest.mark.parametrize("line", ["campaign show DM-7", "explain x 0", "explain 1 0 --nosuch"])
def test_every_remedy_is_there_in_json_too(
    line: str, kept_stage: Callable[[str], Path], typed: Callable[..., Any]
) -> None:
    said = typed(f"cabstand {line} --json", kept_stage("certified"))
    assert json.loads(said.out)["error"]["hint"]


@pytest.mark.parametrize(("line", "told"), [
    (f"certify-calibrations {RUN} {CERTIFIED} bias --begin-date 2025-04-08T14:00:00", "nothing to do"),
    (f"collection-chain {BASE} {CERTIFIED} {CERTIFIED} --mode prepend", "nothing to do"),
    ("query-collections nope*", "no collection matches 'nope*'"),
])  # fmt: skip
def test_what_is_so_already_is_said_and_not_done_again(
    line: str,
    told: str,
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    content_of: Callable[[Path], dict[str, str]],
) -> None:
    home = kept_stage("certified")
    before = content_of(home)
    said = typed(f"cabstand {line}", home)
    assert (said.code, told in said.out) == (0, True), said
    assert content_of(home) == before


@pytest.mark.parametrize("name", ["absent.fits", "garbage.fits"])
def test_a_refused_file_is_named_with_its_reason(
    name: str, kept_stage: Callable[[str], Path], typed: Callable[..., Any], shelf: Path
) -> None:
    said = typed(f"cabstand ingest {shelf}/{name}", kept_stage("new"))
    assert said.code == 2
    assert "0 files recorded, 1 refused" in said.out
    assert name in said.out


READING = ("query-collections", "journal --verify", "campaign show DM-1", "campaign new LATISS DM-9 x --dry-run")
WRITING = ("campaign new LATISS DM-9 x", "generate bias DM-1", "spot bias DM-1 --ok", f"decertify {CERTIFIED} bias")


@pytest.fixture
def spoilt(at_stage: Callable[[str], Path]) -> Iterator[Path]:
    home = at_stage("certified")
    yield home
    assert not (home / "data" / f"{RUN}b").exists()


def _store(home: Path) -> Path:
    return home / "cabstand.sqlite3"


def _sql(home: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(_store(home))) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("line", [*READING, *WRITING, "doctor"])
@pytest.mark.parametrize(("damage", "word"), [
    ("newer", "0009"), ("older", "0000"), ("overwritten", "not a Cabstand store"), ("garbage", "not a database"),
    ("empty", "not a Cabstand store"),
])  # fmt: skip
def test_a_store_that_cannot_be_used(
    spoilt: Path, typed: Callable[..., Any], line: str, damage: str, word: str
) -> None:
    if damage in ("newer", "older"):
        _sql(spoilt, f"update alembic_version set version_num = '{'0009' if damage == 'newer' else '0000'}'")
    elif damage == "overwritten":
        raw = bytearray(_store(spoilt).read_bytes())
        raw[4096 * 2 : 4096 * 40] = b"\xff" * (4096 * 38)
        _store(spoilt).write_bytes(bytes(raw))
    else:
        _store(spoilt).write_bytes(b"" if damage == "empty" else b"hello world" * 1000)
    before = _store(spoilt).read_bytes()
    said = typed(f"cabstand {line}", spoilt)
    assert said.code == 7, said
    if line == "doctor":
        assert "fail" in said.out
    else:
        _is_one_error(said)
        assert word in said.err
    assert _store(spoilt).read_bytes() == before


@pytest.mark.parametrize("line", WRITING)
def test_a_locked_store_is_waited_for_and_then_named(
    spoilt: Path, typed: Callable[..., Any], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calibstore.db.engine.BUSY_TIMEOUT_MS", 20)
    with contextlib.closing(sqlite3.connect(_store(spoilt), isolation_level=None)) as other:
        other.execute("begin immediate")
        said = typed(f"cabstand {line}", spoilt)
        assert typed("cabstand query-collections", spoilt).code == 0, "readers are never blocked"
        other.execute("rollback")
    assert said.code == 7
    _is_one_error(said)
    assert "another process holds the store" in said.err


@pytest.mark.parametrize("line", [*WRITING, "ingest TMP/garbage.fits", "report DM-1 --overwrite"])
def test_a_repository_opened_read_only_is_not_written(
    line: str,
    kept_stage: Callable[[str], Path],
    typed: Callable[..., Any],
    content_of: Callable[[Path], dict[str, str]],
    shelf: Path,
) -> None:
    home = kept_stage("certified")
    before = content_of(home)
    said = typed(f"cabstand {line.replace('TMP', str(shelf))} --read-only", home)
    assert content_of(home) == before
    if "ingest" not in line:  # nothing could be recorded of that file anyway
        assert said.code == 7
        _is_one_error(said)
        assert "--read-only" in said.err


@pytest.mark.parametrize("line", ["jobs", "jobs 20261120-0001", "spot bias DM-1", *READING])
def test_looking_works_read_only(line: str, kept_stage: Callable[[str], Path], typed: Callable[..., Any]) -> None:
    assert typed(f"cabstand {line} --read-only", kept_stage("certified")).code == 0


@pytest.mark.parametrize("line", [*READING, *WRITING])
def test_where_no_repository_is(
    line: str, kept_stage: Callable[[str], Path], typed: Callable[..., Any], shelf: Path
) -> None:
    for place, word in ((shelf / "empty", "cabstand init"), (shelf / "text.yaml", "is a file"), (shelf / "no", "init")):
        said = typed(f"cabstand {line}", place)
        assert said.code == 3
        _is_one_error(said)
        assert str(place) in said.err
        assert word in said.err
    above = kept_stage("certified").parent
    assert f"did you mean {above}/home?" in typed(f"cabstand {line}", above).err
    assert "cabstand rehearse" in typed(f"cabstand {line}", above, CABSTAND_REPO="").err


@pytest.mark.parametrize("text", [
    "default_repository =", "repositories = 3", "[roles]\ndeployer = 3", "[roles]\ndeployer = 'jane'", "\xff\xfe",
    "[repositories]\nmain = 3", "[roles]\ndeployer = [3]",
])  # fmt: skip
def test_a_broken_configuration_file(
    text: str, kept_stage: Callable[[str], Path], typed: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="latin-1")
    said = typed("cabstand query-collections", kept_stage("certified"), CABSTAND_CONFIG=str(path))
    assert said.code == 2
    _is_one_error(said)
    assert str(path) in said.err


def test_products_that_are_gone_are_named(
    at_stage: Callable[[str], Path], typed: Callable[..., Any], tmp_path: Path
) -> None:
    home = at_stage("live")
    shutil.rmtree(home / "data")
    for line in (
        "verify bias DM-1",
        "process 2025041100001 0",
        f"export-calibs {tmp_path}/bundle {BASE}",
    ):
        said = typed(f"cabstand {line}", home)
        assert said.code in (3, 4, 6, 7), line
        assert "E-INTERNAL" not in said.err
        assert "bias_LATISS_RXX_S00" in said.err, line
    assert typed("cabstand doctor", home).code == 7


def test_the_table_has_every_verb() -> None:
    from calibstore.commands import registered

    never_wrong = {"campaign list", "doctor --repair", "migrate"}  # they take nothing that could be wrong
    typed_verbs = {" ".join(words[:2]) for words in (shlex.split(row[1]) for row in TABLE)}
    missing = {verb for verb in registered() if not any(typed.startswith(verb) for typed in typed_verbs)}
    assert missing == never_wrong
