"""A line becomes the command it says; a half line becomes what is known so far."""

import pytest

from calibstore.cli.verbs import global_options
from calibstore.commands import build, registered, to_line
from calibstore.commands.campaigns import CampaignInputs, CampaignNew, Decide
from calibstore.commands.generation import Spot
from calibstore.commands.lines import GLOBAL_OPTIONS, TypedLine, read_line, words_for
from calibstore.commands.raws import Ingest
from calibstore.commands.sites import Prove
from calibstore.commands.states import Undo
from calibstore.commands.store import CertifyCalibrations, CollectionChain
from calibstore.errors import UserInputError


def test_a_proposed_line_is_read_with_its_comment_left_out() -> None:
    said = read_line("cabstand -R /repo/main prove home DM-48520 FILE   # a file of that site's own ISR")
    assert said == TypedLine(
        cls=Prove, given={"destination": "home", "ticket": "DM-48520", "file": "FILE"}, repository="/repo/main"
    )


def test_a_sharp_inside_a_word_or_a_quote_begins_no_comment() -> None:
    assert read_line("spot bias DM-1 --comment '# seen' --reason a#b").given["comment"] == "# seen"
    assert read_line("spot bias DM-1 --reason a#b").reason == "a#b"


def test_half_a_line_gives_what_it_has() -> None:
    assert read_line("certify-calibrations RUN").given == {"run": "RUN"}
    assert read_line(["campaign", "new"]) == TypedLine(cls=CampaignNew)


def test_options_in_every_spelling() -> None:
    said = read_line("ingest a b -tcopy --observation-type=bias c -R home --dry-run --read-only -y --json")
    assert said.cls is Ingest
    assert said.given == {"paths": ("a", "b", "c"), "transfer": "copy", "observation_type": "bias"}
    assert (said.repository, said.is_dry_run, said.is_read_only, said.is_yes, said.is_json) == (
        "home",
        True,
        True,
        True,
        True,
    )
    assert read_line("campaign inputs DM-1 bias --exclude 1=a --exclude=2=b").given["exclude"] == ("1=a", "2=b")
    assert read_line("spot bias DM-1 --ok").given["ok"] is True
    assert read_line("certify-calibrations --begin-date X -- -r -c").given == {
        "begin_date": "X",
        "run": "-r",
        "collection": "-c",
    }
    assert read_line("spot -yh").wants_help


def test_the_last_of_two_values_counts_as_on_the_command_line() -> None:
    assert read_line("certify-calibrations --begin-date A --begin-date B").given == {"begin_date": "B"}


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("certfy-calibrations", "no verb 'certfy-calibrations'", "did you mean certify-calibrations?"),
        ("campaign nwe DM-1", "after campaign comes new, inputs, ticket, show, list", "did you mean campaign new?"),
        ("campaign", "after campaign comes", "campaign new"),
        ("", "no verb", "campaign show"),
        ("certify-calibrations --begindate X", "has no option --begindate", "did you mean --begin-date?"),
        ("hail DM-1 --ok", "hail has no option --ok", ""),
        ("spot bias DM-1 --ok=yes", "--ok takes no value, but 'yes' was given", "write --ok alone"),
        ("spot bias DM-1 --comment", "--comment needs a value", "--comment TEXT"),
        ("hail DM-1 TAXICAB-2 more words", "'more words' is too much; it takes TICKET KEY", "quotes"),
        ("spot bias 'DM-1", "a quote is not closed", "close it"),
        ("--verbose spot", "no option --verbose before the verb", ""),
    ],
)
def test_what_cannot_be_read_says_what_was_meant(line: str, message: str, hint: str) -> None:
    with pytest.raises(UserInputError) as caught:
        read_line(line)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_every_global_option_of_the_command_line_is_known() -> None:
    names = {name for option in global_options() for name in option.opts}
    assert names | {"-h", "--help"} == set(GLOBAL_OPTIONS)


@pytest.mark.parametrize(
    ("cls", "given"),
    [
        (CertifyCalibrations, {"collection": "C", "end_date": "-5"}),
        (CollectionChain, {"parent": "P", "children": ("-a", "b"), "create": True}),
        (Decide, {"ticket": "DM-1", "people": ("A. Chair", "B"), "waive": ("test=x, reason=y z",)}),
        (Spot, {"detectors": (3, 4), "ok": False}),
        (CampaignInputs, {}),
    ],
)
def test_half_filled_values_come_back_from_their_words(cls: type, given: dict[str, object]) -> None:
    said = read_line(words_for(cls, given, reason="-because"))
    kept = {
        name: tuple(map(str, value)) if isinstance(value, tuple) else value for name, value in given.items() if value
    }
    assert (said.cls, said.given, said.reason) == (cls, kept, "-because")


def test_no_command_declares_an_option_that_every_verb_shares() -> None:
    from calibstore.commands.fields import asked_fields

    for cls in registered().values():
        own = {name for one in asked_fields(cls) for name in (one.option, one.declared.short) if name}
        assert not own & set(GLOBAL_OPTIONS), cls.verb


def test_the_reason_of_a_line_is_read_back() -> None:
    command = build(Decide, {"ticket": "DM-1", "outcome": "defer", "people": "A. Chair"})
    said = read_line(to_line(command, reason="no time; it's late"))
    assert (said.build(), said.reason) == (command, "no time; it's late")


@pytest.mark.parametrize("number", [10**25, -(10**25), 2**63])
def test_a_number_that_no_database_holds_is_refused_with_its_name(number: int) -> None:
    with pytest.raises(UserInputError, match=f"STATE.*{number}") as caught:
        read_line(f"undo -- {number}").build()
    assert caught.value.hint
    assert read_line(f"undo {2**63 - 1}").build() == Undo(state=2**63 - 1)
