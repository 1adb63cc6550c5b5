"""The registry of rules: it holds every id of the source and none besides, and every id is tested somewhere."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from calibstore.errors import NotFoundError
from calibstore.model.rules import KINDS, Severity, group_reasons, rule, rules

ROOT = Path(__file__).parents[3]
ID = re.compile(r"(?<![A-Z0-9-])[EW]-[A-Z]{2,}(?:-[A-Z]+)*(?![A-Za-z-])")


def _literals(tree: ast.AST) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings."""
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def ids_of_the_source() -> dict[str, str]:
    """Return every id a text of the program holds, with the first file that has it."""
    found: dict[str, str] = {}
    for package in ("calibstore", "kernels", "tui"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for text in _literals(ast.parse(path.read_text(encoding="utf-8"))):
                for one in ID.findall(text):
                    found.setdefault(one, str(path.relative_to(ROOT)))
    return found


def test_every_id_of_the_source_is_a_rule_and_every_rule_is_in_the_source() -> None:
    source, known = ids_of_the_source(), {one.id for one in rules()}
    assert {one: source[one] for one in sorted(set(source) - known)} == {}
    assert known - set(source) == set()
    assert len(rules()) == len(known)


def test_no_id_is_put_together() -> None:
    halves = re.compile(r"^[EW]-[A-Z]*-?$")
    for package in ("calibstore", "kernels", "tui"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name != "rules.py":
                broken = [one for one in _literals(ast.parse(path.read_text(encoding="utf-8"))) if halves.match(one)]
                assert [one for one in broken if not ID.fullmatch(one)] == [], path


def test_every_rule_has_a_test_that_names_it() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    named = {one for text in texts for one in ID.findall(text)}
    assert {one.id for one in rules()} - named == set()


@pytest.mark.parametrize("one", rules(), ids=lambda one: one.id)
def test_a_rule_is_told_whole(one: object) -> None:
    from calibstore.model.rules import Rule

    assert isinstance(one, Rule)
    assert one.group in group_reasons()
    assert one.what[0].isupper()
    assert one.remedy
    assert one.why
    assert not any(text.endswith(" ") or "  " in text for text in (one.what, one.remedy, one.why))
    assert len(one.severities) == len(KINDS)
    if one.id.startswith("W-"):
        assert Severity.REFUSE not in one.severities
    else:
        assert one.severity("main") in (Severity.REFUSE, Severity.ASK)
    assert one.severity("main") is one.severity("rehearsal") or one.id == "E-SIMULATED"


def test_a_rule_is_found_by_a_part_of_its_id() -> None:
    assert rule("e-nomode") is rule("NOMODE") is rule("E-NOMODE")
    assert rule("E-SIMULATED").severity_text == "refuse (main, user), off (test, rehearsal)"
    with pytest.raises(NotFoundError) as caught:
        rule("E-NOMOD")
    assert "E-NOMODE" in caught.value.hint
