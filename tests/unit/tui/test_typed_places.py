"""What is typed after `cabstand ui` and in the configuration: wrong words are refused in one line, with a remedy."""

import re
from pathlib import Path

import pytest

from calibstore.config import load_config
from calibstore.errors import NotFoundError, UserInputError
from tui.catalogue import VIEWS, check_place
from tui.command_words import understand
from tui.key_map import checked_keys, key_rows
from tui.places import parse_place


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("nonsense", "no view 'nonsense'"),
        ("timelin bias", "did you mean timeline"),
        ("timeline bias --exposre 3", "did you mean --exposure"),
        ("timeline bias flat", "cannot do with 'flat'"),
        ("home zzz", "cannot do with 'zzz'"),
        ("jobs 1 --log x", "cabstand ui --help"),
        ("--wriet", "no option --wriet"),
    ],
)
def test_what_a_place_does_not_take_is_refused(words: str, told: str) -> None:
    with pytest.raises(UserInputError) as caught:
        check_place(parse_place(words.split()))
    assert told in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.code == "E-VIEW" or words != "nonsense"


def test_every_option_a_view_reads_may_be_typed() -> None:
    folder = Path(__file__).parents[3] / "tui"
    for one in VIEWS:
        texts = [path.read_text() for path in folder.glob(f"*/{one.name}*.py")]
        read = {name for text in texts for name in re.findall(r"place\.option\(\"(\w+)\"", text)}
        assert read <= set(one.options), one.name


def test_the_line_behind_the_colon_refuses_them_too() -> None:
    with pytest.raises(UserInputError, match="no option --bogus"):
        understand("timeline bias --bogus 3", ())
    with pytest.raises(UserInputError) as open_quote:
        understand("timeline 'bias", ())
    assert open_quote.value.code == "E-QUOTES"
    with pytest.raises(NotFoundError) as unknown:
        understand("tmeline", ())
    assert unknown.value.code == "E-WORD"
    assert "timeline" in unknown.value.hint


def test_chosen_keys_are_read_as_people_write_them() -> None:
    given = {"timeline.zoom_in": "+, z", "frame.quit": "ctrl+x", "pane.down": "f2,shift+left", "form.run": "alt+r"}
    assert checked_keys(given) == {
        "timeline.zoom_in": "plus,z",
        "frame.quit": "ctrl+x",
        "pane.down": "f2,shift+left",
        "form.run": "alt+r",
    }


@pytest.mark.parametrize(
    ("name", "keys", "told"),
    [
        ("timeline.zomm_in", "z", "did you mean timeline.zoom_in"),
        ("nonsense", "z", "cabstand ui --keys"),
        ("home.open", "notakey", "no such key"),
        ("home.open", "", "no such key"),
    ],
)
def test_a_wrong_key_is_refused(name: str, keys: str, told: str) -> None:
    with pytest.raises(UserInputError) as caught:
        checked_keys({name: keys})
    assert told in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.code == "E-KEYS"


def test_all_keys_that_ship_are_good_keys_and_ids_are_unique() -> None:
    rows = [row.split()[:2] for row in key_rows()]
    assert len({name for name, _keys in rows}) == len(rows)
    shipped = {name: keys for name, keys in rows if keys != "-"}
    assert checked_keys(shipped) == shipped


def test_a_misspelt_table_of_the_configuration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[key]\n"timeline.zoom_in" = "z"\n')
    with pytest.raises(UserInputError, match="no setting 'key'"):
        load_config({"CABSTAND_CONFIG": str(path)})
