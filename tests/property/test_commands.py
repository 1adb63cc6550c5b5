"""The laws of commands: command -> line -> command and command -> JSON -> command, for every registered one."""

import dataclasses
import io
import json
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibstore.cli.program import make_group
from calibstore.cli.session import Session, Surroundings
from calibstore.commands import Command, build, from_json, registered, to_json, to_line
from calibstore.commands.fields import Asked, asked_fields
from calibstore.commands.lines import read_line
from calibstore.errors import UserInputError

_SURROUNDINGS = Surroundings(environment={}, clock=lambda: 0, user="u", host="h", out=io.StringIO(), err=io.StringIO())
# Whatever can stand on a command line: any text without NUL, not empty ("not given" to `build`).
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)


def _values(one: Asked) -> st.SearchStrategy[object]:
    choices = [choice for choice in one.declared.choices if choice]
    single: st.SearchStrategy[object] = {
        bool: st.booleans(),
        int: st.integers(-(2**62), 2**62),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.sampled_from(choices) if choices else _TEXT,
    }[one.type]
    if one.declared.check is not None:
        single = single.filter(lambda value: _is_accepted(one, value))
    if one.is_many:
        return st.lists(single, min_size=0 if one.is_optional else 1, max_size=3).map(tuple)
    return st.one_of(st.just(one.default), single) if one.is_optional else single


def _is_accepted(one: Asked, value: object) -> bool:
    assert one.declared.check is not None
    try:
        one.declared.check((value,) if one.is_many else value)
    except UserInputError:
        return False
    return True


@st.composite
def commands(draw: st.DrawFn, cls: type[Command]) -> Command:
    """Draw a command; optional positional fields are given left to right, as on a line."""
    values: dict[str, object] = {}
    gap = False
    for one in asked_fields(cls):
        value = draw(_values(one))
        is_left_out = gap or value == one.default or (one.is_many and not value)
        if one.declared.is_argument and one.is_optional and is_left_out:
            gap = True
            value = one.default
        values[one.name] = value
    return build(cls, {name: value for name, value in values.items() if value is not None})


def _parsed(line: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    seen: list[Command] = []
    monkeypatch.setattr(Session, "run", lambda _self, command: seen.append(command) or 0)
    make_group(_SURROUNDINGS).main(args=shlex.split(line)[1:], prog_name="cabstand", standalone_mode=False)
    return seen[0]


@pytest.mark.parametrize("verb", sorted(registered()))
def test_a_command_is_its_line_and_its_json(verb: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(commands(registered()[verb]))
    def law(command: Command) -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            assert _parsed(to_line(command), monkeypatch) == command
        assert read_line(to_line(command)).build() == command
        assert from_json(json.loads(json.dumps(to_json(command)))) == command

    law()


@pytest.mark.parametrize("verb", sorted(registered()))
def test_every_field_has_help_and_the_command_a_summary(verb: str) -> None:
    cls = registered()[verb]
    assert (cls.__doc__ or "").strip().endswith(".")
    assert dataclasses.is_dataclass(cls)
    assert all(one.declared.help for one in asked_fields(cls))


def test_every_bad_field_is_reported_at_once() -> None:
    from calibstore.commands.verification import Verify
    from calibstore.errors import UserInputError

    with pytest.raises(UserInputError) as caught:
        build(Verify, {"calib_type": "bais", "processes": "three"})
    assert "'bais' is not one of bias" in caught.value.message
    assert "TICKET is missing" in caught.value.message
    assert "--processes: 'three' is not a whole number" in caught.value.message
