"""The command line: help, one-line errors, exit codes, no tracebacks."""

import io
import json
from pathlib import Path

import pytest

from calibstore.cli.program import run
from calibstore.cli.session import Session, Surroundings

ISSUE_VERBS = (
    "init rehearse ingest exposures generate jobs spot verify report certify-calibrations decertify recertify "
    "collection-chain associate disassociate register-collection register-dataset-type remove-collections remove-runs "
    "query-collections query-datasets query-dimension-records explain timeline whatif shadowed gaps fingerprint diff "
    "history undo redo restore rollback campaign hail decide export-calibs import deploy prove process journal observe "
    "acknowledge doctor migrate write-curated-calibrations ingest-files ingest-photodiode edit-product show-product"
).split()


class Terminal:
    """A command line with captured streams."""

    def __init__(self, tmp_path: Path) -> None:
        self.environment = {"CABSTAND_CONFIG": str(tmp_path / "config.toml"), "XDG_STATE_HOME": str(tmp_path)}

    def __call__(self, *argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        surroundings = Surroundings(
            environment=self.environment,
            clock=lambda: 1_800_000_000_000_000_000,
            user="jane",
            host="host",
            out=out,
            err=err,
        )
        return run(argv, surroundings), out.getvalue(), err.getvalue()


@pytest.fixture
def cabstand(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_help_lists_the_verbs_of_this_release_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"], Surroundings(environment={}, clock=lambda: 0, user="u", host="h"))
    text = capsys.readouterr().out
    rows = text.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    listed = [row.split()[0] for row in rows if row.startswith("  ") and row[2] != " "]
    assert sorted(listed) == sorted(ISSUE_VERBS)


@pytest.mark.parametrize("verb", ISSUE_VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run([verb, "--help"], Surroundings(environment={}, clock=lambda: 0, user="u", host="h"))
    assert code == 0
    assert "Usage: cabstand" in capsys.readouterr().out


def test_an_error_is_one_line_with_value_and_remedy(cabstand: Terminal) -> None:
    code, out, err = cabstand("query-collections")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "no repository is named" in err
    assert "cabstand rehearse" in err


def test_an_unknown_verb_offers_help(cabstand: Terminal) -> None:
    code, _out, err = cabstand("certfy")
    assert code == 2
    assert "certfy" in err
    assert "--help" in err
    assert err.count("\n") == 1


def test_json_errors_are_json(cabstand: Terminal) -> None:
    code, out, _err = cabstand("explain", "1", "--json")
    assert code == 2
    assert json.loads(out)["error"]["code"] == "E-INPUT"


def test_global_options_may_stand_before_and_after_the_verb(
    cabstand: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, object]] = []
    monkeypatch.setattr(Session, "run", lambda self, _command: seen.append(self.given) or 0)
    cabstand("-R", str(tmp_path), "--json", "explain", "1", "0")
    cabstand("explain", "1", "0", "-R", str(tmp_path), "--json")
    assert seen[0] == seen[1]


def test_a_fault_of_ours_is_one_line_and_kept_in_a_file(
    cabstand: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Session, _command: object) -> int:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(Session, "run", broken)
    monkeypatch.setattr("platformdirs.PlatformDirs.user_state_path", tmp_path / "state")
    code, _out, err = cabstand("explain", "1", "0")
    assert code == 7
    assert "Traceback" not in err
    assert "boom" in err
    assert "ZeroDivisionError" in (tmp_path / "state" / "last-crash.txt").read_text()


def test_a_broken_configuration_file_names_itself(cabstand: Terminal, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("default_repository = ")
    code, _out, err = cabstand("query-collections")
    assert code == 2
    assert str(tmp_path / "config.toml") in err


def test_what_is_typed_next_reaches_the_repository_as_this_line_did(cabstand: Terminal, tmp_path: Path) -> None:
    home = tmp_path / "home"
    cabstand("init", str(home), "--camera", "LATISS:mini", "--kind", "rehearsal", "-y")
    for place in (("-R", str(home), "register-collection"), ("register-collection", "--repo", str(home))):
        code, _, err = cabstand(*place, f"some/{len(place[0])}", "chained", "-y")
        assert code == 0, err
        told = err.partition("To take it back:")[2].splitlines()[1]
        assert told.strip().startswith(f"cabstand -R {home} ")
        assert told.count("-R") == 1
